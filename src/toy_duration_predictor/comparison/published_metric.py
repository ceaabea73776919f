"""What the published metric adds to an error: padding that counts, and durations that are clamped."""

from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from datasets import Dataset

from toy_duration_predictor.data.batches import PUBLISHED_WINDOW
from toy_duration_predictor.data.datamodule import PUBLISHED_CLAMP
from toy_duration_predictor.training.predictions import predict_songs
from toy_duration_predictor.training.task import DurationTask


class Metric(NamedTuple):
    """The mean absolute errors of a model and of the copy baseline, ticks, counted in one of four ways.

    Attributes:
        padding: Whether the padding of each song's last window of `PUBLISHED_WINDOW` notes counts, as notes of 0 ticks.
        clamp: Whether sung durations are clamped to 0..1000 ticks, and for the copy baseline the quantized ones too.
    """

    padding: bool
    clamp: bool
    model: float
    copy: float


def published_metric(task: DurationTask, table: Dataset, rows: np.ndarray) -> list[Metric]:
    """Counts a model's errors on its test rows, int64 `(S,)`, as here and, in the end, as published."""
    total = {way: np.zeros(3) for way in product((False, True), repeat=2)}
    for batch, predicted in predict_songs(task, table, rows):
        windows = -(-batch.mask.sum(1, keepdim=True) // PUBLISHED_WINDOW)
        padded = torch.arange(batch.mask.shape[1]) < windows * PUBLISHED_WINDOW
        for (padding, clamp), sums in total.items():
            most = PUBLISHED_CLAMP if clamp else None
            quantized, sung = (each.clamp(0, most) for each in (batch.quantized, batch.sung))
            counted = padded if padding else batch.mask
            errors = [(each - sung)[counted].abs().double().sum().item() for each in (predicted, quantized)]
            sums += [*errors, counted.sum().item()]
    return [
        Metric(padding, clamp, model / count, copy / count) for (padding, clamp), (model, copy, count) in total.items()
    ]
