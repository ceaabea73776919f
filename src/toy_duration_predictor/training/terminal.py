"""The terminal: log lines, and a table of results at the end."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from toy_duration_predictor.training.config import HardwareSettings

PACKAGE = logging.getLogger("toy_duration_predictor")

# Titles of metrics in the table of results. Other metrics go by their names.
TITLES = {
    "mae": "MAE, ticks",
    "mae_beats": "MAE, beats",
    "rmse": "RMSE, ticks",
    "mae_published": "MAE as published, ticks",
}


def shows_progress(trainer: HardwareSettings) -> bool:
    """Returns whether to show a progress bar: if it is wanted, and the output is a terminal."""
    return trainer.progress and sys.stdout.isatty()


def console_log(quiet: bool = False) -> None:
    """Shows this package's log on the terminal; of a quiet process errors only."""
    PACKAGE.setLevel(logging.ERROR if quiet else logging.INFO)
    PACKAGE.propagate = False
    # Once, however many runs a process makes.
    if not any(handler.name == "console" for handler in PACKAGE.handlers):
        handler = logging.StreamHandler(sys.stderr)
        handler.name = "console"
        handler.setFormatter(logging.Formatter("%(message)s"))
        # On a terminal the progress bar shows the epochs.
        handler.addFilter(lambda record: not (sys.stdout.isatty() and record.msg.startswith("epoch ")))
        PACKAGE.addHandler(handler)


@contextmanager
def file_log(path: Path) -> Iterator[None]:
    """Appends this package's log to a file within a `with` block."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    PACKAGE.addHandler(handler)
    try:
        yield
    finally:
        PACKAGE.removeHandler(handler)
        handler.close()


def show_results(metrics: dict[str, float | int | str], folder: Path) -> None:
    """Prints the test errors of a model and of the copy baseline, and the run's folder."""
    table = Table("", "model", "copy baseline", title=f"{metrics['name']}, test songs", title_justify="left")
    tested = [key.removeprefix("test/") for key in metrics if key.startswith("test/")]
    others = sorted(key for key in tested if not key.startswith("copy_") and key not in ("skill", *TITLES))
    for key in (*(key for key in TITLES if key in tested), *others):
        digits = 4 if key.endswith("_beats") else 3
        model, copy = (
            f"{metrics[name]:.{digits}f}" if name in metrics else "" for name in (f"test/{key}", f"test/copy_{key}")
        )
        table.add_row(TITLES.get(key, key), model, copy)
    if "test/skill" in metrics:
        table.add_row("skill = 1 - MAE / copy error", f"{metrics['test/skill']:.3f}", "0")
    if "train/seconds" in metrics:
        table.add_row("training", f"{metrics['train/seconds']:.0f} s, {metrics['train/epochs']} epochs", "")
    console = Console()
    console.print(table)
    console.print(f"Folder: {folder}", soft_wrap=True, highlight=False, markup=False)
