"""What a person sees in the terminal: log lines, and a table of results at the end."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from toy_duration_predictor.training.config import Hardware

PACKAGE = logging.getLogger("toy_duration_predictor")

# What metrics are called in the table of results; all others go by their names.
TITLES = {"mae": "MAE, ticks", "mae_beats": "MAE, beats"}


def shows_progress(trainer: Hardware) -> bool:
    """Returns whether there is to be a progress bar: if it is wanted, and somebody can see it."""
    return trainer.progress and sys.stdout.isatty()


def console_log(quiet: bool = False) -> None:
    """Shows this package's log on the terminal, epochs only where no progress bar can show them; or errors alone."""
    PACKAGE.setLevel(logging.ERROR if quiet else logging.INFO)
    PACKAGE.propagate = False
    if not any(getattr(handler, "of_console", False) for handler in PACKAGE.handlers):
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        handler.addFilter(lambda record: not (sys.stdout.isatty() and record.msg.startswith("epoch ")))
        handler.of_console = True  # type: ignore[attr-defined]
        PACKAGE.addHandler(handler)


@contextmanager
def file_log(path: Path) -> Iterator[None]:
    """Adds this package's log to a file for the time of a `with` block."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    PACKAGE.addHandler(handler)
    try:
        yield
    finally:
        PACKAGE.removeHandler(handler)
        handler.close()


def show_results(metrics: dict[str, float | int | str], folder: Path) -> None:
    """Prints the test errors beside those of copying the input, and where the run is."""
    table = Table("", "model", "copying", title=f"{metrics['name']}, test songs", title_justify="left")
    tested = [key.removeprefix("test/") for key in metrics if key.startswith("test/")]
    others = sorted(key for key in tested if not key.startswith("copy_") and key not in ("skill", *TITLES))
    for key in (*(key for key in TITLES if key in tested), *others):
        beside = f"test/copy_{key}"
        digits = 4 if key.endswith("_beats") else 3
        copying = f"{metrics[beside]:.{digits}f}" if beside in metrics else ""
        table.add_row(TITLES.get(key, key), f"{metrics[f'test/{key}']:.{digits}f}", copying)
    if "test/skill" in metrics:
        table.add_row("skill = 1 - MAE / MAE of copying", f"{metrics['test/skill']:.3f}", "0")
    if "train/seconds" in metrics:
        table.add_row("training", f"{metrics['train/seconds']:.0f} s, {metrics['train/epochs']} epochs", "")
    console = Console()
    console.print(table)
    console.print(f"Folder: {folder}", soft_wrap=True, highlight=False, markup=False)
