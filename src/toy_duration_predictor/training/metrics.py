"""What a model is measured by. A metric is a function of (predicted, batch); a new one is one function in this file.

A function returns one value for everything that counts, and the metric is their mean over all batches: each note counts
alike, whatever the size of its batch. A batch in which nothing counts gives an empty tensor; a metric that nothing ever
counted for is not reported. The rows of a batch are whole songs.

| metric | of |
| --- | --- |
| `onset_mae`, `ioi_mae`, `mae` | onsets, inter-onset intervals, durations; see `timing_errors` |
| `mae_notes`, `mae_rests` | durations of notes, and of rests |
| `..._beats`, `..._ms` | the same in beats and in milliseconds, where resolution and tempo are known |
| `mae_published` | durations, as published: with padding and clamped |
| `copy_...` | the same for the copy baseline, whose prediction is the input |

Carried values (see `data.quantize.carried`) have running totals that are no onsets, so they have no errors of these.

Shapes: `B` songs, `T` notes of a song, `N` values that count.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from toy_duration_predictor.data.batches import PUBLISHED_WINDOW, Batch
from toy_duration_predictor.data.datamodule import PUBLISHED_CLAMP
from toy_duration_predictor.training.timing_errors import timing_errors

# Of the predicted durations, float `(B, T)`, ticks, and their batch; returns float `(N,)`.
Values: TypeAlias = Callable[[Tensor, Batch], Tensor]

# By name, as `test/NAME` says it: the function, and what is made of the mean in the end.
METRICS: dict[str, tuple[Values, Callable[[Tensor], Tensor]]] = {}


def metric(values: Values, after: Callable[[Tensor], Tensor] = torch.clone) -> Values:
    """Makes a function a metric, under its own name; `after` is applied to the mean of its values."""
    METRICS[values.__name__] = (values, after)
    return values


@metric
def mae_published(predicted: Tensor, batch: Batch) -> Tensor:
    """Returns absolute errors as published: padding counts, and sung durations are clamped to 0..1000 ticks.

    Padding is what fills a song's last window of 128 notes.
    """
    windows = -(-batch.mask.sum(1) // PUBLISHED_WINDOW)
    counted = torch.arange(batch.mask.shape[1], device=predicted.device) < windows[:, None] * PUBLISHED_WINDOW
    return (predicted - batch.sung.clamp(0, PUBLISHED_CLAMP))[counted].abs()


@metric
def copy_mae_published(predicted: Tensor, batch: Batch) -> Tensor:
    """Returns the same for the copy baseline, whose durations are clamped too."""
    return mae_published(batch.quantized.clamp(0, PUBLISHED_CLAMP), batch)


@partial(metric, after=torch.sqrt)
def rmse(predicted: Tensor, batch: Batch) -> Tensor:
    """Returns the squared error of each duration, ticks^2; the metric is the root of their mean."""
    return (predicted - batch.sung)[batch.mask].square()


def measured(measure: str, unit: str, copy: bool, predicted: Tensor, batch: Batch) -> Tensor:
    """Returns absolute errors.

    Args:
        measure: `onset`, `ioi` or `duration`; or `notes` or `rests`, whose durations alone count.
        unit: `ticks`, `beats` or `ms`.
        copy: Whether the copy baseline's errors are returned.
        predicted: float `(B, T)`, ticks.
        batch: The songs.
    """
    if batch.carried and measure in ("onset", "ioi"):
        return predicted.new_zeros(0)
    beat = {
        "ticks": torch.ones_like(batch.step),
        "beats": batch.ticks_per_beat,
        "ms": batch.ticks_per_beat / batch.tempo * 1000,
    }[unit]
    given = batch.quantized if copy else predicted
    found = [
        errors / one for errors, one in zip(_errors(measure, given, batch), beat.tolist(), strict=True) if one == one
    ]
    return torch.from_numpy(np.concatenate([np.zeros(0), *found])).to(predicted)


def _errors(measure: str, predicted: Tensor, batch: Batch) -> Iterator[np.ndarray]:
    """Yields the absolute errors of each song, ticks."""
    songs = (part.detach().cpu().numpy() for part in (predicted, batch.sung, batch.rest, batch.mask))
    for song, sung, rest, mask in zip(*songs, strict=True):
        errors, rest = timing_errors(song[mask], sung[mask], rest[mask]), rest[mask]
        of = {"notes": errors.duration[~rest], "rests": errors.duration[rest]}
        yield of[measure] if measure in of else getattr(errors, measure)


NAMES = {"onset": "onset_mae", "ioi": "ioi_mae", "duration": "mae", "notes": "mae_notes", "rests": "mae_rests"}
for _measure, _name in NAMES.items():
    for _unit in ("ticks", "beats", "ms"):
        for _copy in (False, True):
            _full = f"{'copy_' * _copy}{_name}{f'_{_unit}' * (_unit != 'ticks')}"
            METRICS[_full] = (partial(measured, _measure, _unit, _copy), torch.clone)


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

    Skill is 1 - MAE / MAE of the copy baseline, of durations and of onsets. It is left out where copying is perfect, as
    for Model A's validation.
    """
    values: dict[str, Tensor] = {name: value for name, value in metrics.compute().items() if metrics[name].count}
    for name, skill in (("mae", "skill"), ("onset_mae", "onset_skill")):
        if name in values and values.get(f"copy_{name}", 0) > 0:
            values[skill] = 1 - values[name] / values[f"copy_{name}"]
    return values
