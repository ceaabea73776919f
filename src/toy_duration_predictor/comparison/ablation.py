"""What a trained model uses: its errors on its own test songs when something is taken from it.

| ablation | what is taken |
| --- | --- |
| `singer shuffled` | each test song has the singer of another test song |
| `another singer` | each other singer in turn; the mean of the errors |
| `mean singer` | every singer has the mean of all embeddings |
| `context n` | the model sees n notes and rests on either side of the one that it predicts |
"""

import copy
from typing import Any

import numpy as np
import torch
from datasets import Dataset

from toy_duration_predictor.comparison.evidence import SongErrors
from toy_duration_predictor.models import singer_embedding
from toy_duration_predictor.training.predictions import predict_songs
from toy_duration_predictor.training.task import DurationTask

CONTEXTS = (0, 1, 2, 4, 8, 16)
SHUFFLED, ANOTHER, MEAN = "singer shuffled", "another singer", "mean singer"


def ablations(task: DurationTask, table: Dataset, rows: np.ndarray, seed: int) -> dict[str, SongErrors]:
    """Tests a model under each ablation; one that knows no singers only under those of the context.

    Args:
        task: The trained model.
        table: The songs table that it was trained on.
        rows: Its test rows, int64 `(S,)`.
        seed: Decides which songs change singers.
    """
    rows = np.sort(rows)
    results = {}
    if not task.hparams["anonymous"]:
        singers = len(task.singers)
        # Singers are numbered in the order of their `singer_id`.
        own = np.searchsorted(task.singers, np.asarray(table["singer_id"])[rows])
        results[SHUFFLED] = _errors(task, table, rows, singer=own[derangement(len(rows), seed)])
        others = [_errors(task, table, rows, singer=(own + by) % singers) for by in range(1, singers)]
        if others:
            mean = np.mean([each.error for each in others], axis=0)
            results[ANOTHER] = others[0]._replace(error=mean)
        # Networks that know singers in another way have no mean singer.
        if singer_embedding(task.network) is not None:
            alike = copy.deepcopy(task)
            weight = alike.network.get_parameter("singer_embedding.weight").data
            weight.copy_(weight.mean(dim=0).expand_as(weight))
            results[MEAN] = _errors(alike, table, rows)
    return results | {f"context {notes}": _errors(task, table, rows, context=notes) for notes in CONTEXTS}


def derangement(n: int, seed: int) -> np.ndarray:
    """Returns a random order of `n` things in which none is where it was; of one thing, that thing."""
    order = np.random.default_rng(seed).permutation(n)
    moved = np.empty(n, dtype=np.int64)
    # In a random circle, each goes to where the one before it was.
    moved[order] = np.roll(order, 1)
    return moved


def _errors(task: DurationTask, table: Dataset, rows: np.ndarray, **changes: Any) -> SongErrors:
    """Returns the errors of predictions that are made with changes; see `predict_songs`."""
    total = torch.zeros(len(rows), dtype=torch.float64)
    notes = torch.zeros(len(rows), dtype=torch.int64)
    for batch, predicted in predict_songs(task, table, rows, **changes):
        error = (predicted - batch.sung).abs() * batch.mask
        total.index_add_(0, batch.row, error.sum(dim=1).double())
        notes.index_add_(0, batch.row, batch.mask.sum(dim=1))
    return SongErrors(rows, np.asarray(table["singer_id"])[rows], notes.numpy(), total.numpy())
