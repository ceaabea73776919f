"""Errors as evidence: those of a set of predictions on each test song, over repetitions, and over all songs.

Shapes: `S` songs, in the order of their rows in the songs table.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from toy_duration_predictor.comparison.statistics import Interval, mae_interval


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


class Evidence(NamedTuple):
    """Errors of an arm, baseline or ablation on the test songs.

    Attributes:
        repetitions: One a repetition.
        mean: Each song's errors, averaged over the repetitions in which it was a test song.
    """

    repetitions: list[SongErrors]
    mean: SongErrors


def gathered_evidence(
    predictions: Mapping[str, Sequence[pa.Table]], resamples: int
) -> tuple[dict[str, Evidence], dict[str, ArmErrors]]:
    """Returns the errors of arms and baselines on each test song, and over all of them.

    Args:
        predictions: Of each arm and baseline, one table a repetition; `copy` is among them.
        resamples: Of the bootstrap.
    """
    evidence = {
        name: over_repetitions([song_errors(table) for table in tables]) for name, tables in predictions.items()
    }
    errors = {}
    for name, (repetitions, mean) in evidence.items():
        interval = mae_interval(mean.error, mean.notes, mean.singer, resamples=resamples)
        share = interval.estimate / evidence["copy"].mean.mae
        errors[name] = ArmErrors(interval, share, [each.mae for each in repetitions])
    return evidence, errors


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


def over_repetitions(repetitions: list[SongErrors]) -> Evidence:
    """Brings the errors of repetitions together.

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
    return Evidence(repetitions, SongErrors(rows, singer, notes, total / times))
