"""A linear-chain conditional random field over the phases of onsets: what all phase networks share.

A quantizer that carries its error forward puts every onset on the nearest line of the grid. The *phase* of an onset is
what is lost by it: the distance of the sung onset from its grid line, in steps, between -1/2 and 1/2.

An example, with a step of 60 ticks. Two notes of 70 and 40 ticks end at 70 and at 110 ticks. The nearest grid lines are
60 and 120, so both notes are quantized to 60 ticks. The phases are 0 at the start, 10/60 after the first note and
-10/60 after the second. A sung duration is the quantized one, plus the phase at its end, minus the phase at its start:
60 + 10 - 0 = 70 and 60 - 10 - 10 = 40. The two notes share the phase between them, so they are not predicted one by one
but together, as a path of phases. A song's first onset lies on the grid, so its phase is 0. At the start of a window
from within a song, all errors of the quantizer are equally likely.

The states of the CRF are `K` bins of phase. With 5 bins, of 12 ticks, the phases of the example lie in bins 2, 3 and 1,
counted from 0. For each note a network computes unary (state) log-potentials, of the phase at its end, and pairwise
(transition) log-potentials, of the difference between the phases at its end and its start. Their sum along a path of
bins, minus the logarithm of the partition function, is the path's log-probability. Within a bin all ticks at which a
duration is not negative are equally likely. So the probabilities of all performances that are quantized to the same
durations add up to 1.

Training maximizes the likelihood of the sung path. A prediction is the path with the least expected error; see
`_decode`.

Lafferty, McCallum and Pereira (2001), "Conditional random fields", ICML. Inference is exact; see `_crf`.

Shapes: `B` windows, `T` notes, `W` channels, `K` phases, `V` = 2K - 1 differences of phases, which are also the bins of
a duration's histogram.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from toy_duration_predictor.models import Inputs, _crf, _lateness, _ticks
from toy_duration_predictor.models._carried import log_weight_of_carried
from toy_duration_predictor.models._decode import best_path
from toy_duration_predictor.models._loop import loop
from toy_duration_predictor.models._potentials import PhasePotentials


class PhaseCRF(PhasePotentials):
    """A CRF over phases, on the log-potentials of a network; a subclass adds `encode`. See `PhasePotentials`."""

    def forward(self, inputs: Inputs) -> Tensor:
        """Predicts sung durations: the path of the least expected error.

        Returns:
            float `(B, T)`, ticks, >= 0; 0 at padding. Their running totals are the predicted onsets and ends. A row
            does not depend on how much padding it has, nor on the other rows.
        """
        if self.scores:
            return _lateness.path(self.lateness(inputs), inputs)
        chain = self.chain(inputs)
        pairs = _crf.pair_marginals(chain, _crf.messages(chain))
        steps = inputs.quantized / inputs.step[:, None]
        return self._durations(inputs, best_path(pairs, steps.T, inputs.rest.T, inputs.mask.T))

    def distribution(self, inputs: Inputs, carried: bool = False) -> tuple[Tensor, Tensor]:
        """Returns a histogram of the sung duration of each note, or of its carried value.

        Returns:
            Probabilities, float `(B, T, V)`, and the edges of their bins, float `(B, T, V + 1)`, ticks, ascending.
        """
        if self.scores:
            return _lateness.histogram(self.lateness(inputs), inputs)
        chain = self.chain(inputs)
        pairs = _crf.pair_marginals(chain, _crf.messages(chain))
        if carried:
            # A carried value is off its quantized duration by the phase at its end alone, as it includes the error at
            # its start. The exception is a note that is quantized to 0 and too short to take the error carried into it:
            # it would be negative, and keeps its duration. Bin K - 1 is the middle of the histogram.
            negative = torch.arange(self.phases, device=pairs.device)[:, None] < self.phases // 2
            keeps = (inputs.quantized == 0).T[:, None] & negative
            beside = (self.phases - 1) // 2
            ends = pairs.sum(1) * ~keeps
            probabilities = _crf.by_difference(pairs * keeps[:, None]) + F.pad(ends, (0, 0, beside, beside))
        else:
            probabilities = _crf.by_difference(pairs)
            # The difference of two phases that are evenly spread over bins of n ticks is spread over two bins more: the
            # share (n^2 - 1) / (8 n^2) lies in the bin on either side.
            share = (1 - (self.phases / inputs.step).clamp(max=1) ** 2) / 8
            lower, upper = probabilities[:, 1:] * share, probabilities[:, :-1] * share
            probabilities = probabilities - F.pad(lower, (0, 0, 1, 0)) - F.pad(upper, (0, 0, 0, 1))
            probabilities = probabilities + F.pad(lower, (0, 0, 0, 1)) + F.pad(upper, (0, 0, 1, 0))
        # A bin is as wide as a phase, with its difference in the middle. Bins below 0 ticks shrink to nothing.
        edges = (torch.arange(2 * self.phases, device=pairs.device) - self.phases + 0.5) / self.phases
        return (
            probabilities.permute(2, 0, 1).to(inputs.quantized),
            (inputs.quantized[..., None] + inputs.step[:, None, None] * edges).clamp(min=0),
        )

    def log_likelihood(self, inputs: Inputs, sung: Tensor, carried: bool = False) -> Tensor:
        """Returns the log-probability of performances, among all that are quantized to the same durations.

        Args:
            inputs: Of which steps are whole ticks.
            sung: float `(B, T)`, whole ticks; sung durations, or carried values.
            carried: Whether they are carried values. Several performances may have the same ones; all are counted.

        Returns:
            float64 `(B,)`, nats a row; minus infinity for what is not quantized to `inputs.quantized`, unless that is a
            score.
        """
        if self.scores:
            return _lateness.log_likelihood(self.lateness(inputs), inputs, sung)
        chain = self.chain(inputs)
        off = torch.where(inputs.mask, (sung - inputs.quantized).round().long(), 0)
        off = torch.where(sung < 0, torch.iinfo(torch.int32).min, off)
        weight = log_weight_of_carried if carried else self._log_weight_of_sung
        return weight(chain, inputs, off) - _crf.log_partition(chain)

    @torch.no_grad()
    def sample(self, inputs: Inputs, temperature: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """Samples sung durations, all of a row together.

        Args:
            inputs: See `Inputs`.
            temperature: Log-potentials are divided by it. Near 0 the likeliest path is sampled; above 1 unlikely paths
                are sampled more often. Against a score, distributions are so many times as wide.
            generator: Of random numbers, on the network's device.

        Returns:
            float `(B, T)`, ticks, >= 0; 0 at padding. Their running totals are the sampled onsets and ends.
        """
        if self.scores:
            return _lateness.sample(self.lateness(inputs), inputs, temperature, generator)
        chain = self.chain(inputs)
        chain = chain._replace(unary=chain.unary / temperature, pairwise=chain.pairwise / temperature)
        path = _crf.sample_path(chain, generator)
        # A path tells the bin of each phase, and nothing of where it lies within the bin.
        within = torch.rand(path.shape, generator=generator, device=path.device)
        return self._durations(inputs, (path + within) / self.phases - 0.5)

    def lateness(self, inputs: Inputs) -> _lateness.Lateness:
        """Returns what the network says of onsets and rests against a score."""
        outputs, of_kind = self.outputs(inputs)
        return _lateness.read(outputs + of_kind, inputs)

    def chain(self, inputs: Inputs) -> _crf.Chain:
        """Returns the CRF of some windows."""
        unary, pairwise = (part.permute(1, 2, 0).double() for part in self.log_potentials(inputs))
        step = _ticks.whole(inputs.step)
        ticks = _ticks.ticks_of_phases(step, self.phases).T
        known = ~inputs.start.isnan()
        start = _ticks.phase_of(inputs.start.nan_to_num().round().long(), step, self.phases)
        at = torch.arange(self.phases, device=unary.device)[:, None] == start
        first = torch.where(known, at, ticks / ticks.sum(0)).double().log()
        return _crf.Chain(first, unary, pairwise, inputs.mask.T[:, None])

    def _durations(self, inputs: Inputs, phase: Tensor) -> Tensor:
        """Returns the durations of paths of phases `(B, T + 1)`, steps."""
        lines = F.pad(inputs.quantized.cumsum(1), (1, 0))
        start = (inputs.start / inputs.step)[:, None]
        phase = torch.cat([torch.where(start.isnan(), phase[:, :1], start), phase[:, 1:]], dim=1)
        # Within a bin, a phase may lie before an earlier one of the same grid line. No later time is earlier; not by
        # `cummax`, which ONNX does not have.
        times = (lines + inputs.step[:, None] * phase).T
        return loop(torch.maximum, times[0], times[1:]).diff(dim=0).T * inputs.mask

    def _log_weight_of_sung(self, chain: _crf.Chain, inputs: Inputs, off: Tensor) -> Tensor:
        """Returns the logarithm of the weight of all paths that give some sung durations, float64 `(B,)`.

        Args:
            chain: The CRF.
            inputs: Of the windows.
            off: int64 `(B, T)`; sung minus quantized durations, ticks.
        """
        # Given its first error, a path is known: every error is the first one plus what durations are off so far. Where
        # the first error is not known, all are tried, and equally likely.
        step = _ticks.whole(inputs.step)
        known = ~inputs.start.isnan()
        tried = 1 if known.all() else int(step.max())
        first = torch.arange(tried, device=step.device) - tried // 2
        one_of = torch.where(known[:, None], first == 0, _ticks.within(first, step[:, None]))
        first = first + inputs.start.nan_to_num().round().long()[:, None]
        error = F.pad(off.cumsum(1), (1, 0))[..., None] + first[:, None]  # (B, T + 1, first errors)
        step = step[:, None, None]
        real = inputs.mask[..., None]
        possible = one_of & (_ticks.within(error[:, 1:], step) | ~real).all(1)
        bins = _ticks.phase_of(error, step, self.phases)
        start, end = bins[:, :-1], bins[:, 1:]
        # Ticks that a duration may end at, within the bin: all, or where the note would be negative else, later ones.
        same = (inputs.quantized == 0)[..., None] & (start == end)
        low = torch.where(same, error[:, :-1], _ticks.first_tick(end, step, self.phases))
        ticks = (_ticks.first_tick(end + 1, step, self.phases) - low).clamp(min=1)
        unary, pairwise = (part.permute(2, 0, 1) for part in (chain.unary, chain.pairwise))
        of_note = unary.gather(2, end) + pairwise.gather(2, end - start + self.phases - 1) - ticks.double().log()
        of_path = torch.where(real, of_note, 0.0).sum(1)
        # Not minus infinity where no path is possible: the gradient of a sum of nothing is no number.
        of_path = torch.where(possible, of_path, -torch.inf)
        any_path = possible.any(1)
        total = torch.where(any_path[:, None], of_path, 0.0).logsumexp(1)
        total = total - torch.where(known, 0.0, _ticks.whole(inputs.step).double().log())
        return torch.where(any_path, total, -torch.inf)
