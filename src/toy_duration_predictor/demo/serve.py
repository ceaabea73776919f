"""The page of `tdp demo`, served."""

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import gradio as gr

from toy_duration_predictor.demo.address import cannot_listen
from toy_duration_predictor.demo.page import make_page
from toy_duration_predictor.demo.songs import MOST_SENT
from toy_duration_predictor.demo.view import PAGE_CSS
from toy_duration_predictor.inference.places import DEMO
from toy_duration_predictor.inference.predictor import Predictor

THEME = gr.themes.Base(
    primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"], radius_size="sm"
).set(block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_400")
SIMULATED = "This model has learned from simulated songs: its 18 singers are simulated, too."


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
                max_file_size=MOST_SENT,
                theme=THEME,
                head=f"<style>{PAGE_CSS}</style>",  # Gradio would change the selectors of `css`
                quiet=True,
                share=False,  # Gradio would offer a tunnel through its own servers
                ssr_mode=False,
                run_history=False,
                footer_links=[],
                enable_monitoring=False,
                prevent_thread_lock=True,  # returns, so that `ready` can be called
            )
        except OSError as error:
            raise cannot_listen(host, port) from error
        try:
            ready(address)
            threading.Event().wait()
        except KeyboardInterrupt:
            pass
        finally:
            page.close(verbose=False)
