"""The page of `tdp demo`. The files that it shows are made in `demo_files`.

A visitor's uploads lie in a folder of the visit. It is deleted when the page is closed, or after an hour without use.
The folders of all visits lie in a folder of the server, which is deleted when the server ends. The page loads nothing
from other hosts.
"""

import hashlib
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Gradio reads this when it is imported.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr

from toy_duration_predictor.demo.built_in_songs import write_songs
from toy_duration_predictor.demo.performance import LARGEST_UPLOAD, read_heard, read_song, write_performance
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import DEMO, Predictor
from toy_duration_predictor.scores.perform import HumanizeSettings, Sings

IDLE_SECONDS = 3600

THEME = gr.themes.Base(
    primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"], radius_size="sm"
)
CSS = "footer { display: none !important; }"
INTRODUCTION = """# A singer's timing for a score

Notes on a grid go in. The same notes come out, as a model predicts that a singer times them. Only the notes of the
vocal track and their lyrics move."""
SIMULATED = "This model has learned from simulated songs: its 18 singers are simulated, too."


class Visits:
    """The folders of visits. Each holds one song and the files made from it.

    Args:
        folder: Where the folders are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)

    def new_folder(self, request: gr.Request, purpose: str) -> Path:
        """Returns a new folder in a visit's folder, and deletes the last one for this purpose.

        Visits without use for an hour are deleted, too. Each new folder has a new name, so that no browser shows a file
        of the last one from its cache.
        """
        place = self._place(request)
        place.mkdir(exist_ok=True)
        os.utime(place)
        for other in self._folder.iterdir():
            if other.stat().st_mtime < time.time() - IDLE_SECONDS:
                shutil.rmtree(other, ignore_errors=True)
        for last in place.glob(f"{purpose}-*"):
            shutil.rmtree(last, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=place))

    def end(self, request: gr.Request) -> None:
        """Deletes a visit's folder."""
        shutil.rmtree(self._place(request), ignore_errors=True)

    def _place(self, request: gr.Request) -> Path:
        # The browser chooses this name, which could be any path.
        return self._folder / hashlib.sha256(str(request.session_hash).encode()).hexdigest()


def serve(model: str | Path, host: str, port: int | None, ready: Callable[[str], None]) -> None:
    """Serves the page until the process is interrupted.

    Args:
        model: See `Predictor.load`.
        host: The address to listen on.
        port: The port, or None for the first free one from 7860 on.
        ready: Is called with the page's address once it can be opened.

    Raises:
        InputError: There is no such model, or the address cannot be listened on.
    """
    predictor = Predictor.load(model)
    with tempfile.TemporaryDirectory(prefix="tdp-demo-") as folder:
        page = make_page(predictor, SIMULATED if model == DEMO else f"Model: {model}", Path(folder))
        try:
            _, address, _ = page.launch(
                server_name=host,
                server_port=port,
                max_file_size=LARGEST_UPLOAD,
                theme=THEME,
                css=CSS,
                quiet=True,
                share=False,  # Gradio would offer a tunnel through its own servers
                ssr_mode=False,
                run_history=False,
                footer_links=[],
                enable_monitoring=False,
                prevent_thread_lock=True,  # returns, so that `ready` can be called
            )
        except OSError as error:
            place = f"{host}:{port}" if port else host
            raise InputError(f"The page cannot listen on {place}; choose another --host or --port.") from error
        try:
            ready(address)
            threading.Event().wait()
        except KeyboardInterrupt:
            pass
        finally:
            page.close(verbose=False)


def make_page(predictor: Predictor, about: str, folder: Path) -> gr.Blocks:
    """Returns the page.

    Args:
        predictor: The model.
        about: A sentence about the model, for the page.
        folder: Where the files of the page and of its visitors go.
    """
    examples = write_songs(folder / "examples")
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "files")  # Gradio serves these files to anyone who knows their path
    visits = Visits(folder / "files" / "visits")

    def keep(upload: str | None, request: gr.Request, purpose: str, read: Callable[[bytes], Any]) -> Path | None:
        """Moves an upload into the visit's folder and returns its place there; None if it cannot be read."""
        given = Path(upload or "")
        try:
            content = given.read_bytes()
            given.unlink()  # Gradio's copy; the visit's own folder is deleted with the visit
            read(content)
        except (InputError, OSError) as error:
            reason = str(error).rstrip(".") if isinstance(error, InputError) else "it did not arrive"
            gr.Warning(f"This file cannot be used: {reason}.")
            return None
        name = re.sub(r"[^\w -]", "", given.stem)[:60].strip() or "song"
        place = visits.new_folder(request, purpose) / f"{name}.mid"
        place.write_bytes(content)
        return place

    def take(upload: str | None, request: gr.Request) -> tuple[Any, Any, Any]:
        """Takes a score. The page shows the upload or an example as chosen, never both."""
        place = keep(upload, request, "score", read_song)
        return (place, None, str(place)) if place else (gr.skip(), gr.skip(), None)

    def hear(upload: str | None, request: gr.Request) -> tuple[Any, str | None]:
        """Takes a recording to sing like."""
        place = keep(upload, request, "recording", read_heard)
        return place, str(place) if place else None

    def pick(example: str) -> tuple[Path, None]:
        """Takes an example, and clears the upload."""
        return examples[example], None

    def show(
        place: Path,
        singer: int,
        heard: Path | None,
        strength: float,
        temperature: float,
        seed: float,
        request: gr.Request,
    ) -> tuple[str, Path, Path, Path]:
        """Performs the song; see `write_performance`."""
        # A temperature of 0 on the page stands for a prediction, which has no seed.
        chosen = HumanizeSettings(strength, temperature or None, int(seed or 0) if temperature else None)
        try:
            song = read_song(place.read_bytes())
            sings = Sings(like=[read_heard(heard.read_bytes())]) if heard else Sings(singer)
            own = re.sub(r"[^\w -]", "", predictor.label(singer))[:60]  # a name need not be one of a file
            name = f"{place.stem} - {f'like {heard.stem}' if heard else own}"
            return write_performance(song, predictor, sings, chosen, visits.new_folder(request, "sung"), name)
        except FileNotFoundError as error:
            gone = "The page was not used for an hour, and the file is gone; upload it again."
            raise gr.Error(gone, None, print_exception=False) from error
        except InputError as error:
            raise gr.Error(str(error), None, print_exception=False) from error

    page = gr.Blocks(title="tdp demo", analytics_enabled=False, delete_cache=(60, IDLE_SECONDS))
    with page:
        gr.Markdown(f"{INTRODUCTION} {about}")
        song, heard = gr.State(next(iter(examples.values()))), gr.State()
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                example = gr.Radio(list(examples), value=next(iter(examples)), label="Song", elem_id="example")
                upload = gr.File(
                    label="or your own: a MIDI file", file_types=[".mid", ".midi"], height=150, elem_id="upload"
                )
                singer = gr.Dropdown(
                    [(predictor.singer_names.get(each, f"Singer {each}"), each) for each in predictor.singers],
                    value=predictor.singers[0],
                    label="Singer",
                    elem_id="singer",
                )
                recording = gr.File(
                    label="or as in a recording: a MIDI file of somebody's singing",
                    file_types=[".mid", ".midi"],
                    height=150,
                    visible=predictor.reads_style,
                    elem_id="recording",
                )
                strength = gr.Slider(0, 1.5, 1, step=0.05, label="Strength", info="0 is the score", elem_id="strength")
                temperature = gr.Slider(
                    0,
                    1.5,
                    1 if predictor.has_distribution else 0,
                    step=0.05,
                    label="Temperature",
                    info="0 predicts the least expected error; above 0, each seed gives another sample",
                    visible=predictor.has_distribution,
                    elem_id="temperature",
                )
                seed = gr.Number(0, label="Seed", precision=0, minimum=0, visible=predictor.has_distribution)
            with gr.Column(scale=3, min_width=320):
                picture = gr.HTML(elem_id="picture")
                with gr.Row():
                    before = gr.Audio(label="The score", interactive=False, buttons=["download"], elem_id="before")
                    after = gr.Audio(label="As sung", interactive=False, buttons=["download"], elem_id="after")
                result = gr.DownloadButton("Download the MIDI file", elem_id="download", variant="primary")
        example.input(pick, example, [song, upload])
        upload.upload(take, upload, [song, example, upload])
        settings: list[Any] = [song, singer, heard, strength, temperature, seed]
        gr.on(
            [page.load, *(each.change for each in settings)],
            show,
            settings,
            [picture, before, after, result],
            trigger_mode="always_last",  # while a slider moves, only its last value is performed
            concurrency_limit=2,
            show_progress="minimal",
        )
        recording.upload(hear, recording, [heard, recording])
        recording.clear(lambda: None, None, heard)
        page.unload(visits.end)
    return page
