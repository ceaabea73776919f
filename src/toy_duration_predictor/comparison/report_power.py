"""The report of a power study. Nothing is computed here, only shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from toy_duration_predictor.comparison.report import plain
from toy_duration_predictor.sections import Section, write_report

if TYPE_CHECKING:
    from toy_duration_predictor.comparison.power import Cell

TITLE = "Can the verdict on the singer be trusted?"
WORDS = ("supported", "inconclusive", "refuted")


def write_power(folder: Path, cells: "Sequence[Cell]", baseline: str, repetitions: int, level: float) -> None:
    """Writes `report.html`, `report.md` and `report.json`.

    Args:
        folder: Where they go.
        cells: What they say.
        baseline: The model that stood for Model B.
        repetitions: Corpora of each size and effect.
        level: Of the tests.
    """
    rows = []
    for cell in cells:
        counts = (str(cell.words.get(word, 0)) for word in WORDS)
        interval = f"{cell.supported.low:.0%} to {cell.supported.high:.0%}"
        rows.append((f"{cell.effect:g}", str(cell.songs), *counts, interval, f"{cell.share:+.1%}"))
    heads = ("singer effect", "songs", *WORDS, "supported, 95 % interval", "gain, of copy")
    remark = (
        f"{repetitions} corpora of each size and effect; the model is {baseline}, with and without the singer. With an "
        f"effect of 0 all singers are the same person, and *supported* is wrong. A tenth are test songs."
    )
    parts = [Section("Verdicts on Q3", heads, rows, remark, [_curve(cells, level)])]
    write_report(folder, TITLE, parts, plain(list(cells)))


def _curve(cells: "Sequence[Cell]", level: float) -> Figure:
    """Draws the share of corpora with the verdict *supported* against their effect, a line a number of songs."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for songs in dict.fromkeys(cell.songs for cell in cells):
        of_size = sorted((cell.effect, cell.supported.estimate) for cell in cells if cell.songs == songs)
        axes.plot(*zip(*of_size, strict=True), "o-", label=f"{songs} songs")
    axes.axhline(level, color="#888888", linewidth=1, linestyle="--")
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("singer effect")
    axes.set_ylabel("supported")
    axes.legend(frameon=False)
    return figure
