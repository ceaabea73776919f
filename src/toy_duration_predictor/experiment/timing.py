"""Beyond the mean error: how predicted timing is distributed, beside the singers' own.

A deviation is a duration minus the quantized one, in ticks. Songs are lists of float arrays `(T,)`. A step is that of a
song's grid: the greatest common divisor of its quantized durations.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from datasets import Dataset
from scipy.stats import ks_2samp, wasserstein_distance

Songs = list[np.ndarray]

# A rest of this many steps ends a phrase: a beat on a grid of 1/32 notes, which is that of the published dataset.
PHRASE_REST = 8

FIRST, INNER, LAST = "first note of a phrase", "note within a phrase", "last note of a phrase"
REST_WITHIN, REST_BETWEEN = "rest within a phrase", "rest between phrases"
PLACES = (FIRST, INNER, LAST, REST_WITHIN, REST_BETWEEN)


class Group(NamedTuple):
    """Notes that have something in common, and their mean absolute errors, ticks."""

    name: str
    notes: int
    copying: float
    predicted: float


def timing(predictions: pa.Table) -> dict[str, float]:
    """Returns figures of predicted timing and of the sung one.

    Args:
        predictions: Like `predictions.parquet`.

    Returns:
        `wasserstein`: distance between the distributions of predicted and sung deviations, ticks (scipy's).
        `kolmogorov_smirnov`: the largest difference between their cumulative distributions, 0 to 1 (scipy's).
        `spread`, `spread_sung`: standard deviation of the deviations, ticks.
        `autocorrelation`, `autocorrelation_sung`: see `lag_1_autocorrelation`.
        `drift`: see `drift`.
    """
    quantized, sung, predicted = (_songs(predictions, name) for name in ("quantized", "original", "predicted"))
    own = [s - q for s, q in zip(sung, quantized, strict=True)]
    restored = [p - q for p, q in zip(predicted, quantized, strict=True)]
    all_own, all_restored = np.concatenate(own), np.concatenate(restored)
    return {
        "wasserstein": float(wasserstein_distance(all_restored, all_own)),
        "kolmogorov_smirnov": float(ks_2samp(all_restored, all_own, method="asymp").statistic),
        "spread": float(all_restored.std()),
        "spread_sung": float(all_own.std()),
        "autocorrelation": lag_1_autocorrelation(restored),
        "autocorrelation_sung": lag_1_autocorrelation(own),
        "drift": drift(predicted, sung),
    }


def lag_1_autocorrelation(deviations: Songs) -> float:
    """Returns the correlation of each deviation with the next one of its song; 0 where nothing deviates."""
    pairs = [song for song in deviations if len(song) > 1]
    if not pairs:
        return 0.0
    before, after = (np.concatenate([song[part] for song in pairs]) for part in (slice(None, -1), slice(1, None)))
    if before.std() == 0 or after.std() == 0:
        return 0.0
    return float(np.corrcoef(before, after)[0, 1])


def drift(predicted: Songs, sung: Songs) -> float:
    """Returns the mean over all notes of how far the running totals are apart, ticks."""
    apart = [np.abs(np.cumsum(p) - np.cumsum(s)) for p, s in zip(predicted, sung, strict=True)]
    return float(np.concatenate(apart).mean())


def error_by_length(predictions: pa.Table, steps: tuple[float, ...] = (0, 1, 2, 4, 8)) -> list[Group]:
    """Returns the errors of notes by their quantized length in steps.

    Args:
        predictions: Like `predictions.parquet`.
        steps: Lower bounds of the groups.
    """
    length = np.concatenate([quantized / step(quantized) for quantized in _songs(predictions, "quantized")])
    group = np.searchsorted(steps, length, side="right") - 1
    names = [
        f"{low:g}" if high == low + 1 else f"{low:g} to {high - 1:g}" if high < np.inf else f"{low:g} and more"
        for low, high in zip(steps, (*steps[1:], np.inf), strict=True)
    ]
    return _grouped(predictions, group, names)


def error_by_place(predictions: pa.Table, table: Dataset) -> list[Group]:
    """Returns the errors of notes and rests by their place in a phrase, see `place_in_phrase`.

    Args:
        predictions: Like `predictions.parquet`.
        table: The songs table that its `row` counts in.

    Returns:
        Nothing where the table has no `pitch`, and so does not know its rests.
    """
    if "pitch" not in table.column_names:
        return []
    pitch = table.select(predictions["row"].to_pylist())["pitch"]
    places = [place_in_phrase(np.asarray(p), q) for p, q in zip(pitch, _songs(predictions, "quantized"), strict=True)]
    return _grouped(predictions, np.concatenate(places), PLACES)


def place_in_phrase(pitch: np.ndarray, quantized: np.ndarray) -> np.ndarray:
    """Returns the place of each note and rest of a song, as an index into `PLACES`, int64 `(T,)`.

    A phrase ends at a rest of at least `PHRASE_REST` steps, quantized. Its only note is its first.

    Args:
        pitch: `(T,)`, 0 for a rest.
        quantized: Quantized durations `(T,)`, ticks.
    """
    rest = pitch == 0
    between = rest & (quantized >= PHRASE_REST * step(quantized))
    place = np.where(
        between, PLACES.index(REST_BETWEEN), np.where(rest, PLACES.index(REST_WITHIN), PLACES.index(INNER))
    )
    note = np.flatnonzero(~rest)
    phrase = np.cumsum(between)[note]
    place[note[np.diff(phrase, append=-1) != 0]] = PLACES.index(LAST)
    place[note[np.diff(phrase, prepend=-1) != 0]] = PLACES.index(FIRST)
    return place


def step(quantized: np.ndarray) -> float:
    """Returns the step of a song, the greatest common divisor of its quantized durations, in ticks; 1 if all are 0."""
    return float(np.gcd.reduce(quantized.astype(np.int64))) or 1.0


def _songs(predictions: pa.Table, column: str) -> Songs:
    return [np.asarray(song, dtype=np.float64) for song in predictions[column].to_pylist()]


def _grouped(predictions: pa.Table, group: np.ndarray, names: Sequence[str]) -> list[Group]:
    """Returns the errors of each group that has notes; `group`, int `(notes,)`, counts in `names`."""
    quantized, sung, predicted = (
        np.concatenate(_songs(predictions, name)) for name in ("quantized", "original", "predicted")
    )
    copied, left = np.abs(quantized - sung), np.abs(predicted - sung)
    return [
        Group(name, int(which.sum()), float(copied[which].mean()), float(left[which].mean()))
        for number, name in enumerate(names)
        if (which := group == number).any()
    ]
