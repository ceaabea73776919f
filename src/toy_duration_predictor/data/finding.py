"""What an audit has found, in a paragraph and a picture; the sections after it have the figures."""

from typing import TYPE_CHECKING

import numpy as np

from toy_duration_predictor.data.origin import Origin
from toy_duration_predictor.sections import Section

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from toy_duration_predictor.data.audit import Columns

# The picture shows deviations of up to so many grid steps; those further off are counted at its ends.
FURTHEST = 1.5


def finding(columns: "Columns", found: np.ndarray) -> Section:
    """Returns the section that a reader sees first.

    Args:
        columns: The table.
        found: Where each row's durations come from, `Origin`, `(rows,)`.
    """
    deviation = columns.sung - columns.quantized
    steps = deviation / columns.step[columns.row]
    remark = (
        f"{_fault(found)} {_distance(columns, np.abs(deviation))}\n\nValues that a quantizer has left lie within half "
        f"a grid step of the quantized ones, as do durations rounded one by one. Where the rounding error was "
        f"carried forward, sung durations go beyond. Here {(np.abs(steps) <= 0.5).mean():.1%} lie within."
    )
    return Section("In short", remark=remark, pictures=[_picture(steps)])


def _fault(found: np.ndarray) -> str:
    rows, carried, undecided = len(found), (found == Origin.QUANTIZER).sum(), (found == Origin.UNDECIDED).sum()
    if carried:
        return (
            f"{carried:,} of {rows:,} rows have the published fault: their durations are not those sung, but what a "
            f"quantizer has left of them. tdp audit TABLE --repair OUT recovers what can be."
        )
    unsaid = f", though {undecided:,} of them have too few short rests to tell" if undecided else ""
    return f"The published fault is not found in any of {rows:,} rows{unsaid}."


def _distance(columns: "Columns", ticks: np.ndarray) -> str:
    """Returns how far durations are from their quantized ones, in every unit that is known of all notes."""
    beats = ticks / columns.ticks_per_beat[columns.row]
    units = {"ms": (beats * columns.tempo[columns.row] / 1000, 1), "beats": (beats, 4), "ticks": (ticks, 2)}
    first, *others = (
        f"{of.mean():.{digits}f} {unit}" for unit, (of, digits) in units.items() if not np.isnan(of).any()
    )
    also = f" ({', '.join(others)})" if others else ""
    return (
        f"On average a duration is {first}{also} from its quantized one. So far off is the copy baseline, which a "
        f"model has to beat."
    )


def _picture(steps: np.ndarray) -> "Figure":
    """Draws the distribution of deviations, in grid steps."""
    from matplotlib.figure import Figure  # not at the top: it takes a second

    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.add_subplot()
    axes.axvspan(-0.5, 0.5, color="#dddddd", label="within half a step")
    # Bins with an edge at half a step, and 0 within one.
    edges = np.arange(-FURTHEST, FURTHEST + 0.01, 1 / 15)
    axes.hist(
        np.clip(steps, -FURTHEST, FURTHEST), edges.tolist(), color="#0072B2", weights=[1 / len(steps)] * len(steps)
    )
    axes.set_xlabel("sung minus quantized, grid steps")
    axes.set_ylabel("share of notes and rests")
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
    return figure
