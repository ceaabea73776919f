"""What the published metric adds to an error: padding that counts, and durations that are clamped."""

from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from datasets import Dataset

from toy_duration_predictor.data.datamodule import PUBLISHED_CLAMP
from toy_duration_predictor.training.predictions import predict_songs
from toy_duration_predictor.training.task import DurationTask


class Metric(NamedTuple):
    """A mean absolute error, counted in one of four ways, ticks.

    Attributes:
        padding: Whether the windows' padding counts, as in the published metric.
        clamp: Whether sung durations are clamped to 0..1000 ticks, and for the copy baseline the quantized ones too.
        model: The model's.
        copy: The copy baseline's.
    """

    padding: bool
    clamp: bool
    model: float
    copy: float


def published_metric(task: DurationTask, table: Dataset, rows: np.ndarray) -> list[Metric]:
    """Counts a model's errors without padding and clamp, with clamp, with padding, and with both.

    Args:
        task: The trained model.
        table: The songs table that it was trained on.
        rows: Its test rows, int64 `(S,)`.
    """
    total = {way: np.zeros(3) for way in product((False, True), repeat=2)}
    for batch, predicted in predict_songs(task, table, rows):
        for (padding, clamp), sums in total.items():
            counted = torch.ones_like(batch.mask) if padding else batch.mask
            copied, sung = (each.clamp(0, PUBLISHED_CLAMP) if clamp else each for each in (batch.quantized, batch.sung))
            errors = [(each - sung).abs()[counted].double().sum().item() for each in (predicted, copied)]
            sums += [*errors, counted.sum().item()]
    return [
        Metric(padding, clamp, model / count, copy / count) for (padding, clamp), (model, copy, count) in total.items()
    ]
