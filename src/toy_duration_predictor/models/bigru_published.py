"""The published network: raw ticks beside the singer's embedding, three bidirectional GRU layers, a linear output.

Shapes: `B` windows, `T` notes.
"""

import torch
from torch import Tensor, nn

from toy_duration_predictor.models import Inputs
from toy_duration_predictor.models._recurrent import gru_states

__all__ = ["PublishedBiGRU"]


class PublishedBiGRU(nn.Module):
    """The network of the model published as `ccss17/toy-duration-predictor` on the Hugging Face Hub.

    Its state dict has the published keys, `singer_embedding.weight`, `rnn.*` and `fc.*`, and nothing else: the
    normalization constants are buffers that are not saved, and come from the constructor. Padding is read as notes of 0
    ticks, and gets predictions too, as published.

    Args:
        num_singers: Singers known.
        target_mean: Mean of the training durations, clamped to 0..1000 ticks.
        target_std: Their standard deviation, ticks. The defaults are the published numbers.
        singer_embedding_dim: Size of a singer's embedding.
        hidden_size: Size of the GRU's state, in each direction.
        num_layers: GRU layers.
        dropout: Dropout between GRU layers.
    """

    def __init__(
        self,
        num_singers: int = 18,
        target_mean: float = 128.66,
        target_std: float = 201.76,
        singer_embedding_dim: int = 32,
        hidden_size: int = 256,
        num_layers: int = 3,
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        self.singer_embedding = nn.Embedding(num_singers, singer_embedding_dim)
        self.rnn = nn.GRU(
            1 + singer_embedding_dim,
            hidden_size,
            num_layers,
            dropout=dropout,
            bidirectional=True,
            batch_first=True,
        )
        self.fc = nn.Linear(2 * hidden_size, 1)
        self.register_buffer("target_mean", torch.tensor(target_mean), persistent=False)
        self.register_buffer("target_std", torch.tensor(target_std), persistent=False)
        self.target_mean: Tensor
        self.target_std: Tensor

    def forward(self, inputs: Inputs) -> Tensor:
        """Predicts sung durations, float `(B, T)`, ticks; at padding too. Mask, step and rests are not used."""
        embedding = self.singer_embedding(inputs.singer)[:, None].expand(-1, inputs.quantized.shape[1], -1)
        states = gru_states(self.rnn, torch.cat([inputs.quantized[..., None], embedding], dim=-1), mask=None)
        normalized: Tensor = self.fc(states).squeeze(-1)
        return normalized * self.target_std + self.target_mean
