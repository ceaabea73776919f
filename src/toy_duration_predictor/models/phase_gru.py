"""A bidirectional GRU, and a chain over phases (see `_phase`).

Shapes: `B` windows, `T` notes, `W` channels.
"""

from typing import cast

from torch import Tensor, nn

from toy_duration_predictor.models._phase import PhaseChain
from toy_duration_predictor.models._recurrent import gru_states

__all__ = ["PhaseGRU"]


class PhaseGRU(PhaseChain):
    """Each direction has half of the channels.

    Args:
        num_singers: Singers known.
        layers: GRU layers.
        dropout: Dropout of each layer's output, and of what the scores are made of.

    The other arguments are those of `PhaseChain`.
    """

    def __init__(
        self,
        num_singers: int,
        carried: float = 0.0,
        phases: int = 15,
        width: int = 64,
        layers: int = 2,
        dropout: float = 0.2,
        singer_dropout: float = 0.5,
    ) -> None:
        super().__init__(num_singers, carried, phases, width, dropout, singer_dropout)
        self.rnns = nn.ModuleList(
            nn.GRU(width, width // 2, bidirectional=True, batch_first=True) for _ in range(layers)
        )

    def encode(self, notes: Tensor, mask: Tensor, place: Tensor) -> Tensor:
        """See `PhaseChain.encode`."""
        for i, rnn in enumerate(self.rnns):
            if i == len(self.rnns) // 2:
                notes = self.beat_means(notes, mask, place)
            notes = notes + self.dropout(gru_states(cast(nn.GRU, rnn), notes, mask))
        return notes
