"""The weight of carried values in a CRF over phases; see `_phase`, and `data.quantize.carried` for what they are.

A carried value is a duration plus the error carried into it. So it tells the error after the note, not the one before.
The exception is a note that is quantized to 0 and too short to take the error carried into it: its value is its sung
duration. Whether a value of a note quantized to 0 is the one or the other is not known, so both are counted.

Shapes: `B` windows, `T` notes, `K` phases, `E` errors in ticks.
"""

import torch
from torch import Tensor

from toy_duration_predictor.models import Inputs, _crf, _ticks


def log_weight_of_carried(chain: _crf.Chain, inputs: Inputs, off: Tensor) -> Tensor:
    """Returns the logarithm of the weight of all paths of errors that give some carried values, float64 `(B,)`.

    Args:
        chain: The CRF over phases.
        inputs: Of the windows.
        off: int64 `(B, T)`; carried values minus quantized durations, ticks.
    """
    phases = chain.unary.shape[1]
    step = _ticks.whole(inputs.step)[:, None]
    errors = int(step.max())
    error = (torch.arange(errors, device=step.device) - errors // 2).expand(len(step), -1)  # (B, E)
    start = inputs.start[:, None]
    known = torch.where(start.isnan(), _ticks.within(error, step), error == start)
    count = known.sum(1)
    # By the error after each note: the weight of all paths to it.
    weight = torch.where(known, -count.double().log()[:, None], -torch.inf)
    bins = _ticks.phase_of(error, step, phases)

    def passed(t: int, after: Tensor) -> Tensor:
        """Returns the log-potential of note `t` from each error before it to an error `after` it, `(B, E)`."""
        end = _ticks.phase_of(after, step, phases).expand_as(bins)
        pair = chain.pairwise[t].T.gather(1, (end - bins + phases - 1)) + chain.unary[t].T.gather(1, end)
        same = (inputs.quantized[:, t, None] == 0) & (bins == end)
        low = torch.where(same, error, _ticks.first_tick(end, step, phases))
        ticks = (_ticks.first_tick(end + 1, step, phases) - low).clamp(min=1)
        possible = _ticks.within(after, step) & (~same | (after >= error))
        return torch.where(possible, pair - ticks.double().log(), -torch.inf)

    for t in range(inputs.mask.shape[1]):
        value, empty = off[:, t, None], inputs.quantized[:, t, None] == 0
        # The value is the error after the note; quantized to 0, it must have been able to take the error before.
        possible = torch.where(empty, (value >= 0) & (error <= value), torch.ones_like(known))
        reached = torch.where(possible, weight + passed(t, value), -torch.inf).logsumexp(1, keepdim=True)
        after = torch.where(error == value, reached, -torch.inf)
        # Or the value is the duration, and the error after the note is negative.
        later = error + value
        kept = torch.where(empty & (value >= 0) & (later < 0), weight + passed(t, later), -torch.inf)
        # Moved by the value: what was at an error is now at the error plus the value.
        source = (torch.arange(errors, device=step.device) - value).expand_as(bins)
        moved = torch.where(source >= 0, kept.gather(1, source.clamp(0, errors - 1)), -torch.inf)
        weight = torch.where(inputs.mask[:, t, None], torch.logaddexp(after, moved), weight)
    return weight.logsumexp(1)
