"""The page of `tdp demo`: what is on it, and what happens when something is chosen.

What its functions do is in `studio`, and how it is served in `serve`. The page loads nothing from other hosts.
"""

import os
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr

from toy_duration_predictor.data.midi.voices import Candidate
from toy_duration_predictor.demo.choices import (
    LAST_SEED,
    LIKE,
    MOST_SINGERS,
    Choices,
    Who,
    from_link,
    link_js,
)
from toy_duration_predictor.demo.controls import make_controls
from toy_duration_predictor.demo.songs import Song, read_heard, read_song
from toy_duration_predictor.demo.studio import Studio, Upload, Uploads, Wanted, like_label
from toy_duration_predictor.demo.uploads import keep
from toy_duration_predictor.demo.view import PLAYER_JS, TEMPLATE
from toy_duration_predictor.demo.visits import IDLE_SECONDS
from toy_duration_predictor.inference.predictor import Predictor

INTRODUCTION = """# A singer's timing for a score

Notes on a grid go in, and come out as a model expects a singer to time them. Nothing else in a file moves."""

# What a visitor has to be told, and of which song.
Said: TypeAlias = tuple[str | None, list[str]]
# What all songs were performed with, the zip file of that, and what is said of it.
Zipped: TypeAlias = tuple[tuple[Any, ...], Path | None, list[str]]


def track_label(track: Candidate) -> str:
    """Returns what a list calls a track; there is little room."""
    lyrics = f", {track.lyrics:,} lyrics" if track.lyrics else ""
    return f"{track.number} {track.name} ({track.notes:,} notes{lyrics})".replace("  ", " ")


def tracks(song: Song | None) -> Any:
    """Returns the choice of a song's track. It is there only where there is one."""
    if song is None:
        return gr.update(choices=[], value=None, visible=False)
    choices = [(track_label(each), each.number) for each in song.voices]
    return gr.update(choices=choices, value=song.midi.voice.taken.number, visible=len(choices) > 1)


def make_page(predictor: Predictor, about: str, folder: Path) -> gr.Blocks:
    """Returns the page.

    Args:
        predictor: The model.
        about: A sentence about the model, for the page.
        folder: Where the files of the page and of its visitors go.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "files")  # Gradio serves these files to anyone who knows their path
    studio = Studio(predictor, folder)
    examples = list(studio.examples)
    start = Choices(examples[0], predictor.singers[:1], 1.0, 1.0 if predictor.has_distribution else 0.0, 0)
    trained: list[tuple[str, Who]] = [(predictor.label(each), each) for each in predictor.singers]

    # A number that was not there before asks for a performance.
    numbers = count(1)

    def arrive(request: gr.Request) -> tuple[Any, ...]:
        """Takes the choices that the link carries."""
        chosen, said = from_link(dict(request.query_params), predictor, examples, start)
        return *chosen, (chosen.song, said), next(numbers)

    def take(uploads: list[str] | None, song: str | None, files: Uploads, request: gr.Request) -> tuple[Any, ...]:
        """Takes the scores of the box.

        The first that was not there before is shown. Where one was refused, nothing is, so that nobody takes another
        song for it. Else, as when a file was taken out, it is what was shown before.
        """
        studio.visits.add(request.session_hash, uploads or [])
        kept, refused = keep(uploads or [], read_song, examples)
        before = {upload.place: upload for upload in files.values()}
        now = {name: before.get(place, Upload(place)) for name, place in kept.items()}
        last = files.get(song or "")
        unseen = [name for name, upload in now.items() if upload.place not in before]
        same = [name for name in (*now, *examples) if (now[name] is last if name in now else name == song)]
        shown = next(iter(unseen or ([] if refused else [*same, *now, *examples])), None)
        return (
            now,
            gr.update(choices=[*now, *examples], value=shown),
            (shown, list(dict.fromkeys(refused))),
            gr.update(value=f"Sing all {len(now)} files", visible=len(now) > 1),
            next(numbers),
        )

    def choose(track: str, song: str, files: Uploads) -> tuple[Any, Any]:
        """Keeps a track with its file. Gradio calls this, too, when a visitor leaves the list with the same track."""
        chosen = dict(files)
        if song in files:
            chosen[song] = studio.choose(files[song], track)
        return (gr.skip(), gr.skip()) if chosen == files else (chosen, next(numbers))

    def hear(uploads: list[str] | None, singers: list[Who], song: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Takes recordings to sing like, or that there are none. Their singer is one more that can be chosen."""
        studio.visits.add(request.session_hash, uploads or [])
        recordings, refused = keep(uploads or [], read_heard)
        others = [each for each in singers if each != LIKE]
        choices, chosen = trained, others or start.singers
        if recordings:
            choices, chosen = [(like_label(recordings), LIKE), *trained], [LIKE, *others][:MOST_SINGERS]
        said = (song, list(dict.fromkeys(refused)))
        return recordings, gr.update(choices=choices, value=chosen), said, next(numbers)

    def show(request: gr.Request, shown: Said, zipped: Zipped, said: Said, song: str | None, *of_all: Any) -> Any:
        """Performs the song, unless it is shown already. What was said of another song is gone."""
        said = said if said[0] == song else (song, [])
        choices = (song, said, *of_all)
        if choices == shown:
            return [gr.skip()] * 6
        files, *wanted = of_all
        view, read = studio.show(request.session_hash, song, files, Wanted(*wanted), said[1])
        return choices, said, view, tracks(read), *offer(zipped, *of_all)

    def another(seed: float | None, temperature: float) -> tuple[Any, ...]:
        """Takes the next seed, and a temperature at which seeds differ."""
        return (int(seed or 0) + 1) % (LAST_SEED + 1), gr.skip() if temperature else 1.0, next(numbers)

    def pack(request: gr.Request, *of_all: Any) -> Zipped:
        """Performs all uploaded songs."""
        files, *wanted = of_all
        return of_all, *studio.pack(request.session_hash, files, Wanted(*wanted))

    def offer(zipped: Zipped, *of_all: Any) -> tuple[Any, str]:
        """Returns the zip file, and what is said of it; neither once something else is chosen."""
        _, place, refused = zipped if zipped[0] == of_all else ((), None, [])
        return gr.update(value=place and str(place), visible=place is not None), "\n\n".join(refused)

    def leave(request: gr.Request) -> None:
        """Ends the visit."""
        studio.visits.end(request.session_hash)

    page = gr.Blocks(title="tdp demo", analytics_enabled=False, delete_cache=(60, IDLE_SECONDS))
    with page:
        gr.Markdown(f"{INTRODUCTION} {about}", elem_id="introduction")
        files, recordings, said = gr.State({}), gr.State({}), gr.State((None, []))
        shown, zipped, asked = gr.State(()), gr.State(((), None, [])), gr.State(0)
        with gr.Row(elem_id="first"):
            song = gr.Dropdown(
                examples, value=start.song, label="Song", info="Built in, or your own.", elem_id="song", min_width=200
            )
            singers = gr.Dropdown(
                trained,
                value=start.singers,
                multiselect=True,
                max_choices=MOST_SINGERS,
                label="Singers",
                info=f"Up to {MOST_SINGERS}, one below the other.",
                elem_id="singers",
                min_width=200,
                scale=2,
            )
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                view = gr.HTML(
                    {"html": ""},
                    html_template=TEMPLATE,
                    js_on_load=PLAYER_JS,
                    apply_default_css=False,
                    elem_id="view",
                )
            with gr.Column(scale=1, min_width=280):
                controls = make_controls(predictor, start)
        of_all: list[Any] = [files, singers, recordings, controls.strength, controls.temperature, controls.seed]
        settings: list[Any] = [singers, controls.strength, controls.temperature, controls.seed]
        # All that changes a choice leads to this one event, so what is shown at last is what was chosen last. Choices
        # wait while a song is performed, and only the last of them are performed.
        performed = gr.on(
            [*(each.input for each in (song, *settings)), asked.change],
            show,
            [shown, zipped, said, song, *of_all],
            [shown, said, view, controls.track, controls.packed, controls.refused],
            trigger_mode="always_last",
            concurrency_limit=2,
            show_progress="minimal",
        )
        performed.then(None, [song, *settings], controls.link, js=link_js(examples))
        page.load(arrive, None, [song, *settings, said, asked])
        # The boxes are no outputs: what comes back would take away what a visitor has put there meanwhile.
        gr.on(
            [controls.upload.upload, controls.upload.clear, controls.upload.delete],
            take,
            [controls.upload, song, files],
            [files, song, said, controls.pack, asked],
            trigger_mode="multiple",
        )
        controls.track.input(choose, [controls.track, song, files], [files, asked], trigger_mode="always_last")
        gr.on(
            [controls.recording.upload, controls.recording.clear, controls.recording.delete],
            hear,
            [controls.recording, singers, song],
            [recordings, singers, said, asked],
            trigger_mode="multiple",
        )
        controls.another.click(
            another, [controls.seed, controls.temperature], [controls.seed, controls.temperature, asked]
        )
        packed = controls.pack.click(pack, of_all, zipped, concurrency_limit=1)
        packed.then(offer, [zipped, *of_all], [controls.packed, controls.refused])
        page.unload(leave)
    return page
