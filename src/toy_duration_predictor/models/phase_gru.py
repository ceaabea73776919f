"""A linear-chain CRF over phases (see `_phase`), with log-potentials from a bidirectional GRU.

Shapes: `B` windows, `T` notes, `W` channels.
"""

from typing import cast

from torch import Tensor, nn

from toy_duration_predictor.models._phase import PhaseCRF
from toy_duration_predictor.models._recurrent import gru_states

__all__ = ["PhaseGRU"]


class PhaseGRU(PhaseCRF):
    """GRU layers with residual connections; each direction has half of the channels.

    Args:
        num_singers: Singers known.
        layers: GRU layers.
        dropout: Dropout of a layer's output, and before the output layer.

    The other arguments are those of `PhasePotentials`.
    """

    def __init__(
        self,
        num_singers: int,
        style_features: float,
        phases: int = 15,
        width: int = 64,
        layers: int = 2,
        dropout: float = 0.2,
        scores: float = 0,
    ) -> None:
        super().__init__(num_singers, style_features, phases, width, dropout, scores)
        self.rnns = nn.ModuleList(
            nn.GRU(width, width // 2, bidirectional=True, batch_first=True) for _ in range(layers)
        )

    def encode(self, notes: Tensor, mask: Tensor, position: Tensor) -> Tensor:
        """See `PhaseCRF.encode`."""
        for i, rnn in enumerate(self.rnns):
            if i == len(self.rnns) // 2:
                notes = self.beat_means(notes, mask, position)
            notes = notes + self.dropout(gru_states(cast(nn.GRU, rnn), notes, mask))
        return notes
