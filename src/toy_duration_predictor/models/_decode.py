"""The prediction: the path of phases with the least expected error, found by the Viterbi algorithm.

Viterbi (1967), "Error bounds for convolutional codes", IEEE Transactions on Information Theory 13. The error of a path
is the sum of the errors of its onsets and of the errors of its durations, in ticks; both weigh alike. The expected
error of an onset is least at the median of the onset's distribution, and that of a duration at the median of the
duration's. But medians of durations do not add up to medians of onsets, so a path is a compromise. Ends of notes count
through the durations on either side.

Shapes: `B` windows, `T` notes, `K` phases, `V` = 2K - 1 differences of phases. A path has `M` phases to choose from, a
few in each of the `K`; `N` = 2M - 1 are their differences.
"""

import torch
from torch import Tensor

from toy_duration_predictor.models._crf import by_difference
from toy_duration_predictor.models._loop import loop

# Phases of a path in each phase of the CRF; odd, so that the middle of a phase is one.
FINER = 3
# Of paths that are equally good the one nearest to the grid is taken, whatever rounding does: a small cost.
TIE = 1e-3


def best_path(pairs: Tensor, steps: Tensor, rest: Tensor, mask: Tensor) -> Tensor:
    """Returns the phases of the best path, float32 `(B, T + 1)`, steps: at the start, and at the end of each note.

    Args:
        pairs: float `(T, K, K, B)`; the probability of each pair of phases at a note's start and at its end.
        steps: float `(T, B)`; quantized durations, steps.
        rest: bool `(T, B)`; which durations are rests.
        mask: bool `(T, B)`; true for notes and rests.
    """
    phases = pairs.shape[1]
    choices = FINER * phases
    phase = (torch.arange(choices, device=pairs.device) + 0.5) / choices - 0.5
    difference = (torch.arange(2 * choices - 1, device=pairs.device) - choices + 1) / choices
    real = mask[:, None]
    # A row of the mask tells of a note, and of the phase at its start; the last phase is the end of the last note.
    starts_note = torch.cat([~rest & mask, torch.zeros_like(mask[:1])])[:, None]
    marginals = torch.cat([pairs[:1].sum(2), pairs.sum(1)])
    of_phase = _expected_error(phase, marginals, phases) * starts_note  # (T + 1, M, B)
    of_phase[1:] += torch.where(real, TIE * phase[:, None] ** 2, 0.0)
    of_duration = _expected_error(difference, by_difference(pairs), phases)  # (T, N, B)
    # No duration is below 0. The tolerance keeps a duration of exactly 0 possible whatever rounding does.
    of_duration = of_duration.masked_fill(steps[:, None] + difference[:, None] < -1e-6, torch.inf)
    # At padding the phase stays, at no cost.
    stays = torch.full_like(of_duration[:1], torch.inf)
    stays[:, choices - 1] = 0
    of_duration = torch.where(real, of_duration, stays)
    # From the last note back: the least error from each phase on. As in `_crf.messages`, phases at a note's start are
    # in reverse order.
    pair = of_duration.unfold(1, choices, 1).transpose(2, 3)

    def before(value: Tensor, pair: Tensor, own: Tensor) -> Tensor:
        return (pair + value).amin(1).flip(0) + own

    values = loop(before, of_phase[-1], pair.flip(0), of_phase[:-1].flip(0)).flip(0)  # (T + 1, M, B)

    def after(chosen: Tensor, pair: Tensor, value: Tensor) -> Tensor:
        ways = pair.gather(0, (choices - 1 - chosen).expand(1, choices, -1))[0] + value
        return ways.argmin(0, keepdim=True)

    chosen = loop(after, values[0].argmin(0, keepdim=True), pair, values[1:])  # (T + 1, 1, B)
    return phase[chosen[:, 0]].T


def _expected_error(at: Tensor, probabilities: Tensor, phases: int) -> Tensor:
    """Returns the expected distance of a histogram from each of some values, `(T, values, B)`, steps.

    Args:
        at: `(values,)`, steps.
        probabilities: `(T, bins, B)`; of bins of width 1 / `phases`, whose middle bin is centred at 0.
        phases: `K`.
    """
    bins = probabilities.shape[1]
    centres = torch.arange(bins, device=at.device) - (bins - 1) / 2
    away = (at[:, None] * phases - centres).abs()  # in bins
    # Within a bin all values are equally likely: from outside its mean distance is that of its centre.
    error = torch.where(away >= 0.5, away, away**2 + 0.25) / phases
    return torch.einsum("nv,tvb->tnb", error.to(probabilities), probabilities)
