"""Where the durations of a songs table come from: the singer, or the quantizer, which leaves its carried values behind.

Sung durations that were each rounded by itself, and carried values, give the quantized ones in the same way: each value
rounds to its quantized one. Two things tell them apart. What a table says of itself decides first; see `declare`. Then
the short values decide, those that are quantized to 0. A carried value is a sung duration plus the error carried into
it (see `repair`). So a short carried value is above that error, and grows with it. A duration that was rounded by
itself has nothing to do with the error before it.
"""

import logging
import math
from enum import StrEnum

import numpy as np
from datasets import Dataset

from toy_duration_predictor.data.notes import Notes
from toy_duration_predictor.data.quantize import grid_step, quantize
from toy_duration_predictor.data.repair import can_be_carried
from toy_duration_predictor.data.schema import Durations
from toy_duration_predictor.errors import InputError

log = logging.getLogger(__name__)

# The largest share of rows, with durations rounded by themselves, that is taken for carried values: where nothing links
# short values to the errors before them.
BY_CHANCE = 0.01


class Origin(StrEnum):
    """Where a song's durations come from."""

    SINGER = "singer"
    ROUNDED = "rounded"
    QUANTIZER = "quantizer"
    EITHER = "either"
    UNDECIDED = "undecided"
    NEITHER = "neither"


MEANING = {
    Origin.SINGER: "sung, and quantized with the error carried forward",
    Origin.ROUNDED: "sung, and each rounded by itself",
    Origin.QUANTIZER: "the quantizer's carried values",
    Origin.EITHER: "sung or carried (too short to tell)",
    Origin.UNDECIDED: "undecided (each rounded by itself, or carried values)",
    Origin.NEITHER: "neither (another quantizer, or another grid)",
}


def origin(durations: np.ndarray, quantized: np.ndarray, said: Durations = "auto") -> Origin:
    """Returns where a song's durations come from.

    Args:
        durations: int64 `(T,)`, ticks; sung durations or carried values.
        quantized: int64 `(T,)`, ticks.
        said: What they are said to be.

    >>> quantized = np.array([15, 30, 15])
    >>> print(origin(np.array([22, 22, 22]), quantized), origin(np.array([22, 29, 21]), quantized, "carried"))
    singer quantizer
    """
    step = grid_step(quantized)
    # Half a step is rounded up, as in midii.
    rounded = np.array_equal((2 * durations + step) // (2 * step) * step, quantized)
    forwarded = np.array_equal(quantize(durations, step), quantized)
    # Where all quantized durations are 0, a grid coarse enough gives them in either way.
    if not quantized.any():
        rounded = forwarded = True
    if not rounded:
        return Origin.SINGER if forwarded else Origin.NEITHER
    if said == "sung" or not can_be_carried(durations, quantized):
        return Origin.SINGER if forwarded else Origin.ROUNDED
    if said == "carried":
        return Origin.QUANTIZER
    if forwarded:
        return Origin.EITHER
    return Origin.QUANTIZER if _follows(durations, quantized) else Origin.UNDECIDED


def declare(table: Dataset, durations: Durations) -> None:
    """Says what a table's durations are, which then counts more than any statistic. `auto` leaves what was said before.

    The word is kept in the table's `info.description`, so that selected rows and columns have it, too.
    """
    if durations != "auto":
        table.info.description = durations


def declared(table: Dataset) -> Durations:
    """Returns what a table's durations are said to be."""
    said: dict[str, Durations] = {"sung": "sung", "carried": "carried"}
    return said.get(table.info.description, "auto")


def origins(table: Dataset) -> list[Origin]:
    """Returns where the durations of each row of a validated table come from.

    Raises:
        InputError: They are said to be carried values, and cannot be.
    """
    rows = np.arange(len(table))
    songs = zip(Notes.of(table, "sung").songs(rows), Notes.of(table, "quantized").songs(rows), strict=True)
    said = declared(table)
    found = [origin(durations, quantized, said) for durations, quantized in songs]
    wrong = [row for row, each in enumerate(found) if each != Origin.QUANTIZER]
    if said == "carried" and wrong:
        raise InputError(
            f"The durations are said to be carried values, by data.durations or by the .json file beside the table, "
            f"but those of {len(wrong)} of {len(found)} rows cannot be, the first of them row {wrong[0]}; "
            f"remove that file if it is of another table, or train with data.durations=sung."
        )
    return found


def are_carried(found: list[Origin]) -> bool:
    """Returns whether a table's durations are taken as carried values: some rows have them, and no row has others."""
    return Origin.QUANTIZER in found and set(found) <= {Origin.QUANTIZER, Origin.EITHER, Origin.UNDECIDED}


def say_what_is_taken(table: Dataset, found: list[Origin]) -> None:
    """Logs what the durations of a table's rows are taken for, where nothing says it and they are not plainly sung."""
    if declared(table) == "auto" and {Origin.ROUNDED, Origin.QUANTIZER, Origin.UNDECIDED} & set(found):
        rows = "; ".join(f"{MEANING[each]}: {count:,}" for each in Origin if (count := found.count(each)))
        taken = "carried values" if are_carried(found) else "sung"
        log.info("data.durations=auto takes the durations as %s. Rows by what they hold: %s.", taken, rows)


def _follows(durations: np.ndarray, quantized: np.ndarray) -> bool:
    """Returns whether short values follow the errors before them so that chance would rarely do it.

    By chance, every pairing of the song's short values with the errors before them is as likely as any other.

    Args:
        durations: int64 `(T,)`, ticks; they can be carried values.
        quantized: int64 `(T,)`, ticks.
    """
    # After a value that is quantized to 0, the error carried on is not known: see the two readings in `repair`.
    short = (quantized[1:] == 0) & (quantized[:-1] > 0)
    error, value = (durations - quantized)[:-1][short], durations[1:][short]
    pairs = len(value)
    if pairs < 2:
        return False
    # How likely all values are above their errors, as they are here: the share of such pairings. From the smallest
    # value on, each may choose among the errors below it that are left. The share is the same however the song pairs
    # them. So it only chooses between this test and the next, and the two accuse no more rows by chance than one.
    left = np.arange(pairs, 0, -1)
    choices = np.searchsorted(np.sort(error), np.sort(value)) - (pairs - left)
    if np.prod(choices / left) < BY_CHANCE:
        return True
    # How likely they are correlated so much. By chance a correlation has mean 0 and variance 1 / (pairs - 1): Pitman
    # (1937), "Significance tests which may be applied to samples from any populations, II".
    error, value = error - error.mean(), value - value.mean()
    scale = math.sqrt(float(error @ error) * float(value @ value))
    deviations = math.sqrt(pairs - 1) * float(error @ value) / scale if scale else 0.0
    return math.erfc(deviations / math.sqrt(2)) / 2 < BY_CHANCE
