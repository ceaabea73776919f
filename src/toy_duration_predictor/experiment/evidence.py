"""Runs as evidence: which there are, and the errors of each on each of its test songs.

Shapes: `S` songs, in the order of their rows in the songs table.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from omegaconf import OmegaConf

from toy_duration_predictor.errors import InputError
from toy_duration_predictor.experiment.run_folder import Metrics, read_metrics


class Run(NamedTuple):
    """A finished run.

    Attributes:
        folder: Its folder.
        arm: The experiment's name.
        seed: Of weights and batches.
        split: How the songs are split.
        split_seed: Decides the split.
        config: Its settings, nested.
        metrics: Its `metrics.json`.
        predictions: Its `predictions.parquet`.
    """

    folder: Path
    arm: str
    seed: int
    split: str
    split_seed: int
    config: dict[str, Any]
    metrics: Metrics
    predictions: pa.Table

    @property
    def repetition(self) -> tuple[int, int, str]:
        """Seed, split seed and fold: what runs of different arms must share to be compared."""
        return self.seed, self.split_seed, self.split if self.split.startswith("fold") else ""


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


def read_run(folder: Path) -> Run:
    """Reads a finished run.

    Raises:
        InputError: It is not finished, or a file of it cannot be read.
    """
    metrics = read_metrics(folder)
    if metrics is None:
        raise InputError(f"{folder} is no finished run; the command that began it goes on.")
    try:
        config: Any = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))
        predictions = pq.read_table(folder / "predictions.parquet")
        data = config["data"]
        return Run(
            folder, config["name"], config["seed"], data["split"], data["split_seed"], config, metrics, predictions
        )
    except (OSError, KeyError, pa.ArrowException) as error:
        raise InputError(
            f"{folder} cannot be read ({type(error).__name__}: {error}); run it again with force=true."
        ) from error


def song_errors(predictions: pa.Table, column: str = "predicted") -> SongErrors:
    """Returns the errors of a column of `predictions.parquet`; `quantized` is copying."""
    ordered = predictions.sort_by("row")
    lengths = ordered["original"].combine_chunks().value_lengths().to_numpy(zero_copy_only=False)
    sung, predicted = (
        ordered[name].combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.float64)
        for name in ("original", column)
    )
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return SongErrors(
        row=ordered["row"].to_numpy(),
        singer=ordered["singer_id"].to_numpy(),
        notes=lengths.astype(np.int64),
        error=np.add.reduceat(np.abs(predicted - sung), starts),
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
        place = np.searchsorted(rows, each.row)
        total[place] += each.error
        times[place] += 1
        singer[place], notes[place] = each.singer, each.notes
    return SongErrors(rows, singer, notes, total / times)
