"""The log-potentials of the CRF over phases (see `_phase`), computed from what a network is given.

Shapes: `B` windows, `T` notes, `W` channels, `K` phases, `V` = 2K - 1 differences of phases, `F` features of a style.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toy_duration_predictor.models import Inputs
from toy_duration_predictor.models._beat import BeatMeans, metrical_positions
from toy_duration_predictor.models._lateness import OUTPUTS
from toy_duration_predictor.models._ticks import ticks_of_phases, whole

# Quantized durations above this many steps share an embedding; their logarithm tells them apart.
LONGEST_EMBEDDED = 17
# The unit of the step's logarithm, ticks: a step of 1/32 at 320 ticks per beat, between those of 120 and of 960.
STEP_UNIT = 40.0


class PhasePotentials(nn.Module):
    """Everything between a network's inputs and its log-potentials, except `encode`.

    A singer is known by a style, a vector of measured features; a network that is told none of a row has learned to do
    without, as a style of 0 is that of a singer of whom nothing is known.

    Args:
        num_singers: Singers known.
        style_features: `F`.
        phases: `K`, odd, so that the middle phase is an onset on the grid line.
        width: `W`.
        dropout: Dropout before the output layer.
        scores: Whether it predicts from scores, which no quantizer made: it then has the outputs of `_lateness`, no
            log-potentials, and half of the dropout.

    Raises:
        ValueError: `phases` is even.
    """

    def __init__(
        self, num_singers: int, style_features: float, phases: int, width: int, dropout: float, scores: float
    ) -> None:
        super().__init__()
        if phases % 2 == 0:
            raise ValueError("phases must be odd")
        self.phases, self.scores = phases, bool(scores)
        self.duration_embedding = nn.Embedding(LONGEST_EMBEDDED + 1, width)
        self.rest_embedding = nn.Embedding(2, width)
        # The styles of the singers known. They are measured, not trained; see `set_styles`.
        features = int(style_features)
        self.singer_embedding = nn.Embedding(num_singers, features).requires_grad_(False)
        nn.init.zeros_(self.singer_embedding.weight)
        # How songs become a style, kept with the weights for songs by singers that are not known.
        self.register_buffer("style_prior", torch.ones(4, features))
        self.style = nn.Sequential(nn.Linear(features, width), nn.GELU(), nn.Linear(width, width, bias=False))
        outputs, of_rests = (OUTPUTS, OUTPUTS) if scores else (phases + 2 * phases - 1, 2 * phases - 1)
        # What a style says of rests at once: it may know just how long they are.
        self.rest_style = nn.Linear(features, of_rests, bias=False)
        nn.init.zeros_(self.rest_style.weight)
        self.logarithms = nn.Linear(2, width)
        self.beat_means = BeatMeans(width)
        # Scores come as they are; performances are quantized anew in each epoch, and so can be learned longer.
        self.dropout = nn.Dropout(dropout / 2 if scores else dropout)
        # Zeros: training begins with all phases equally likely, where the median is the quantized duration.
        self.out = nn.Linear(width, outputs)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        # Pairwise log-potentials that all rests share, and all notes. The name is a key of saved models.
        self.rest_scores = nn.Embedding(2, of_rests)
        nn.init.zeros_(self.rest_scores.weight)

    style_prior: Tensor

    def set_styles(self, styles: Tensor, prior: Tensor) -> None:
        """Takes the styles of the singers known, float `(num_singers, F)`, and the prior, float `(4, F)`."""
        self.singer_embedding.weight.copy_(styles)
        self.style_prior.copy_(prior)

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

    def outputs(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Returns the two parts of what the network says of each note; their sum counts.

        Returns:
            What the notes around it tell, float `(B, T, outputs)`. And what its being a note or a rest tells, with the
            singer's style, float `(B, T, of_rests)`; it is added to the last outputs.
        """
        step = inputs.step
        steps = inputs.quantized / step[:, None]
        # The step counts beside the durations in steps: sung durations are whole ticks, which at 120 ticks per beat are
        # eight times as coarse as at 960.
        logarithms = torch.stack([steps.log1p(), (step / STEP_UNIT).log()[:, None].expand_as(steps)], dim=-1)
        style = self.singer_embedding(inputs.singer) if inputs.style is None else inputs.style
        # One look-up in a table of sums, in place of two look-ups in the tables of rests and of durations.
        sums = (self.rest_embedding.weight[:, None] + self.duration_embedding.weight).flatten(0, 1)
        row = inputs.rest * len(self.duration_embedding.weight) + steps.round().clamp(0, LONGEST_EMBEDDED).long()
        x = F.embedding(row, sums) + self.logarithms(logarithms)
        x = F.gelu(x + self.style(style)[:, None]) * inputs.mask[..., None]
        x = self.encode(x, inputs.mask, metrical_positions(steps))
        of_rests = self.rest_style(style)[:, None] * inputs.rest[..., None]
        return self.out(self.dropout(x)), self.rest_scores(inputs.rest.long()) + of_rests

    def log_potentials(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Returns the log-potentials of each note.

        Returns:
            The unary ones, of the phase at the note's end, float `(B, T, K)`; and the pairwise ones, of the difference
            between the phase at its end and the phase at its start, float `(B, T, V)`. Minus infinity is what cannot
            be: a phase that no tick lies in, and a duration below 0.
        """
        outputs, of_kind = self.outputs(inputs)
        log_unary, log_pairwise = outputs[..., : self.phases], outputs[..., self.phases :]
        log_pairwise = log_pairwise + of_kind
        step = inputs.step
        steps = inputs.quantized / step[:, None]
        # The tolerance keeps a duration of exactly 0 possible whatever rounding does.
        difference = (torch.arange(2 * self.phases - 1, device=steps.device) - self.phases + 1) / self.phases
        log_pairwise = log_pairwise.masked_fill(steps[..., None] + difference < -1e-6, -torch.inf)
        empty = ticks_of_phases(whole(step), self.phases) == 0
        return log_unary.masked_fill(empty[:, None], -torch.inf), log_pairwise
