"""Beyond the mean error: how predicted timing is distributed, beside the singers' own, and which notes are wrong.

A deviation is a duration minus the quantized one, in ticks. Songs are lists of arrays `(T,)`. Predictions are tables as
`predictions` describes them.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from datasets import Dataset
from scipy.stats import ks_2samp, wasserstein_distance

from toy_duration_predictor.comparison.evidence import notes_by_song
from toy_duration_predictor.data.quantize import grid_step
from toy_duration_predictor.data.singers import singer_labels

Songs = list[np.ndarray]

# A rest of this many grid steps ends a phrase: a beat on a grid of 1/32 notes, which the published dataset has.
PHRASE_REST = 8

FIRST, INNER, LAST = "first note of a phrase", "note within a phrase", "last note of a phrase"
REST_WITHIN, REST_BETWEEN = "rest within a phrase", "rest between phrases"
POSITIONS = (FIRST, INNER, LAST, REST_WITHIN, REST_BETWEEN)

# Groups by length, and their lower bounds in grid steps.
LENGTHS = {"0": 0, "1": 1, "2 to 3": 2, "4 to 7": 4, "8 and more": 8}


class Timing(NamedTuple):
    """Figures of predicted timing and of the sung one.

    Attributes:
        wasserstein: Distance between the distributions of predicted and sung deviations, ticks.
        kolmogorov_smirnov: The largest difference between their cumulative distributions, 0 to 1.
        spread: Standard deviation of the predicted deviations, ticks.
        autocorrelation: Of the predicted deviations; see `lag_1_autocorrelation`.
    """

    wasserstein: float
    kolmogorov_smirnov: float
    spread: float
    spread_sung: float
    autocorrelation: float
    autocorrelation_sung: float


class Group(NamedTuple):
    """Notes and rests that have something in common: how many, and the mean absolute errors of three predictions."""

    name: str
    notes: int
    copy: float
    best_lookup: float
    model: float


class Timings(NamedTuple):
    """The timing of all predictions by name, and the errors of Model B by groups of notes."""

    figures: dict[str, Timing]
    error_by_length: list[Group]
    error_by_phrase_position: list[Group]
    error_by_singer: list[Group]


def timings(predictions: Mapping[str, pa.Table], model: pa.Table, best_lookup: pa.Table, table: Dataset) -> Timings:
    """Returns the timing of predictions, and the errors of a model by groups of notes.

    Args:
        predictions: By name.
        model: The model's predictions.
        best_lookup: The best lookup's predictions of the same songs.
        table: The songs table that their `row` counts in.
    """
    return Timings(
        figures={name: timing(each) for name, each in predictions.items()},
        error_by_length=error_by_length(model, best_lookup),
        error_by_phrase_position=error_by_phrase_position(model, best_lookup, table),
        error_by_singer=error_by_singer(model, best_lookup),
    )


def timing(predictions: pa.Table) -> Timing:
    """Returns figures of predicted timing and of the sung one."""
    quantized, sung, predicted = (notes_by_song(predictions, name) for name in ("quantized", "sung", "predicted"))
    own = [s - q for s, q in zip(sung, quantized, strict=True)]
    restored = [p - q for p, q in zip(predicted, quantized, strict=True)]
    all_own, all_restored = np.concatenate(own), np.concatenate(restored)
    return Timing(
        wasserstein=float(wasserstein_distance(all_restored, all_own)),
        kolmogorov_smirnov=float(ks_2samp(all_restored, all_own, method="asymp").statistic),
        spread=float(all_restored.std()),
        spread_sung=float(all_own.std()),
        autocorrelation=lag_1_autocorrelation(restored),
        autocorrelation_sung=lag_1_autocorrelation(own),
    )


def lag_1_autocorrelation(deviations: Songs) -> float:
    """Returns the correlation of each deviation with the next one of its song; 0 where nothing deviates."""
    before, after = (np.concatenate([song[part] for song in deviations]) for part in (slice(-1), slice(1, None)))
    if not len(before) or before.std() == 0 or after.std() == 0:
        return 0.0
    return float(np.corrcoef(before, after)[0, 1])


def error_by_length(model: pa.Table, best_lookup: pa.Table) -> list[Group]:
    """Returns the errors of notes and rests by their quantized length in grid steps."""
    length = np.concatenate([quantized / grid_step(quantized) for quantized in notes_by_song(model, "quantized")])
    group = np.searchsorted([*LENGTHS.values()], length, side="right") - 1
    return _grouped(model, best_lookup, np.array([*LENGTHS])[group], LENGTHS)


def error_by_phrase_position(model: pa.Table, best_lookup: pa.Table, table: Dataset) -> list[Group]:
    """Returns the errors of notes and rests by their position in the phrase; see `phrase_position`.

    There are none where the songs table has no `pitch`, and so does not know its rests.
    """
    if "pitch" not in table.column_names:
        return []
    pitch = table.select(model["row"].to_pylist())["pitch"]
    quantized = notes_by_song(model, "quantized")
    positions = [phrase_position(np.asarray(p), q) for p, q in zip(pitch, quantized, strict=True)]
    return _grouped(model, best_lookup, np.concatenate(positions), POSITIONS)


def error_by_singer(model: pa.Table, best_lookup: pa.Table) -> list[Group]:
    """Returns the errors of notes and rests by singer, in the order of `singer_id`."""
    singer, labels = model["singer_id"].to_numpy(), singer_labels(model)
    notes = [len(song) for song in notes_by_song(model, "quantized")]
    groups = _grouped(model, best_lookup, np.repeat(singer, notes), np.unique(singer))
    return [group._replace(name=labels[int(group.name)]) for group in groups]


def phrase_position(pitch: np.ndarray, quantized: np.ndarray) -> np.ndarray:
    """Returns the position in the phrase of each note and rest of a song: one of `POSITIONS`, `(T,)`.

    A phrase ends at a rest of at least `PHRASE_REST` grid steps, quantized. Its only note is its first.

    Args:
        pitch: `(T,)`, 0 for a rest.
        quantized: Quantized durations `(T,)`, ticks.
    """
    rest = pitch == 0
    between = rest & (quantized >= PHRASE_REST * grid_step(quantized))
    position = np.where(rest, REST_WITHIN, INNER).astype(object)
    position[between] = REST_BETWEEN
    note = np.flatnonzero(~rest)
    phrase = np.cumsum(between)[note]
    position[note[np.diff(phrase, append=-1) != 0]] = LAST
    # After the last ones, so that the only note of a phrase counts as its first.
    position[note[np.diff(phrase, prepend=-1) != 0]] = FIRST
    return position


def _grouped(model: pa.Table, best_lookup: pa.Table, group: np.ndarray, names: Iterable[str]) -> list[Group]:
    """Returns the errors of each group that has notes; `group` names that of each note, `(notes,)`."""
    sung = np.concatenate(notes_by_song(model, "sung"))
    predictions = ((model, "quantized"), (best_lookup, "predicted"), (model, "predicted"))
    errors = [np.abs(np.concatenate(notes_by_song(table, column)) - sung) for table, column in predictions]
    return [
        Group(str(name), int(of.sum()), *(float(each[of].mean()) for each in errors))
        for name in names
        if (of := group == name).any()
    ]
