"""What a trained model uses: its errors on its own test songs when something is taken from it.

| ablation | what is taken |
| --- | --- |
| `singer shuffled` | each test song has the singer of another test song |
| `another singer` | each other singer in turn; the mean of the errors |
| `mean singer` | every singer has the mean of all embeddings |
| `no singer` | nothing is known of any singer: the style is 0; of networks that read styles |
| `context n` | the model sees n notes and rests on either side of the one that it predicts |

With a context, each duration is predicted in a window of its own, whose start is known only at the song's beginning.
Such durations are no path, so that they have no errors of onsets.
"""

import copy
from typing import Any

import numpy as np
import torch
from datasets import Dataset

from toy_duration_predictor.comparison.evidence import Errors, all_averaged, measured
from toy_duration_predictor.data.style import FEATURES, StylePrior
from toy_duration_predictor.models import singer_embedding
from toy_duration_predictor.training.predictions import predict_songs, predictions_table
from toy_duration_predictor.training.task import DurationTask

CONTEXTS = (0, 1, 2, 4, 8, 16)
SHUFFLED, ANOTHER, MEAN, NOBODY = "singer shuffled", "another singer", "mean singer", "no singer"


def ablations(task: DurationTask, table: Dataset, rows: np.ndarray, seed: int) -> dict[str, Errors]:
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
            results[ANOTHER] = all_averaged(others)
        # Networks that know singers in another way have no mean singer.
        if singer_embedding(task.network) is not None:
            alike = copy.deepcopy(task)
            weight = alike.network.get_parameter("singer_embedding.weight").data
            weight.copy_(weight.mean(dim=0).expand_as(weight))
            results[MEAN] = _errors(alike, table, rows)
        if StylePrior.of(task.network, anonymous=False) is not None:
            results[NOBODY] = _errors(task, table, rows, style=np.zeros((len(rows), FEATURES), dtype=np.float32))
    for notes in CONTEXTS:
        found = _errors(task, table, rows, context=notes)
        results[f"context {notes}"] = {unit: {"duration": each["duration"]} for unit, each in found.items()}
    return results


def derangement(n: int, seed: int) -> np.ndarray:
    """Returns a random order of `n` things in which none is where it was; of one thing, that thing."""
    order = np.random.default_rng(seed).permutation(n)
    moved = np.empty(n, dtype=np.int64)
    # In a random circle, each goes to where the one before it was.
    moved[order] = np.roll(order, 1)
    return moved


def _errors(task: DurationTask, table: Dataset, rows: np.ndarray, **changes: Any) -> Errors:
    """Returns the errors of predictions that are made with changes; see `predict_songs`."""
    predicted = [notes[batch.mask] for batch, notes in predict_songs(task, table, rows, **changes)]
    return measured(predictions_table(table, rows, torch.cat(predicted).numpy()))
