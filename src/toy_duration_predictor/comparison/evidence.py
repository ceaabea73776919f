"""The errors that everything rests on: a number a test song, since the song is the unit of the statistics.

Shapes: `S` songs, in the order of their rows in the songs table.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from toy_duration_predictor.comparison.statistics import Interval, difference_interval, mae_interval


class SongErrors(NamedTuple):
    """Absolute errors of an arm, baseline or ablation, summed over the notes of each test song.

    Attributes:
        row: int64 `(S,)`; the song's row in its table.
        singer: int64 `(S,)`; `singer_id`.
        notes: int64 `(S,)`.
        error: float64 `(S,)`; sum over notes, ticks.
        repetitions: Mean absolute error in each repetition, ticks; known to `averaged`.
    """

    row: np.ndarray
    singer: np.ndarray
    notes: np.ndarray
    error: np.ndarray
    repetitions: tuple[float, ...] = ()

    @property
    def mae(self) -> float:
        """Mean absolute error over all notes, ticks."""
        return float(self.error.sum() / self.notes.sum())

    def minus(self, other: "SongErrors", resamples: int) -> Interval:
        """Returns how much larger `mae` is than on the same songs by `other`, and the interval over songs, ticks."""
        return difference_interval(self.error, other.error, other.notes, other.singer, resamples=resamples)


class ArmErrors(NamedTuple):
    """The error of an arm or baseline over all test songs.

    Attributes:
        mae: Mean absolute error, averaged over the repetitions, ticks.
        share_of_copy: The same over the error of the copy baseline.
        repetitions: Mean absolute error in each repetition, ticks.
    """

    mae: Interval
    share_of_copy: float
    repetitions: tuple[float, ...]


class AblationErrors(NamedTuple):
    """The error of Model B under an ablation, as in `ArmErrors`; `difference`: how much larger it is than without."""

    mae: float
    share_of_copy: float
    difference: Interval


def notes_by_song(predictions: pa.Table, column: str) -> list[np.ndarray]:
    """Returns a list column of a predictions table: an array `(notes,)` a song, int64 or float64 as it is stored."""
    return [np.asarray(song) for song in predictions[column].to_pylist()]


def song_errors(predictions: pa.Table, column: str = "predicted") -> SongErrors:
    """Returns the errors of a column of a predictions table; `quantized` is the copy baseline."""
    ordered = predictions.sort_by("row")
    sung, predicted = (notes_by_song(ordered, name) for name in ("sung", column))
    notes = np.array([len(song) for song in sung], dtype=np.int64)
    starts = np.cumsum(notes) - notes
    return SongErrors(
        row=ordered["row"].to_numpy(),
        singer=ordered["singer_id"].to_numpy(),
        notes=notes,
        error=np.add.reduceat(np.abs(np.concatenate(predicted) - np.concatenate(sung)).astype(np.float64), starts),
    )


def summaries(
    errors: Mapping[str, SongErrors], ablated: Mapping[str, SongErrors], model: str, copy: str, resamples: int
) -> tuple[dict[str, ArmErrors], dict[str, AblationErrors]]:
    """Returns the errors over all test songs of arms and baselines, and of ablations of one arm.

    Args:
        errors: Of arms and baselines.
        ablated: Of the arm under each ablation.
        model: Name of the arm.
        copy: Name of the copy baseline.
        resamples: Of the bootstrap.
    """
    own, unit = errors[model], errors[copy].mae
    ablations = {
        name: AblationErrors(each.mae, each.mae / unit, each.minus(own, resamples)) for name, each in ablated.items()
    }
    arms = {}
    for name, each in errors.items():
        interval = mae_interval(each.error, each.notes, each.singer, resamples=resamples)
        arms[name] = ArmErrors(interval, each.mae / unit, each.repetitions)
    return arms, ablations


def tested(repetitions: list[pa.Table]) -> SongErrors:
    """Returns the errors of predictions tables, one a repetition, as `averaged` has them."""
    return averaged([song_errors(table) for table in repetitions])


def averaged(repetitions: list[SongErrors]) -> SongErrors:
    """Returns each song's errors, averaged over the repetitions in which it was a test song.

    Args:
        repetitions: Errors with different seeds, or on different splits; at least one.
    """
    rows = np.unique(np.concatenate([each.row for each in repetitions]))
    total, times = np.zeros(len(rows)), np.zeros(len(rows))
    singer, notes = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
    for each in repetitions:
        # Not all songs: where the split varies, each repetition tests other ones.
        at = np.searchsorted(rows, each.row)
        total[at] += each.error
        times[at] += 1
        singer[at], notes[at] = each.singer, each.notes
    return SongErrors(rows, singer, notes, total / times, tuple(each.mae for each in repetitions))
