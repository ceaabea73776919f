"""The terminal: log lines, and a table of results at the end."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table

from toy_duration_predictor.errors import InputError
from toy_duration_predictor.training.config import HardwareSettings

PACKAGE = logging.getLogger("toy_duration_predictor")

# Log lines and progress bars: what a pipe takes is the results alone.
CONSOLE = Console(stderr=True, force_jupyter=False)

# Rows of the table of results: the metric and its title. What is heard most comes first.
TITLES = {
    "onset_mae": "onsets",
    "ioi_mae": "inter-onset intervals",
    "mae": "durations",
    "mae_notes": "    notes",
    "mae_rests": "    rests",
}
# How the names of metrics begin that the table shows as these rows, or that `metrics.json` alone has.
SHOWN = ("onset_", "ioi_", "mae", "copy_", "skill", "rmse")
# Columns: the ending of the metric, the unit, and the digits.
UNITS = (("", "ticks", 3), ("_beats", "beats", 4), ("_ms", "ms", 2))


def shows_progress(trainer: HardwareSettings) -> bool:
    """Returns whether to show a progress bar: if it is wanted, and there is a terminal."""
    return trainer.progress and CONSOLE.is_terminal


class ConsoleHandler(logging.Handler):
    """Writes log lines, as long as they are, above a progress bar if there is one.

    Attributes:
        bar: Whether a bar shows the epochs, so that their lines are left out.
    """

    bar = False

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line."""
        if not (self.bar and record.msg.startswith("epoch ")):
            CONSOLE.print(self.format(record), soft_wrap=True, markup=False, highlight=False, emoji=False)


def console_log(quiet: bool = False) -> None:
    """Shows this package's log on the terminal; of a quiet process errors only."""
    PACKAGE.setLevel(logging.ERROR if quiet else logging.INFO)
    PACKAGE.propagate = False
    # Once, however many runs a process makes.
    if not any(handler.name == "console" for handler in PACKAGE.handlers):
        handler = ConsoleHandler()
        handler.name = "console"
        PACKAGE.addHandler(handler)


@contextmanager
def file_log(path: Path) -> Iterator[None]:
    """Appends this package's log to a file within a `with` block."""
    handler = _FileLog(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    PACKAGE.addHandler(handler)
    try:
        yield
    finally:
        PACKAGE.removeHandler(handler)
        with suppress(OSError):  # what it could not write, which has ended the run already
            handler.close()


class _FileLog(logging.FileHandler):
    """A log that ends a run where it cannot be written, as a checkpoint would a moment later."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        error = sys.exception()
        if isinstance(error, OSError):
            raise InputError(f"{self.baseFilename} cannot be written: {error.strerror or error}.") from error
        super().handleError(record)


def show_results(metrics: dict[str, float | int | str], folder: Path, songs: str = "test songs") -> None:
    """Prints the errors of a model on `songs` beside those of the copy baseline, and where the results are."""
    units = [(end, unit, digits) for end, unit, digits in UNITS if f"test/mae{end}" in metrics]
    title = f"{metrics['name']}, mean absolute errors on {songs}"
    table = Table(title=title, title_justify="left")
    # A terminal of 80 columns has room for the copy baseline in one unit.
    for head in ("", *(unit for _, unit, _ in units), "copy, ticks", "share of copy"):
        table.add_column(head, no_wrap=not head)
    for key, name in TITLES.items():
        cells = [f"{metrics[full]:.{n}f}" if (full := f"test/{key}{end}") in metrics else "" for end, _, n in units]
        copy = float(metrics.get(f"test/copy_{key}", 0))
        if any(cells):
            share = f"{float(metrics[f'test/{key}']) / copy:.3f}" if copy else ""
            table.add_row(name, *cells, f"{copy:.3f}", share)
    for key in sorted(metrics):
        name = key.removeprefix("test/")
        if key != name and not name.startswith(SHOWN):
            table.add_row(name, f"{metrics[key]:.3f}")
    console = Console()
    console.print(table)
    if "train/seconds" in metrics:
        console.print(f"Training: {metrics['train/seconds']:.0f} s, {metrics['train/epochs']} epochs", highlight=False)
    console.print(f"Folder: {folder}", soft_wrap=True, highlight=False, markup=False)
