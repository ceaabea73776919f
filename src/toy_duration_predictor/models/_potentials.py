"""The log-potentials of the CRF over phases (see `_phase`), computed from what a network is given.

Shapes: `B` windows, `T` notes, `W` channels, `K` phases, `V` = 2K - 1 differences of phases.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toy_duration_predictor.models._beat import BeatMeans, metrical_positions

# Quantized durations above this many steps share an embedding; their logarithm tells them apart.
LONGEST_EMBEDDED = 17
# The unit of the step's logarithm, ticks: a step of 1/32 at 320 ticks per beat, between those of 120 and of 960.
STEP_UNIT = 40.0
# The log-potential of what cannot be, such as a sung duration below 0. Infinity would become NaN in gradients.
IMPOSSIBLE = -30.0


class PhasePotentials(nn.Module):
    """Everything between a network's arguments and its log-potentials, except `encode`.

    Args:
        num_singers: Singers known.
        phases: `K`, odd, so that the middle phase is an onset on the grid line.
        width: `W`.
        dropout: Dropout before the output layer.
        singer_dropout: Share of training windows without their singer, which teaches the network to do without one.

    Raises:
        ValueError: `phases` is even.
    """

    def __init__(self, num_singers: int, phases: int, width: int, dropout: float, singer_dropout: float) -> None:
        super().__init__()
        if phases % 2 == 0:
            raise ValueError("phases must be odd")
        self.phases, self.singer_dropout = phases, singer_dropout
        self.duration_embedding = nn.Embedding(LONGEST_EMBEDDED + 1, width)
        self.rest_embedding = nn.Embedding(2, width)
        self.singer_embedding = nn.Embedding(num_singers, width)
        nn.init.zeros_(self.singer_embedding.weight)
        self.logarithms = nn.Linear(2, width)
        self.beat_means = BeatMeans(width)
        self.dropout = nn.Dropout(dropout)
        # Zeros: training begins with all phases equally likely, where the median is the quantized duration.
        self.out = nn.Linear(width, phases + 2 * phases - 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        # Pairwise log-potentials that all rests share, and all notes. The name is a key of saved models.
        self.rest_scores = nn.Embedding(2, 2 * phases - 1)
        nn.init.zeros_(self.rest_scores.weight)

    def encode(self, notes: Tensor, mask: Tensor, position: Tensor) -> Tensor:
        """Lets notes see each other: near ones, and half-way, through `beat_means`, the whole window.

        Args:
            notes: float `(B, T, W)`, 0 at padding.
            mask: bool `(B, T)`, true for notes.
            position: int64 `(B, T)`, the metrical position of each note's end; see `_beat`.

        Returns:
            float `(B, T, W)`; what it returns for a note does not depend on padding.
        """
        raise NotImplementedError

    def log_potentials(self, quantized: Tensor, singer: Tensor, mask: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the log-potentials of each note; arguments as of `PhaseCRF.forward`.

        Returns:
            The unary ones, of the phase at the note's end, float `(B, T, K)`; and the pairwise ones, of the difference
            between the phase at its end and the phase at its start, float `(B, T, V)`.
        """
        steps = quantized / step[:, None]
        rest = _is_rest(steps, mask)
        # The step counts beside the durations in steps: sung durations are whole ticks, which at 120 ticks per beat are
        # eight times as coarse as at 960.
        logarithms = torch.stack([steps.log1p(), (step / STEP_UNIT).log()[:, None].expand_as(steps)], dim=-1)
        singer_known = torch.ones(len(singer), 1, 1, device=steps.device)
        if self.training:
            singer_known = (torch.rand_like(singer_known) >= self.singer_dropout).to(steps)
        # One look-up in a table of sums, in place of two look-ups in the tables of rests and of durations.
        sums = (self.rest_embedding.weight[:, None] + self.duration_embedding.weight).flatten(0, 1)
        row = rest * len(self.duration_embedding.weight) + steps.round().clamp(0, LONGEST_EMBEDDED).long()
        x = F.embedding(row, sums) + self.logarithms(logarithms)
        x = F.gelu(x + singer_known * self.singer_embedding(singer)[:, None]) * mask[..., None]
        x = self.encode(x, mask, metrical_positions(steps))
        log_unary, log_pairwise = self.out(self.dropout(x)).split([self.phases, 2 * self.phases - 1], dim=-1)
        log_pairwise = log_pairwise + self.rest_scores(rest.long())
        # No duration is below 0. The tolerance keeps a duration of exactly 0 possible whatever rounding does.
        difference = (torch.arange(2 * self.phases - 1, device=steps.device) - self.phases + 1) / self.phases
        log_pairwise = log_pairwise.masked_fill(steps[..., None] + difference < -1e-6, IMPOSSIBLE)
        return log_unary.float(), log_pairwise.float()


def _is_rest(steps: Tensor, mask: Tensor) -> Tensor:
    """Guesses which durations are rests, bool `(B, T)`: the first, third, ..., or the second, fourth, ....

    A network is not told what is a rest. In the published dataset notes and rests alternate, and rests are shorter. So
    of these two halves, the one with more durations of at most one step is taken to be the rests.

    Args:
        steps: float `(B, T)`, quantized durations in steps.
        mask: bool `(B, T)`.
    """
    even = torch.arange(steps.shape[1], device=steps.device) % 2 == 0
    short = (steps <= 1) & mask
    # The whole window votes, as a single note may be short and a single rest long.
    rests_first = (short & even).sum(1, keepdim=True) > (short & ~even).sum(1, keepdim=True)
    # Equality of truth values: the even ones where rests come first, the odd ones where they do not.
    return rests_first == even
