"""Whole ticks and the phases that they lie in.

A quantizer that carries its error forward leaves an error after each note: whole ticks, from -step/2 up to but not
including step/2. There are `step` such errors. A grid step is divided into `K` phases of equal width, so that some
ticks, and where steps are small perhaps none, lie in each phase.

Shapes: `B` windows, `T` notes, `K` phases.
"""

import torch
from torch import Tensor


def whole(step: Tensor) -> Tensor:
    """Returns the nearest whole ticks of a grid step, at least 1, int64."""
    return step.round().long().clamp(min=1)


def first_tick(phase: Tensor, step: Tensor, phases: int) -> Tensor:
    """Returns the least error that lies in a phase or above it, int64, ticks; arguments are int64, phases from 0."""
    # The least whole number that is not below step * (phase / K - 1 / 2), in whole numbers.
    return -((-step * (2 * phase - phases)) // (2 * phases))


def ticks_of_phases(step: Tensor, phases: int) -> Tensor:
    """Returns how many errors lie in each phase, int64 `(B, K)`; they sum to the step, int64 `(B,)`."""
    edges = first_tick(torch.arange(phases + 1, device=step.device), step[:, None], phases)
    return edges.diff(dim=1)


def phase_of(error: Tensor, step: Tensor, phases: int) -> Tensor:
    """Returns the phase in which an error lies, int64; arguments are int64, ticks. An error outside has the nearest."""
    return ((2 * error + step) * phases // (2 * step)).clamp(0, phases - 1)


def within(error: Tensor, step: Tensor) -> Tensor:
    """Returns whether the quantizer can leave this error, bool; arguments are int64, ticks."""
    return (2 * error >= -step) & (2 * error < step)
