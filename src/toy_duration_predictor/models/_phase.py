"""A linear-chain conditional random field over the phases of onsets: what all phase networks share.

A quantizer that carries its error forward puts every onset on the nearest line of the grid. The *phase* of an onset is
what is lost by it: the distance of the sung onset from its grid line, in steps, between -1/2 and 1/2.

An example, with a step of 60 ticks. Two notes of 70 and 40 ticks end at 70 and at 110 ticks. The nearest grid lines are
60 and 120, so both notes are quantized to 60 ticks. The phases are 0 at the start, 10/60 after the first note and
-10/60 after the second. A sung duration is the quantized one, plus the phase at its end, minus the phase at its start:
60 + 10 - 0 = 70 and 60 - 10 - 10 = 40. The two notes share the phase between them, so they are not predicted one by one
but together.

The states of the CRF are `K` bins of phase. With 5 bins, of 12 ticks, the phases of the example lie in bins 2, 3 and 1,
counted from 0. For each note a network computes unary (state) log-potentials, of the phase at its end, and pairwise
(transition) log-potentials, of the difference between the phases at its end and its start. Their sum along a path of
phases, minus the logarithm of the partition function, is the path's log-probability.

Training maximizes the likelihood of the sung path. The forward and backward messages give the marginal distribution of
each duration, whose median is the prediction. A sampled path gives all durations of a window together.

Lafferty, McCallum and Pereira (2001), "Conditional random fields", ICML. Inference is exact; see `_crf`.

Shapes: `B` windows, `T` notes, `W` channels, `K` phases, `V` = 2K - 1 differences of phases, which are also the bins of
a duration's histogram.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from toy_duration_predictor.models import _crf
from toy_duration_predictor.models._histogram import quantiles
from toy_duration_predictor.models._pairs import (
    bins_of_pairs,
    of_pairs,
    potentials_of,
    sum_by_difference,
    sum_by_end,
)
from toy_duration_predictor.models._potentials import IMPOSSIBLE, PhasePotentials


class PhaseCRF(PhasePotentials):
    """A CRF over phases, on the log-potentials of a network; a subclass adds `encode`.

    Args:
        num_singers: Singers known.
        carried: 1 if the sung durations are carried values (see `data.quantize.carried`), as in the published dataset,
            else 0. A carried value is a duration plus the error carried into it: 70 and 50 ticks in the example above.
        phases: `K`, odd, so that the middle phase is an onset on the grid line.
        width: `W`.
        dropout: Dropout before the output layer.
        singer_dropout: Share of training windows without their singer, which teaches the network to do without one.

    Raises:
        ValueError: `phases` is even.
    """

    bins: Tensor
    bins_at_zero: Tensor

    def __init__(
        self,
        num_singers: int,
        carried: float = 0.0,
        phases: int = 15,
        width: int = 64,
        dropout: float = 0.2,
        singer_dropout: float = 0.5,
    ) -> None:
        super().__init__(num_singers, phases, width, dropout, singer_dropout)
        self.carried = bool(carried)
        bins, bins_at_zero = bins_of_pairs(phases, self.carried)
        self.register_buffer("bins", bins, persistent=False)
        self.register_buffer("bins_at_zero", bins_at_zero, persistent=False)

    def forward(self, quantized: Tensor, singer: Tensor, mask: Tensor, step: Tensor) -> Tensor:
        """Predicts sung durations: the median of each note's distribution.

        Args:
            quantized: float `(B, T)`, quantized durations, ticks.
            singer: int64 `(B,)`, index of the singer.
            mask: bool `(B, T)`, true for notes and false for the padding that follows them; at least one note a row.
            step: float `(B,)`, ticks of each row's grid step.

        Returns:
            float `(B, T)`, ticks, >= 0; 0 at padding. A row does not depend on how much padding it has, nor on the
            other rows.
        """
        probabilities, edges = self.distribution(quantized, singer, mask, step)
        return quantiles(probabilities, edges, probabilities.new_tensor([0.5])).squeeze(-1) * mask

    def distribution(self, quantized: Tensor, singer: Tensor, mask: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """Returns a histogram of the sung duration of each note; arguments as of `forward`.

        Returns:
            Probabilities, float `(B, T, V)`, and the edges of their bins, float `(B, T, V + 1)`, ticks, ascending.
        """
        # Windows last, as `forward_backward` needs them.
        log_unary, log_pairwise = (
            part.permute(1, 2, 0).contiguous() for part in self.log_potentials(quantized, singer, mask, step)
        )
        with _single_precision(mask):
            # Probabilities are divided by their sum below, so neither scale nor partition function is needed.
            unary, pairwise, _ = potentials_of(log_unary, log_pairwise, dim=1)
            real = mask.T.contiguous()[:, None]
            forward, backward = _crf.forward_backward(pairwise, unary, real)
            # The marginal of a pair of phases i and j is forward[i] * pairwise[j - i] * backward[j], and a bin's
            # probability is the sum over all pairs that give it (see `bins_of_pairs`). First the pairs whose difference
            # is the bin: all pairs, unless values are carried.
            by_difference = torch.ones_like(real)
            if self.carried:
                negative = torch.arange(self.phases, device=mask.device) < self.phases // 2
                by_difference = (quantized == 0).T[:, None] & negative[:, None]
            probabilities = pairwise * sum_by_difference(forward, backward * by_difference)
            if self.carried:
                # Then the pairs of which the end's phase alone is the bin. There are K such bins, in the middle of V.
                ends = backward * sum_by_end(forward, pairwise) * ~by_difference
                beside = (self.phases - 1) // 2
                probabilities = probabilities + F.pad(ends, (0, 0, beside, beside))
            probabilities = (probabilities / probabilities.sum(1, keepdim=True)).permute(2, 0, 1).contiguous()
        # A bin is as wide as a phase, with its difference in the middle. Bins below 0 ticks shrink to nothing.
        edges = (torch.arange(2 * self.phases, device=quantized.device) - self.phases + 0.5) / self.phases
        return probabilities, (quantized[..., None] + step[:, None, None] * edges).clamp(min=0)

    def log_likelihood(self, quantized: Tensor, singer: Tensor, mask: Tensor, step: Tensor, sung: Tensor) -> Tensor:
        """Returns the log-probability of the phases that give the sung durations.

        Args:
            quantized: float `(B, T)`, quantized durations, ticks.
            singer: int64 `(B,)`, index of the singer.
            mask: bool `(B, T)`, true for notes.
            step: float `(B,)`, ticks of each row's grid step.
            sung: float `(B, T)`, sung durations, ticks.

        Returns:
            float `(B,)`, nats a window, of phases counted in `K` bins a step.
        """
        log_unary, log_pairwise = self.log_potentials(quantized, singer, mask, step)
        deviation = (sung - quantized) / step[:, None]
        with _single_precision(mask):
            unary, pairwise, log_scale = potentials_of(log_unary, log_pairwise)
            potentials = of_pairs(pairwise) * unary[..., None, :]
            log_partition = _crf.log_partition(potentials, mask) + (log_scale * mask).sum(1)
            if self.carried:
                # A carried value does not tell the phase at its start, so many paths give the same values. The sum of
                # their weights is a partition function too, of a chain without all other pairs.
                possible = potentials * self._pairs_that_give(quantized, deviation)
                return _crf.log_partition(possible, mask) + (log_scale * mask).sum(1) - log_partition
            # Sung durations leave one path for each first phase, and no chain needs to be summed.
            return self._log_potential_of_path(log_unary, log_pairwise, deviation, mask) - log_partition

    @torch.no_grad()
    def sample(
        self,
        quantized: Tensor,
        singer: Tensor,
        mask: Tensor,
        step: Tensor,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Samples sung durations, all of a window together.

        Args:
            quantized: float `(B, T)`, quantized durations, ticks.
            singer: int64 `(B,)`, index of the singer.
            mask: bool `(B, T)`, true for notes.
            step: float `(B,)`, ticks of each row's grid step.
            temperature: Log-potentials are divided by it. Near 0 the likeliest path is sampled; above 1 unlikely paths
                are sampled more often.
            generator: Of random numbers, on the network's device.

        Returns:
            float `(B, T)`, ticks, >= 0; 0 at padding.
        """
        log_unary, log_pairwise = self.log_potentials(quantized, singer, mask, step)
        with _single_precision(mask):
            log_potentials = (of_pairs(log_pairwise) + log_unary[..., None, :]) / temperature
            path = _crf.sample_path(log_potentials, mask, generator)
        pair = path[:, :-1] * self.phases + path[:, 1:]
        bins = torch.where(quantized == 0, self.bins_at_zero.flatten()[pair], self.bins.flatten()[pair])
        # A path tells the bin of each duration, and nothing of where it lies within the bin.
        low, high = (
            (quantized + step[:, None] * (bins - self.phases + edge) / self.phases).clamp(min=0) for edge in (0.5, 1.5)
        )
        within = torch.rand(bins.shape, generator=generator, device=bins.device)
        return torch.lerp(low, high, within) * mask

    def _log_potential_of_path(
        self, log_unary: Tensor, log_pairwise: Tensor, deviation: Tensor, mask: Tensor
    ) -> Tensor:
        """Returns the log-potential of the sung path, float `(B,)`; where it starts is not known, and summed over.

        Args:
            log_unary: float `(B, T, K)`.
            log_pairwise: float `(B, T, V)`.
            deviation: float `(B, T)`, sung minus quantized durations, in steps.
            mask: bool `(B, T)`.
        """
        # Given its first phase, a path is known: every phase is the first one plus the deviations so far. All `K` bins
        # are tried as the first, each with its centre.
        centres = (torch.arange(self.phases, device=deviation.device) - self.phases // 2) / self.phases
        drift = F.pad((deviation * mask).cumsum(1), (1, 0))
        # In bins, from the lower end of the first bin. What lies between two bins belongs to the upper one; the small
        # number puts it there although sums of deviations are rounded.
        in_bins = (drift[..., None] + centres + 0.5) * self.phases  # (B, T + 1, K first phases)
        phase = (in_bins + 1e-4).floor().clamp(0, self.phases - 1).long()
        start, end = phase[:, :-1], phase[:, 1:]
        of_pair = log_unary.gather(2, end) + log_pairwise.gather(2, end - start + self.phases - 1)
        of_first = (of_pair * mask[..., None]).sum(1)
        # How far, in bins, a path lies outside the phases. The true first phase lies within half a bin of a centre, so
        # from that centre the path of a song that was quantized with its error carried forward is at most half a bin
        # outside. A path that is further outside is charged for its distance, and not excluded: all paths are outside
        # where the song was quantized in another way.
        outside = ((in_bins - self.phases / 2).abs() - self.phases / 2).amax(1)
        impossible = (outside >= 0.49) * (1 + outside) * IMPOSSIBLE
        # All first phases are equally likely, as in the partition function.
        return (of_first + impossible).logsumexp(1) - math.log(self.phases)

    def _pairs_that_give(self, quantized: Tensor, deviation: Tensor) -> Tensor:
        """Returns 1 for the pairs of phases that give the carried values, else nearly 0, float `(B, T, K, K)`.

        Args:
            quantized: float `(B, T)`, ticks.
            deviation: float `(B, T)`, carried values minus quantized durations, in steps.
        """
        # As in `_log_potential_of_path`; the lowest phase is bin (K - 1) / 2 of the `V` bins.
        bins = ((deviation + 0.5) * self.phases + 1e-4).floor().long() + (self.phases - 1) // 2
        of_pair = torch.where((quantized == 0)[..., None, None], self.bins_at_zero, self.bins)
        # Not 0: where no pair gives a value, the window would have a likelihood of 0, and no gradient.
        return torch.where(of_pair == bins[..., None, None], 1.0, math.exp(IMPOSSIBLE))


def _single_precision(mask: Tensor) -> torch.autocast:
    """Keeps sums over paths in single precision where the network is computed in half precision."""
    return torch.autocast(mask.device.type, enabled=False)
