"""Errors as evidence: those of a set of predictions on each test song, over repetitions, and over all songs.

Shapes: `S` songs, in the order of their rows in the songs table.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from toy_duration_predictor.experiment.predictions import SUNG, notes_by_song
from toy_duration_predictor.experiment.statistics import Interval, difference_interval, mae_interval


class SongErrors(NamedTuple):
    """Absolute errors of one set of predictions, summed over the notes of each test song.

    Attributes:
        row: int64 `(S,)`; the song's row in its table.
        singer: int64 `(S,)`; `singer_id`.
        notes: int64 `(S,)`.
        error: float64 `(S,)`; sum over notes, ticks.
    """

    row: np.ndarray
    singer: np.ndarray
    notes: np.ndarray
    error: np.ndarray

    @property
    def mae(self) -> float:
        """Mean absolute error over all notes, ticks."""
        return float(self.error.sum() / self.notes.sum())


class ArmErrors(NamedTuple):
    """The error of an arm or baseline over all test songs.

    Attributes:
        mae: Mean absolute error, averaged over the repetitions, with its interval over songs, ticks.
        share_of_copy: The same over the error of the copy baseline.
        repetitions: Mean absolute error in each repetition, ticks.
    """

    mae: Interval
    share_of_copy: float
    repetitions: list[float]


class AblationErrors(NamedTuple):
    """The error of Model B under an ablation.

    Attributes:
        mae: Mean absolute error, averaged over the repetitions, ticks.
        share_of_copy: The same over the error of the copy baseline.
        difference: How much larger it is than without the ablation, with its interval over songs, ticks.
    """

    mae: float
    share_of_copy: float
    difference: Interval


def song_errors(predictions: pa.Table, column: str = "predicted") -> SongErrors:
    """Returns the errors of a column of a predictions table; `quantized` is the copy baseline."""
    ordered = predictions.sort_by("row")
    sung, predicted = (notes_by_song(ordered, name) for name in (SUNG, column))
    notes = np.array([len(song) for song in sung], dtype=np.int64)
    starts = np.cumsum(notes) - notes
    return SongErrors(
        row=ordered["row"].to_numpy(),
        singer=ordered["singer_id"].to_numpy(),
        notes=notes,
        error=np.add.reduceat(np.abs(np.concatenate(predicted) - np.concatenate(sung)).astype(np.float64), starts),
    )


def mean_over_repetitions(repetitions: list[SongErrors]) -> SongErrors:
    """Returns each song's error, averaged over the repetitions in which it was a test song.

    Args:
        repetitions: Errors with different seeds, or on different splits; at least one.
    """
    rows = np.unique(np.concatenate([each.row for each in repetitions]))
    total, times = np.zeros(len(rows)), np.zeros(len(rows))
    singer, notes = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
    for each in repetitions:
        at = np.searchsorted(rows, each.row)
        total[at] += each.error
        times[at] += 1
        singer[at], notes[at] = each.singer, each.notes
    return SongErrors(rows, singer, notes, total / times)


def arm_errors(repetitions: list[SongErrors], copy: SongErrors, resamples: int) -> ArmErrors:
    """Returns the error of an arm or baseline over all test songs.

    Args:
        repetitions: Its errors, one a repetition.
        copy: The errors of the copy baseline, averaged over the repetitions.
        resamples: Of the bootstrap.
    """
    songs = mean_over_repetitions(repetitions)
    interval = mae_interval(songs.error, songs.notes, songs.singer, resamples=resamples)
    return ArmErrors(interval, interval.estimate / copy.mae, [each.mae for each in repetitions])


def ablation_errors(
    repetitions: list[SongErrors], model: SongErrors, copy: SongErrors, resamples: int
) -> AblationErrors:
    """Returns the error of Model B under an ablation; `model` has its errors without it, otherwise as `arm_errors`."""
    songs = mean_over_repetitions(repetitions)
    difference = difference_interval(songs.error, model.error, songs.notes, songs.singer, resamples=resamples)
    return AblationErrors(songs.mae, songs.mae / copy.mae, difference)
