"""What the networks of phases have in common: what they read, and a chain over the onsets between the grid lines.

A quantizer that carries its error forward puts every onset on the nearest line of the grid. What it takes away is each
onset's *phase*: how far the sung onset lies from that line, in steps, between -1/2 and 1/2. A duration is its quantized
value plus the phase at its end minus the phase at its start, so that all durations of a song hang together: where one
rest of a hundredth of a beat was quantized to a whole step, the onsets before and after it are known.

A network gives the score of each phase, and of each pair of phases that follow one another; a chain sums over all
paths of phases, exactly. It is trained by the likelihood of the sung path, predicts each duration's median, and can
draw whole songs that quantize to the same notes.

Shapes: `B` windows, `T` notes, `W` channels, `K` phases, `V` = 2K - 1 differences of phases.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toy_duration_predictor.models import _chain
from toy_duration_predictor.models._beat import BeatMeans, places
from toy_duration_predictor.models._histogram import quantiles

# Quantized durations above this many steps share an embedding; a logarithm tells them apart.
LONGEST_EMBEDDED = 17
# Ticks of a step of 1/32 at 320 ticks per beat: between those of 120 and of 960, the unit of the step's logarithm.
STEP_UNIT = 40.0
# Log score of what cannot be: a sung duration below 0, or another one than the one that was sung.
IMPOSSIBLE = -30.0


class PhaseChain(nn.Module):
    """Everything but how notes see each other, which is `encode`.

    Rests and notes take turns; which come first is read from the durations, rests being the shorter ones.

    Args:
        num_singers: Singers known.
        carried: Whether the target is what the quantizer leaves of an array, the duration plus the error carried into
            it (see `data.quantize.carried`), as in the published dataset: then 1, else 0.
        phases: `K`, odd, so that a phase of 0 is in the middle of one.
        width: `W`.
        dropout: Dropout of what the scores are made of.
        singer_dropout: Share of training windows that do not see their singer, so that no singer is leant on in vain.

    Raises:
        ValueError: `phases` is even.
    """

    values: Tensor
    values_of_zero: Tensor

    def __init__(
        self,
        num_singers: int,
        carried: float = 0.0,
        phases: int = 15,
        width: int = 64,
        dropout: float = 0.2,
        singer_dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if phases % 2 == 0:
            raise ValueError("phases must be odd")
        self.phases, self.carried, self.singer_dropout = phases, bool(carried), singer_dropout
        self.duration_embedding = nn.Embedding(LONGEST_EMBEDDED + 1, width)
        self.rest_embedding = nn.Embedding(2, width)
        self.singer_embedding = nn.Embedding(num_singers, width)
        nn.init.zeros_(self.singer_embedding.weight)
        self.logarithms = nn.Linear(2, width)
        self.beat_means = BeatMeans(width)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(width, phases + 2 * phases - 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.rest_scores = nn.Embedding(2, 2 * phases - 1)
        nn.init.zeros_(self.rest_scores.weight)

        phase = torch.arange(phases)
        difference = phase - phase[:, None] + phases - 1
        # Which of the `V` values a pair of phases gives: its difference, or where errors are carried the later phase,
        # unless a note was too short to take the error.
        end = (phase + (phases - 1) // 2).expand(phases, phases)
        value, value_of_zero = difference, difference
        if carried:
            value, value_of_zero = end, torch.where(phase >= phases // 2, end, difference)
        self.register_buffer("values", value, persistent=False)
        self.register_buffer("values_of_zero", value_of_zero, persistent=False)

    def encode(self, notes: Tensor, mask: Tensor, place: Tensor) -> Tensor:
        """Lets notes see each other; half-way, through `beat_means`, also those that are far away.

        Args:
            notes: float `(B, T, W)`, 0 at padding.
            mask: bool `(B, T)`, true for notes.
            place: int64 `(B, T)`; where in the beat each note ends, see `_beat`.

        Returns:
            float `(B, T, W)`; a note's does not depend on padding.
        """
        raise NotImplementedError

    def forward(self, durations: Tensor, singer: Tensor, mask: Tensor, step: Tensor) -> Tensor:
        """Predicts sung durations: the median of each.

        Args:
            durations: float `(B, T)`, ticks.
            singer: int64 `(B,)`, index of the singer.
            mask: bool `(B, T)`, true for notes and false for the padding that follows them; at least one note a row.
            step: float `(B,)`, ticks of each row's grid step.

        Returns:
            float `(B, T)`, ticks, >= 0; 0 at padding. A row does not depend on how much padding it has, nor on the
            other rows.
        """
        probabilities, edges = self.distribution(durations, singer, mask, step)
        return quantiles(probabilities, edges, probabilities.new_tensor([0.5])).squeeze(-1) * mask

    def distribution(self, durations: Tensor, singer: Tensor, mask: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """Returns a histogram of the sung duration of each note; arguments as of `forward`.

        Returns:
            Probabilities, float `(B, T, V)`, and the edges of their bins, float `(B, T, V + 1)`, ticks, ascending.
        """
        # Windows last, as in `_chain.messages`.
        scores = (of.permute(1, 2, 0).contiguous() for of in self._scores(durations, singer, mask, step))
        of_phase, of_difference = scores
        with _exactly(mask):
            end, difference, _ = _factors(of_phase, of_difference, dim=1)
            real = mask.T.contiguous()[:, None]
            before, after = _chain.messages(difference, end, real)
            # Which ends give differences of phases; the others give themselves (see `values`).
            apart = torch.ones_like(real)
            if self.carried:
                early = torch.arange(self.phases, device=mask.device) < self.phases // 2
                apart = (durations == 0).T[:, None] & early[:, None]
            probabilities = difference * _by_difference(before, after * apart)
            if self.carried:
                ends = after * _by_end(before, difference) * ~apart
                around = (self.phases - 1) // 2
                probabilities = probabilities + F.pad(ends, (0, 0, around, around))
            probabilities = (probabilities / probabilities.sum(1, keepdim=True)).permute(2, 0, 1).contiguous()
        edges = (torch.arange(2 * self.phases, device=durations.device) - self.phases + 0.5) / self.phases
        return probabilities, (durations[..., None] + step[:, None, None] * edges).clamp(min=0)

    def log_likelihood(self, durations: Tensor, singer: Tensor, mask: Tensor, step: Tensor, target: Tensor) -> Tensor:
        """Returns the logarithm of the probability of the phases that gave the target.

        Args:
            durations: float `(B, T)`, ticks.
            singer: int64 `(B,)`, index of the singer.
            mask: bool `(B, T)`, true for notes.
            step: float `(B,)`, ticks of each row's grid step.
            target: float `(B, T)`, ticks; the sung durations.

        Returns:
            float `(B,)`, nats a window, of phases counted in `K` bins a step.
        """
        of_phase, of_difference = self._scores(durations, singer, mask, step)
        away = (target - durations) / step[:, None]
        with _exactly(mask):
            end, difference, highest = _factors(of_phase, of_difference)
            factors = _of_pairs(difference) * end[..., None, :]
            every = _chain.log_sum(factors, mask) + (highest * mask).sum(1)
            if self.carried:
                possible = factors * self._gives(durations, away)
                return _chain.log_sum(possible, mask) + (highest * mask).sum(1) - every
            return self._score(of_phase, of_difference, away, mask) - every

    @torch.no_grad()
    def sample(
        self,
        durations: Tensor,
        singer: Tensor,
        mask: Tensor,
        step: Tensor,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draws sung durations, those of a window together.

        Args:
            durations: float `(B, T)`, ticks.
            singer: int64 `(B,)`, index of the singer.
            mask: bool `(B, T)`, true for notes.
            step: float `(B,)`, ticks of each row's grid step.
            temperature: Scores are divided by it: near 0 the likeliest path is drawn, above 1 unlikely ones oftener.
            generator: Of random numbers, on the network's device.

        Returns:
            float `(B, T)`, ticks, >= 0; 0 at padding.
        """
        of_phase, of_difference = self._scores(durations, singer, mask, step)
        with _exactly(mask):
            scores = (_of_pairs(of_difference) + of_phase[..., None, :]) / temperature
            phase = _chain.draw(scores, mask, generator)
        pair = phase[:, :-1] * self.phases + phase[:, 1:]
        value = torch.where(durations == 0, self.values_of_zero.flatten()[pair], self.values.flatten()[pair])
        # Somewhere within that bin of the histogram.
        low, high = (
            (durations + step[:, None] * (value - self.phases + edge) / self.phases).clamp(min=0) for edge in (0.5, 1.5)
        )
        within = torch.rand(value.shape, generator=generator, device=value.device)
        return torch.lerp(low, high, within) * mask

    def _scores(self, durations: Tensor, singer: Tensor, mask: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """Returns log scores.

        Returns:
            Those of the phase at each note's end, float `(B, T, K)`, and of its difference to that at the note's start,
            float `(B, T, V)`.
        """
        steps = durations / step[:, None]
        rest = _is_rest(steps, mask)
        logarithms = torch.stack([steps.log1p(), (step / STEP_UNIT).log()[:, None].expand_as(steps)], dim=-1)
        seen = torch.ones(len(singer), 1, 1, device=steps.device)
        if self.training:
            seen = (torch.rand_like(seen) >= self.singer_dropout).to(steps)
        # Both embeddings in one look-up, of their sums.
        kinds = (self.rest_embedding.weight[:, None] + self.duration_embedding.weight).flatten(0, 1)
        kind = rest * len(self.duration_embedding.weight) + steps.round().clamp(0, LONGEST_EMBEDDED).long()
        x = F.embedding(kind, kinds) + self.logarithms(logarithms)
        x = F.gelu(x + seen * self.singer_embedding(singer)[:, None]) * mask[..., None]
        x = self.encode(x, mask, places(steps))
        of_phase, of_difference = self.out(self.dropout(x)).split([self.phases, 2 * self.phases - 1], dim=-1)
        of_difference = of_difference + self.rest_scores(rest.long())
        away = (torch.arange(2 * self.phases - 1, device=steps.device) - self.phases + 1) / self.phases
        of_difference = of_difference.masked_fill(steps[..., None] + away < -1e-6, IMPOSSIBLE)
        return of_phase.float(), of_difference.float()

    def _score(self, of_phase: Tensor, of_difference: Tensor, away: Tensor, mask: Tensor) -> Tensor:
        """Returns the log score of the sung path, float `(B,)`, summed over the phases that it may start from."""
        centres = (torch.arange(self.phases, device=away.device) - self.phases // 2) / self.phases
        run = F.pad((away * mask).cumsum(1), (1, 0))
        place = (run[..., None] + centres + 0.5) * self.phases  # (B, T + 1, K starts)
        phase = (place + 1e-4).floor().clamp(0, self.phases - 1).long()
        start, end = phase[:, :-1], phase[:, 1:]
        of_pair = of_phase.gather(2, end) + of_difference.gather(2, end - start + self.phases - 1)
        of_start = (of_pair * mask[..., None]).sum(1)
        # The true start lies within half a bin of a bin's centre. One from which the path would leave the phases by
        # more than that is none; where all do, as no quantizer carried these errors, the nearest to them counts.
        outside = ((place - self.phases / 2).abs() - self.phases / 2).amax(1)
        impossible = (outside >= 0.49) * (1 + outside) * IMPOSSIBLE
        return (of_start + impossible).logsumexp(1) - math.log(self.phases)

    def _gives(self, durations: Tensor, away: Tensor) -> Tensor:
        """Returns which pairs of phases give carried values that are `away` steps from the durations; some give two.

        Returns:
            float `(B, T, K, K)`: 1, and a small number for pairs that do not.
        """
        value = ((away + 0.5) * self.phases + 1e-4).floor().long() + (self.phases - 1) // 2
        possible = torch.where((durations == 0)[..., None, None], self.values_of_zero, self.values)
        return torch.where(possible == value[..., None, None], 1.0, math.exp(IMPOSSIBLE))


def _factors(of_phase: Tensor, of_difference: Tensor, dim: int = -1) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the exponentials of scores, none so small that all paths could vanish.

    Args:
        of_phase: float `(B, T, K)`.
        of_difference: float `(B, T, V)`.
        dim: Where `K` and `V` are, should they not come last.

    Returns:
        Of phases and of differences, in the shapes of their scores; and the logarithm of what a pair's product of both
        is to be multiplied with, float `(B, T)`.
    """
    highest = [scores.amax(dim, keepdim=True) for scores in (of_phase, of_difference)]
    end, difference = (
        (scores - high).exp().clamp(min=1e-12) for scores, high in zip((of_phase, of_difference), highest, strict=True)
    )
    return end, difference, (highest[0] + highest[1]).squeeze(dim)


def _by_difference(before: Tensor, after: Tensor) -> Tensor:
    """Returns the sums over pairs of phases `i` and `j` of `before[:, i] * after[:, j]`, at each `j - i`.

    Args:
        before: float `(T, K, B)`.
        after: float `(T, K, B)`.

    Returns:
        float `(T, V, B)`.
    """
    notes, size, windows = before.shape
    total = before.new_zeros(notes, 2 * size - 1, windows)
    for i in range(size):
        total[:, size - 1 - i : 2 * size - 1 - i].addcmul_(before[:, i : i + 1], after)
    return total


def _by_end(before: Tensor, difference: Tensor) -> Tensor:
    """Returns the sums over phases `i` of `before[:, i] * difference[:, j - i]` at each `j`, float `(T, K, B)`.

    Args:
        before: float `(T, K, B)`.
        difference: float `(T, V, B)`, from `1 - K` to `K - 1`.
    """
    size = before.shape[1]
    total = torch.zeros_like(before)
    for i in range(size):
        total.addcmul_(before[:, i : i + 1], difference[:, size - 1 - i : 2 * size - 1 - i])
    return total


def _of_pairs(of_difference: Tensor) -> Tensor:
    """Returns what each pair of phases has of float `(B, T, V)`, as `(B, T, K, K)`."""
    # [i, j] has the difference j - i, which is at j - i + K - 1.
    return of_difference.unfold(-1, (of_difference.shape[-1] + 1) // 2, 1).flip(2)


def _exactly(mask: Tensor) -> torch.autocast:
    """Keeps the chain in single precision where the rest is computed in half."""
    return torch.autocast(mask.device.type, enabled=False)


def _is_rest(steps: Tensor, mask: Tensor) -> Tensor:
    """Returns which are rests, bool `(B, T)`: every other one, beginning where more are of at most a step."""
    even = torch.arange(steps.shape[1], device=steps.device) % 2 == 0
    short = (steps <= 1) & mask
    rests_first = (short & even).sum(1, keepdim=True) > (short & ~even).sum(1, keepdim=True)
    return rests_first == even
