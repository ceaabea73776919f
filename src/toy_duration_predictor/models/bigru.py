"""The published bidirectional GRU, told how long notes are on their own grid.

Shapes: `B` windows, `T` notes.
"""

import torch
from torch import Tensor, nn

from toy_duration_predictor.models import Inputs
from toy_duration_predictor.models._recurrent import gru_states

__all__ = ["BiGRU"]


class BiGRU(nn.Module):
    """A bidirectional GRU that corrects its input.

    It differs from the published network in its inputs and its output. The same music has eight times as many ticks at
    960 ticks per beat as at 120, so durations are measured in steps of their grid. The inputs are the logarithm of a
    duration in steps and the logarithm of the step. The output, in steps, is added to the duration. A rest of 40,000
    ticks is then no outlier: its correction is as small as any other.

    Args:
        num_singers: Singers known.
        target_mean: Mean of the training durations, clamped to 0..1000 ticks: the unit of the step's logarithm.
        singer_embedding_dim: Size of a singer's embedding.
        hidden_size: Size of the GRU's state, in each direction.
        num_layers: GRU layers.
        dropout: Dropout between GRU layers and before the output.
    """

    def __init__(
        self,
        num_singers: int,
        target_mean: float,
        singer_embedding_dim: int = 32,
        hidden_size: int = 96,
        num_layers: int = 2,
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        self.singer_embedding = nn.Embedding(num_singers, singer_embedding_dim)
        self.rnn = nn.GRU(
            2 + singer_embedding_dim,
            hidden_size,
            num_layers,
            dropout=dropout if num_layers > 1 else 0.0,  # torch warns of dropout between layers where there is one
            bidirectional=True,
            batch_first=True,
        )
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2 * hidden_size, 1)
        # Not saved: a state dict has the published keys and no others; the constructor is given the number.
        self.register_buffer("target_mean", torch.tensor(target_mean), persistent=False)
        self.target_mean: Tensor

    def forward(self, inputs: Inputs) -> Tensor:
        """Predicts sung durations, float `(B, T)`, ticks, >= 0; 0 at padding.

        A row does not depend on how much padding it has, nor on the other rows.
        """
        step, quantized = inputs.step[:, None], inputs.quantized
        given = torch.stack(
            [torch.log1p(quantized / step), torch.log(step / self.target_mean).expand_as(quantized)], dim=-1
        )
        embedding = self.singer_embedding(inputs.singer)[:, None].expand(-1, quantized.shape[1], -1)
        states = gru_states(self.rnn, torch.cat([given, embedding], dim=-1), inputs.mask)
        correction = self.fc(self.dropout(states)).squeeze(-1)
        return torch.clamp(quantized + step * correction, min=0) * inputs.mask
