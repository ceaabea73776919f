"""The page of `tdp demo`: what is on it, and what happens when something is chosen.

What its functions do is in `studio`, and how it is served in `serve`. The page loads nothing from other hosts.
"""

import os
from pathlib import Path
from typing import Any

import gradio as gr

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
from toy_duration_predictor.demo.songs import read_heard, read_song
from toy_duration_predictor.demo.studio import Files, Studio, Wanted, like_label
from toy_duration_predictor.demo.uploads import keep
from toy_duration_predictor.demo.view import PLAYER_JS, TEMPLATE
from toy_duration_predictor.demo.visits import IDLE_SECONDS
from toy_duration_predictor.inference.predictor import Predictor

INTRODUCTION = """# A singer's timing for a score

Notes on a grid go in, and come out as a model expects a singer to time them. Nothing else in a file moves."""


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

    def arrive(request: gr.Request) -> tuple[Any, ...]:
        """Takes the choices that the link carries."""
        chosen, said = from_link(dict(request.query_params), predictor, examples, start)
        return *chosen, said

    def tracks(place: Path | None) -> Any:
        """Returns the choice of a song's track. It is there only where there is one."""
        if place is None or not place.exists():
            return gr.update(choices=[], value=None, visible=False)
        song = read_song(place.read_bytes())
        choices = [(f"{each}"[:1].upper() + f"{each}"[1:], each.number) for each in song.voices]
        return gr.update(choices=choices, value=song.midi.voice.taken.number, visible=len(choices) > 1)

    def pick(song: str, files: Files, shown: tuple[Any, ...]) -> tuple[Any, Any]:
        """Takes a song from the list. Gradio calls this, too, when a visitor leaves the list with the same song."""
        if shown and shown[0] == song:
            return gr.skip(), gr.skip()
        return tracks(files.get(song) or studio.examples.get(song)), []

    def take(uploads: list[str] | None, request: gr.Request) -> tuple[Any, ...]:
        """Takes scores; the first that can be used is shown, and what was shown before is gone."""
        folder = studio.visits.new_folder(request.session_hash, "scores")
        files, refused = keep(uploads or [], folder, read_song, examples)
        first = next(iter(files), None)
        return (
            files,
            gr.update(choices=[*files, *examples], value=first),
            tracks(files.get(first or "")),
            refused,
            None,
            gr.update(value=f"Sing all {len(files)} files", visible=len(files) > 1),
        )

    def hear(uploads: list[str] | None, singers: list[Who], request: gr.Request) -> tuple[Any, ...]:
        """Takes recordings to sing like, or that there are none. Their singer is one more that can be chosen."""
        others = [each for each in singers if each != LIKE]
        folder = studio.visits.new_folder(request.session_hash, "recordings")
        recordings, refused = keep(uploads or [], folder, read_heard)
        if not recordings:
            choices = gr.update(choices=trained, value=others or start.singers)
            return recordings, choices, refused, None
        chosen = [LIKE, *others][:MOST_SINGERS]
        choices = gr.update(choices=[(like_label(recordings), LIKE), *trained], value=chosen)
        return recordings, choices, refused, [str(place) for place in recordings.values()]

    def show(request: gr.Request, shown: tuple[Any, ...], *choices: Any) -> tuple[Any, ...]:
        """Performs the song, unless it is shown already. What was made with other settings is gone."""
        if choices == shown:
            return shown, gr.skip(), gr.skip(), gr.skip()
        song, files, track, said, *wanted = choices
        view = studio.show(request.session_hash, song, files, track, Wanted(*wanted), said)
        return choices, view, gr.update(value=None, visible=False), ""

    def another(seed: float | None, temperature: float) -> tuple[int, float]:
        """Takes the next seed, and a temperature at which seeds differ."""
        return (int(seed or 0) + 1) % (LAST_SEED + 1), temperature or 1.0

    def pack(request: gr.Request, files: Files, *wanted: Any) -> tuple[Any, str]:
        """Performs all uploaded songs."""
        place, refused = studio.pack(request.session_hash, files, Wanted(*wanted))
        return gr.update(value=place and str(place), visible=place is not None), "\n\n".join(refused)

    def leave(request: gr.Request) -> None:
        """Ends the visit."""
        studio.visits.end(request.session_hash)

    page = gr.Blocks(title="tdp demo", analytics_enabled=False, delete_cache=(60, IDLE_SECONDS))
    with page:
        gr.Markdown(f"{INTRODUCTION} {about}", elem_id="introduction")
        files, recordings, said, shown = gr.State({}), gr.State({}), gr.State([]), gr.State(())
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
        choices: list[Any] = [singers, recordings, controls.strength, controls.temperature, controls.seed]
        # Whatever changes the choices, this follows.
        performed: dict[str, Any] = {
            "fn": show,
            "inputs": [shown, song, files, controls.track, said, *choices],
            "outputs": [shown, view, controls.packed, controls.refused],
            "concurrency_limit": 2,
            "show_progress": "minimal",
        }
        linked: dict[str, Any] = {
            "fn": None,
            "inputs": [song, singers, controls.strength, controls.temperature, controls.seed],
            "outputs": controls.link,
            "js": link_js(examples),
        }
        settings: list[Any] = [singers, controls.track, controls.strength, controls.temperature, controls.seed]
        # While a slider moves, only its last value is performed.
        gr.on([each.input for each in settings], **performed, trigger_mode="always_last").then(**linked)
        for chosen in (
            page.load(arrive, None, [song, singers, controls.strength, controls.temperature, controls.seed, said]),
            song.input(pick, [song, files, shown], [controls.track, said]),
            controls.upload.upload(
                take, controls.upload, [files, song, controls.track, said, controls.upload, controls.pack]
            ),
            controls.recording.upload(
                hear, [controls.recording, singers], [recordings, singers, said, controls.recording]
            ),
            controls.recording.clear(
                hear, [controls.recording, singers], [recordings, singers, said, controls.recording]
            ),
            controls.another.click(
                another, [controls.seed, controls.temperature], [controls.seed, controls.temperature]
            ),
        ):
            chosen.then(**performed).then(**linked)
        controls.pack.click(pack, [files, *choices], [controls.packed, controls.refused], concurrency_limit=1)
        page.unload(leave)
    return page
