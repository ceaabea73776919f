"""What a model is measured by. A metric is a function of (predicted, batch); a new one is one function in this file.

A function returns one value for everything that counts, and the metric is their mean over all batches: each note counts
alike, whatever the size of its batch. A batch in which nothing counts gives an empty tensor; a metric that nothing ever
counted for is not reported.

Shapes: `B` windows, `T` notes of a window, `N` values that count.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from toy_duration_predictor.data.datamodule import PUBLISHED_CLAMP
from toy_duration_predictor.data.windows import Batch

# Of the predicted durations, float `(B, T)`, ticks, and their batch; returns float `(N,)`.
Values: TypeAlias = Callable[[Tensor, Batch], Tensor]

# By name, as `test/NAME` says it: the function, and what is made of the mean in the end.
METRICS: dict[str, tuple[Values, Callable[[Tensor], Tensor]]] = {}


def metric(values: Values, after: Callable[[Tensor], Tensor] = torch.clone) -> Values:
    """Makes a function a metric, under its own name; `after` is applied to the mean of its values."""
    METRICS[values.__name__] = (values, after)
    return values


@metric
def mae(predicted: Tensor, batch: Batch) -> Tensor:
    """Returns the absolute error of each real note, ticks."""
    return (predicted - batch.sung)[batch.mask].abs()


@metric
def copy_mae(predicted: Tensor, batch: Batch) -> Tensor:
    """Returns the same for the copy baseline, whose prediction is the input."""
    return mae(batch.quantized, batch)


@metric
def mae_published(predicted: Tensor, batch: Batch) -> Tensor:
    """Returns absolute errors as published: padding counts, and sung durations are clamped to 0..1000 ticks."""
    return (predicted - batch.sung.clamp(0, PUBLISHED_CLAMP)).abs().flatten()


@metric
def copy_mae_published(predicted: Tensor, batch: Batch) -> Tensor:
    """Returns the same for the copy baseline, whose durations are clamped too."""
    return mae_published(batch.quantized.clamp(0, PUBLISHED_CLAMP), batch)


@metric
def mae_beats(predicted: Tensor, batch: Batch) -> Tensor:
    """Returns the absolute error of each real note of which the resolution is known, beats."""
    ticks_per_beat = batch.ticks_per_beat[:, None].expand_as(batch.mask)[batch.mask]
    return (mae(predicted, batch) / ticks_per_beat)[~ticks_per_beat.isnan()]


@metric
def copy_mae_beats(predicted: Tensor, batch: Batch) -> Tensor:
    """Returns the same for the copy baseline."""
    return mae_beats(batch.quantized, batch)


@partial(metric, after=torch.sqrt)
def rmse(predicted: Tensor, batch: Batch) -> Tensor:
    """Returns the squared error of each real note, ticks^2; the metric is the root of their mean."""
    return mae(predicted, batch).square()


class Mean(Metric):
    """Accumulates the mean of a metric's values, summed in single precision batch by batch.

    Args:
        values: The metric's function.
        after: What is applied to the mean.
    """

    total: Tensor
    count: Tensor

    def __init__(self, values: Values, after: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.values, self.after = values, after
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, batch: Batch) -> None:
        """Adds a batch."""
        values = self.values(predicted, batch)
        self.total += values.sum()
        self.count += values.numel()

    def compute(self) -> Tensor:
        """Returns the metric so far; nan where nothing counted."""
        return self.after(self.total / self.count)


def collection(*names: str) -> MetricCollection:
    """Returns metrics of these names, or all of them if none is named."""
    # No compute groups: they share the state of metrics that agree on the first batch, as an untrained model and the
    # copy baseline may.
    return MetricCollection({name: Mean(*METRICS[name]) for name in names or METRICS}, compute_groups=False)


def results(metrics: MetricCollection) -> dict[str, Tensor]:
    """Returns the values of the metrics that something counted for, and the skill over the copy baseline.

    Skill is 1 - MAE / MAE of the copy baseline, and left out where copying is perfect, as for Model A's validation.
    """
    values: dict[str, Tensor] = {name: value for name, value in metrics.compute().items() if metrics[name].count}
    if values["copy_mae"] > 0:
        values["skill"] = 1 - values["mae"] / values["copy_mae"]
    return values
