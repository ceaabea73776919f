"""How late notes begin against a score, and how long the rests before them last: a distribution without a grid.

No quantizer keeps the onsets of a score near those that are sung: singers are more than half a grid step away from it,
and drift. So nothing is on a grid here. Notes and rests come in *groups*: a group begins at an onset, with a note, and
ends at the next onset, after the rests that follow the note. Lateness is how far behind the score a group ends. Given
the lateness `l` at which a group begins, the one at its end has a Laplace distribution about `l - pull * l + shift`.
With a `pull` near 1, singers return to the score, as to an accompaniment; with a `pull` near 0 they drift, as after
quantizers that forget their error. A rest has a Laplace distribution about its own length, from 0 up. A note has what
is left of its group.

The distributions are of whole ticks. So the probabilities of all performances add up to 1, the few among them with
notes shorter than 0. What is likeliest is a median, and so the prediction with the least expected error.

Shapes: `B` windows, `T` notes and rests.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from toy_duration_predictor.models import Inputs
from toy_duration_predictor.models._loop import loop

# What a network says of a note or rest: the fields of `Lateness`.
OUTPUTS = 7
# The least scale of a distribution, and the unit in which a network tells lengths, grid steps. Training fails where its
# updates move lengths by much more than the distributions are wide.
NARROWEST, OUTPUT_UNIT = 1 / 15, 1 / 4
# Longer notes than this count as this long; and the unit of a note's length, both grid steps.
LONGEST, UNIT = 32, 8
# So many grid steps from the score, half a beat, singers do not return to it at once.
FAR = 4
# Samples from which histograms are made, and the bins of a histogram on either side of its middle.
SAMPLES, BINS = 400, 40


class Lateness(NamedTuple):
    """What a network says, float `(B, T)` each, and how notes and rests are grouped.

    Attributes:
        pull: The share of a group's first lateness that is made up for at its end, from 0 to 1.
        shift: What is added to it, ticks.
        far: Of a lateness beyond this, ticks, only as much is made up for.
        spread: The scale of its Laplace distribution, ticks.
        rest: The likeliest length of a rest, ticks, >= 0.
        rest_spread: The scale of its Laplace distribution, ticks.
        ends: bool `(B, T)`; true where a group ends.
        follows: bool `(B, T)`; true for the rests that follow the first note, or rest, of a group.
    """

    pull: Tensor
    shift: Tensor
    far: Tensor
    spread: Tensor
    rest: Tensor
    rest_spread: Tensor
    ends: Tensor
    follows: Tensor

    def towards(self, late: Tensor) -> Tensor:
        """Returns the likeliest lateness at each group's end, ticks, given that at its beginning."""
        return _pulled(late, self.pull, self.shift, self.far)


def read(outputs: Tensor, inputs: Inputs) -> Lateness:
    """Returns what a network's outputs `(B, T, OUTPUTS)` say; lengths are in grid steps, or relative to the note's."""
    pull, shift, relative_shift, spread, rest, relative_rest, rest_spread = outputs.unbind(-1)
    step = inputs.step[:, None]
    # A rest goes by the note before it. Singers lengthen, and cut short, long notes by more than short ones.
    note = torch.where(inputs.rest, F.pad(inputs.quantized[:, :-1], (1, 0)), inputs.quantized)
    note = torch.minimum(note, LONGEST * step) / UNIT
    # The next one begins a note, or there is none.
    ends = inputs.mask & ~F.pad((inputs.rest & inputs.mask)[:, 1:], (0, 1))
    follows = inputs.mask & ~F.pad(ends[:, :-1], (1, 0), value=True)

    def scale(logarithm: Tensor) -> Tensor:
        return step * (NARROWEST + logarithm.clamp(max=5).exp())

    late = OUTPUT_UNIT * (step * shift + note * relative_shift)
    length = (inputs.quantized + OUTPUT_UNIT * (step * rest + note * relative_rest)).clamp(min=0)
    far = (FAR * step).expand_as(late)
    return Lateness(pull.sigmoid(), late, far, scale(spread - 1), length, scale(rest_spread - 1), ends, follows)


def path(found: Lateness, inputs: Inputs) -> Tensor:
    """Returns the predicted durations, float `(B, T)`, ticks, >= 0; 0 at padding: the medians of onsets and rests."""
    return _durations(found, inputs, found.shift, found.rest)


def sample(found: Lateness, inputs: Inputs, temperature: float, generator: torch.Generator | None) -> Tensor:
    """Samples durations, float `(B, T)`, ticks, >= 0; scales are multiplied by the temperature."""

    def drawn(scale: Tensor, below: Tensor) -> Tensor:
        """Returns distances from the middle of Laplace distributions, of which these shares are cut off below."""
        uniform = torch.rand(scale.shape, generator=generator, device=scale.device)
        uniform = (below + (1 - below) * uniform).clamp(1e-7, 1 - 1e-7)
        beyond = -torch.log(2 * torch.minimum(uniform, 1 - uniform))
        return scale * torch.where(uniform < 0.5, -beyond, beyond)

    spread, rest_spread = found.spread * temperature, found.rest_spread * temperature
    shift = found.shift + drawn(spread, torch.zeros_like(spread))
    # No rest is below 0.
    rest = found.rest + drawn(rest_spread, 0.5 * torch.exp(-found.rest / rest_spread))
    return _durations(found, inputs, shift, rest)


def log_likelihood(found: Lateness, inputs: Inputs, sung: Tensor) -> Tensor:
    """Returns the log-probability of sung durations, float `(B, T)`, whole ticks; float64 `(B,)`, nats."""
    start = inputs.start.nan_to_num()[:, None]
    late = F.pad(((sung - inputs.quantized) * inputs.mask).cumsum(1), (1, 0)) + start
    # Where the group began: at the first position, and after each end.
    index = torch.arange(sung.shape[1], device=sung.device).expand_as(sung)
    first = torch.where(found.follows, 0, index).cummax(1).values
    began = late.gather(1, first)
    of_group = _log_laplace(late[:, 1:] - found.towards(began), found.spread)
    below = 0.5 * torch.exp(-(found.rest + 0.5) / found.rest_spread)
    of_rest = _log_laplace(sung - found.rest, found.rest_spread) - torch.log1p(-below)
    return (torch.where(found.ends, of_group, 0.0) + torch.where(found.follows, of_rest, 0.0)).double().sum(1)


def histogram(found: Lateness, inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Returns a histogram of each duration from samples; see `DistributionNetwork.distribution`."""
    generator = torch.Generator(inputs.quantized.device).manual_seed(0)

    def repeated(part: Tensor) -> Tensor:
        return part.repeat_interleave(SAMPLES, dim=0)

    # All samples of a row are rows of their own.
    rows = inputs._replace(**{name: repeated(getattr(inputs, name)) for name in ("quantized", "mask", "start")})
    sampled = sample(Lateness(*map(repeated, found)), rows, 1.0, generator)
    every = sampled.view(-1, SAMPLES, sampled.shape[1]).mT
    # As wide as what is sampled, in even bins; equal ones have bins of a tick.
    low, high = every.amin(-1, keepdim=True), every.amax(-1, keepdim=True)
    share = torch.arange(2 * BINS + 1, device=every.device) / (2 * BINS)
    edges = low + (high - low).clamp(min=1) * share
    bins = ((every - low) / (high - low).clamp(min=1) * 2 * BINS).long().clamp(max=2 * BINS - 1)
    counts = torch.zeros(*every.shape[:2], 2 * BINS, device=every.device).scatter_add(2, bins, torch.ones_like(every))
    return counts / SAMPLES, edges


def _durations(found: Lateness, inputs: Inputs, shift: Tensor, rest: Tensor) -> Tensor:
    """Returns the durations by what is added to lateness, and by the lengths of rests, `(B, T)`, ticks."""
    start = inputs.start.nan_to_num()

    def after(late: Tensor, ends: Tensor, pull: Tensor, shift: Tensor, far: Tensor) -> Tensor:
        return torch.where(ends, _pulled(late, pull, shift, far), late)

    late = loop(after, start, *(each.T for each in (found.ends, found.pull, shift, found.far)))[1:].T
    # Ends of groups by their lateness; within a group from its end back, rest by rest.
    ends = inputs.quantized.cumsum(1) + late

    def before(later: Tensor, own: Tensor, end: Tensor, following: Tensor) -> Tensor:
        return torch.where(end, own, later - following)

    following = F.pad((rest * found.follows)[:, 1:], (0, 1))
    backwards = (each.flip(1).T for each in (ends, found.ends | ~inputs.mask, following))
    times = loop(before, ends[:, -1], *backwards)[1:].flip(0)
    # No later time is earlier; not by `cummax`, which ONNX does not have.
    return loop(torch.maximum, start, times).diff(dim=0).T * inputs.mask


def _pulled(late: Tensor, pull: Tensor, shift: Tensor, far: Tensor) -> Tensor:
    return late - pull * torch.minimum(torch.maximum(late, -far), far) + shift


def _log_laplace(off: Tensor, scale: Tensor) -> Tensor:
    """Returns the log-probability of the whole tick that is so far `off` the middle of a Laplace distribution."""
    half = 0.5 / scale
    # The integral of the density over a tick. Outside of the middle one it is exp(-|off| / scale) sinh(half).
    outside = -off.abs() / scale + half + torch.log(-torch.expm1(-2 * half)) - math.log(2)
    near = off.abs().clamp(max=0.5) / scale
    # 1 - exp(-half) cosh(near), without loss where both are near 1.
    middle = torch.log(-0.5 * (torch.expm1(near - half) + torch.expm1(-near - half)) + 1e-30)
    return torch.where(off.abs() >= 0.5, outside, middle)
