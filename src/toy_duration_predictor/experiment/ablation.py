"""What a trained model uses: its errors on its own test songs when something is taken from it.

| ablation | what is taken |
| --- | --- |
| `singer shuffled` | each test song has the singer of another test song |
| `another singer` | each other singer in turn; the mean of the errors |
| `mean singer` | every singer has the mean of all embeddings |
| `context n` | the model sees n notes and rests on either side of the one that it predicts |

And what the published metric adds to an error: padding that counts, and durations that are clamped.
"""

import copy
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from toy_duration_predictor.data.datamodule import PUBLISHED_CLAMP
from toy_duration_predictor.data.windows import Batch, Songs, Windows
from toy_duration_predictor.experiment.evidence import SongErrors
from toy_duration_predictor.models import singer_embedding
from toy_duration_predictor.task import DurationTask

CONTEXTS = (0, 1, 2, 4, 8, 16)
BATCH_SIZE = 256


class Metric(NamedTuple):
    """A mean absolute error as it is counted one way or another, ticks.

    Attributes:
        padding: Whether the windows' padding counts, as the published metric does.
        clamp: Whether sung durations are clamped to 0..1000 ticks, and in copying the quantized ones too.
        model: The model's.
        copying: That of copying.
    """

    padding: bool
    clamp: bool
    model: float
    copying: float


def ablations(task: DurationTask, table: Dataset, rows: np.ndarray, seed: int) -> dict[str, SongErrors]:
    """Tests a model under each ablation.

    Args:
        task: The trained model.
        table: The songs table that it was trained on.
        rows: Its test rows, int64 `(S,)`.
        seed: Decides which songs change singers.
    """
    task = task.eval()
    rows = np.sort(rows)
    songs = Songs(table.select(rows.tolist()), task.singers)
    results = {}
    if not task.hparams["anonymous"]:
        singers = len(task.singers)
        shuffled = songs.singer[torch.from_numpy(derangement(len(rows), seed))]
        results["singer shuffled"] = _errors(task, songs, rows, table, shuffled)
        others = [_errors(task, songs, rows, table, (songs.singer + by) % singers) for by in range(1, singers)]
        if others:
            mean = np.mean([each.error for each in others], axis=0)
            results["another singer"] = others[0]._replace(error=mean)
        if singer_embedding(task.network) is not None:
            results["mean singer"] = _errors(_with_mean_singer(task), songs, rows, table, songs.singer)
    for notes in CONTEXTS:
        results[f"context {notes}"] = _errors_in_context(task, songs, rows, table, notes)
    return results


@torch.no_grad()
def published_metric(task: DurationTask, table: Dataset, rows: np.ndarray) -> list[Metric]:
    """Counts a model's errors with padding and clamp, with either, and without.

    Args:
        task: The trained model.
        table: The songs table that it was trained on.
        rows: Its test rows, int64 `(S,)`.
    """
    task = task.eval()
    songs = Songs(table.select(rows.tolist()), task.singers)
    windows = Windows(songs, torch.arange(len(rows)), task.window, "quantized")
    total = {way: np.zeros(3) for way in product((False, True), repeat=2)}
    for batch in windows.in_order(BATCH_SIZE):
        predicted = task(batch)
        for (padding, clamp), sums in total.items():
            counted = torch.ones_like(batch.mask) if padding else batch.mask
            copied, sung = (each.clamp(0, PUBLISHED_CLAMP) if clamp else each for each in (batch.input, batch.target))
            errors = [(each - sung).abs()[counted].double().sum().item() for each in (predicted, copied)]
            sums += [*errors, counted.sum().item()]
    return [
        Metric(padding, clamp, model / count, copying / count)
        for (padding, clamp), (model, copying, count) in total.items()
    ]


def derangement(n: int, seed: int) -> np.ndarray:
    """Returns a random order of `n` things in which none is at its own place; of one thing, that thing."""
    order = np.random.default_rng(seed).permutation(n)
    moved = np.empty(n, dtype=np.int64)
    # Each takes the place of the one before it in a random circle.
    moved[order] = np.roll(order, 1)
    return moved


def _with_mean_singer(task: DurationTask) -> DurationTask:
    changed = copy.deepcopy(task)
    embedding = singer_embedding(changed.network)
    assert embedding is not None  # noqa: S101
    with torch.no_grad():
        embedding.weight.copy_(embedding.weight.mean(dim=0).expand_as(embedding.weight))
    return changed


def _errors(task: DurationTask, songs: Songs, rows: np.ndarray, table: Dataset, singer: Tensor) -> SongErrors:
    """Returns the errors when the songs are those of the given singers, int64 `(S,)`."""
    windows = Windows(songs, torch.arange(len(rows)), task.window, "quantized")
    batches = (batch._replace(singer=singer[batch.row]) for batch in windows.in_order(BATCH_SIZE))
    return _sum(rows, table, songs, ((b, (task(b) - b.target).abs() * b.mask) for b in batches))


def _errors_in_context(task: DurationTask, songs: Songs, rows: np.ndarray, table: Dataset, notes: int) -> SongErrors:
    """Returns the errors when each note is predicted from a window of its own."""

    def batches() -> Iterator[tuple[Batch, Tensor]]:
        for song in range(len(rows)):
            start, end = int(songs.offsets[song]), int(songs.offsets[song + 1])
            for first in range(start, end, BATCH_SIZE * 8):
                place = torch.arange(first, min(first + BATCH_SIZE * 8, end))
                left = (place - notes).clamp(min=start)
                count = (place + notes).clamp(max=end - 1) - left + 1
                width = 2 * notes + 1
                batch = Batch(
                    input=songs.quantized.windows(left, count, width),
                    target=songs.sung.windows(left, count, width),
                    mask=torch.arange(width) < count[:, None],
                    singer=songs.singer[song].expand(len(place)),
                    step=songs.step[song].expand(len(place)),
                    ticks_per_beat=songs.ticks_per_beat[song].expand(len(place)),
                    row=torch.full((len(place),), song),
                )
                own = torch.arange(width) == (place - left)[:, None]
                yield batch, (task(batch) - batch.target).abs() * own

    return _sum(rows, table, songs, batches())


@torch.no_grad()
def _sum(rows: np.ndarray, table: Dataset, songs: Songs, errors: Iterator[tuple[Batch, Tensor]]) -> SongErrors:
    """Sums errors, float `(B, T)` beside their batches, by song."""
    total = torch.zeros(len(rows), dtype=torch.float64)
    for batch, error in errors:
        total.index_add_(0, batch.row, error.sum(dim=1).double())
    singer_ids = np.asarray(table["singer_id"])[rows]
    return SongErrors(rows, singer_ids, songs.lengths(torch.arange(len(rows))).numpy(), total.numpy())
