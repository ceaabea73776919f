"""Calibration: does a predicted distribution say how far the sung duration may be from it?

A network that predicts distributions has `distribution`, which returns a histogram of the sung duration of each note:
probabilities, and the edges of their bins in ticks, ascending. Two edges may be equal, as where bins end at 0 ticks;
the bin's probability is then the probability of exactly this duration. Sung durations are whole ticks: a duration of
`y` ticks stands for everything from `y - 1/2` to `y + 1/2`.

Shapes: `N` notes, `V` bins.
"""

from typing import NamedTuple, cast

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset

from toy_duration_predictor.comparison.intervals import Interval, mae_interval
from toy_duration_predictor.data.batches import Batch
from toy_duration_predictor.data.quantize import left_behind
from toy_duration_predictor.models import DistributionNetwork
from toy_duration_predictor.training.predictions import predict_songs, predictions_table
from toy_duration_predictor.training.task import DurationTask

LEVELS = (0.5, 0.8, 0.9, 0.95)

# The least probability of a tick that the likelihood counts with: a single impossible note would make it infinite.
LEAST = 1e-6

# Bars of the histogram of the probability integral transform.
BARS = 20


class Calibration(NamedTuple):
    """How well predicted distributions fit what was sung. Intervals are BCa intervals over songs.

    Attributes:
        coverage: For each level, the share of notes within the central interval of this probability.
        crps: Continuous ranked probability score, ticks. For a single value it is the absolute error.
        negative_log_likelihood: Of the sung tick, each note by itself, nats a note.
        of_songs: The same of whole songs, whose notes depend on each other; None where none has a likelihood.
        without_likelihood: Songs that no quantizer can have made, which are left out there.
        impossible: The share of notes whose tick had a probability below `LEAST`.
        pit: Density of the probability integral transform in each of `BARS` equal parts of 0..1; 1 where all is well.
    """

    coverage: dict[float, Interval]
    crps: Interval
    negative_log_likelihood: Interval
    of_songs: Interval | None
    without_likelihood: int
    impossible: float
    pit: list[float]


def calibrated(
    task: DurationTask, table: Dataset, rows: np.ndarray, seed: int, resamples: int
) -> tuple[Calibration | None, pa.Table | None]:
    """Returns `calibration` and `sampled` of a model; None of both if its network predicts no distributions."""
    if not isinstance(task.network, DistributionNetwork):
        return None, None
    return calibration(task, table, rows, resamples), sampled(task, table, rows, seed)


def calibration(task: DurationTask, table: Dataset, rows: np.ndarray, resamples: int) -> Calibration:
    """Compares a model's distributions with what was sung in its test songs.

    Args:
        task: The trained model.
        table: The songs table that it was trained on.
        rows: Its test rows, int64 `(S,)`.
        resamples: Of the bootstrap.
    """
    network = cast(DistributionNetwork, task.network)
    found = []

    def ask(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        return network.distribution(task.inputs(batch), batch.carried)

    for batch, both in predict_songs(task, table, rows, ask=ask):
        probabilities, edges = (each[batch.mask].double().numpy() for each in both)
        probabilities /= probabilities.sum(axis=1, keepdims=True)  # it adds up in single precision only
        sung = batch.sung[batch.mask].double().numpy()
        song = batch.row[:, None].expand_as(batch.mask)[batch.mask].numpy()
        found.append((song, *(figure(probabilities, edges, sung) for figure in (pit, crps, probability))))
    song, transformed, loss, of_tick = (np.concatenate(each) for each in zip(*found, strict=True))
    notes, singers = np.bincount(song), np.asarray(table["singer_id"])[rows]

    joint = log_likelihood(task, table, rows)
    likely = np.isfinite(joint)

    def over_songs(values: np.ndarray) -> Interval:
        return mae_interval(np.bincount(song, values), notes, singers, resamples=resamples)

    return Calibration(
        coverage={level: over_songs(within(transformed, level)) for level in LEVELS},
        crps=over_songs(loss),
        negative_log_likelihood=over_songs(-np.log(np.maximum(of_tick, LEAST))),
        of_songs=mae_interval(-joint[likely], notes[likely], singers[likely], resamples=resamples)
        if any(likely)
        else None,
        without_likelihood=int((~likely).sum()),
        impossible=float((of_tick < LEAST).mean()),
        pit=np.histogram(transformed, BARS, (0, 1), density=True)[0].tolist(),
    )


def log_likelihood(task: DurationTask, table: Dataset, rows: np.ndarray) -> np.ndarray:
    """Returns the log-likelihood of each song, nats, float64 `(S,)`; arguments as of `calibration`."""
    network = cast(DistributionNetwork, task.network)

    def ask(batch: Batch) -> torch.Tensor:
        return network.log_likelihood(task.inputs(batch), batch.sung, batch.carried)

    total = torch.zeros(len(rows), dtype=torch.float64)
    for batch, nats in predict_songs(task, table, rows, ask=ask):
        total.index_add_(0, batch.row, nats.double())
    return total.numpy()


def sampled(task: DurationTask, table: Dataset, rows: np.ndarray, seed: int) -> pa.Table:
    """Samples a model's test songs once: a table as `predictions` describes it; arguments as of `calibration`."""
    network = cast(DistributionNetwork, task.network)
    rows, generator = np.sort(rows), torch.Generator().manual_seed(seed)

    def ask(batch: Batch) -> torch.Tensor:
        durations = network.sample(task.inputs(batch), generator=generator)
        return left_behind(durations, batch.quantized) if batch.carried else durations

    drawn = [notes[batch.mask] for batch, notes in predict_songs(task, table, rows, ask=ask)]
    return predictions_table(table, rows, torch.cat(drawn).numpy())


def cumulative(probabilities: np.ndarray, edges: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Returns the probability of each note's duration being at most `at` ticks, float64 `(N,)`.

    `probabilities`, `(N, V)`, sum to 1 and are spread evenly over each bin; `edges`, `(N, V + 1)`, ticks, ascend.
    """
    return np.asarray((probabilities * _share_below(edges, at)).sum(axis=1))


def probability(probabilities: np.ndarray, edges: np.ndarray, sung: np.ndarray) -> np.ndarray:
    """Returns the probability of the sung tick, `(N,)`: within a bin, its density. Arguments as of `cumulative`."""
    return np.asarray(cumulative(probabilities, edges, sung + 0.5) - cumulative(probabilities, edges, sung - 0.5))


def pit(probabilities: np.ndarray, edges: np.ndarray, sung: np.ndarray) -> np.ndarray:
    """Returns the probability integral transform of sung durations, `(N,)`: that of a duration being shorter.

    Half of the sung tick's probability counts as shorter, the "mid" version for whole numbers. Source: Czado, Gneiting
    and Held (2009), Predictive model assessment for count data, Biometrics 65. Arguments as of `cumulative`.
    """
    end, start = (cumulative(probabilities, edges, sung + half) for half in (0.5, -0.5))
    return np.asarray((end + start) / 2)


def within(transformed: np.ndarray, level: float) -> np.ndarray:
    """Returns whether each sung duration lies in the central interval of that probability, from `pit`, `(N,)`."""
    return np.asarray(np.abs(transformed - 0.5) <= level / 2)


def crps(probabilities: np.ndarray, edges: np.ndarray, sung: np.ndarray) -> np.ndarray:
    """Returns the continuous ranked probability score of each note, ticks, `(N,)`.

    It is the integral over x of (F(x) - [x >= y])^2 for the distribution function F and the sung duration y; F is
    linear within a bin, so that the integral is exact. Source: Gneiting and Raftery (2007), Strictly proper scoring
    rules, prediction, and estimation, JASA 102, eq. 20. Arguments as of `cumulative`.
    """
    above = np.cumsum(probabilities, axis=1)
    below = above - probabilities
    low, high = edges[:, :-1], edges[:, 1:]
    split = np.clip(sung[:, None], low, high)
    middle = below + probabilities * _share_below(edges, sung)

    def integral(width: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Of the square of what goes from `start` to `end` along a line."""
        return np.asarray(width * (start**2 + start * end + end**2) / 3)

    bins = integral(split - low, below, middle) + integral(high - split, 1 - middle, 1 - above)
    outside = np.maximum(edges[:, 0] - sung, 0) + np.maximum(sung - edges[:, -1], 0)
    return np.asarray(bins.sum(axis=1) + outside)


def _share_below(edges: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Returns the share of each bin that lies at or below a value, `(N, V)`."""
    low, width = edges[:, :-1], np.diff(edges, axis=1)
    into = at[:, None] - low
    return np.asarray(np.where(width > 0, np.clip(into / np.where(width > 0, width, 1), 0, 1), into >= 0))
