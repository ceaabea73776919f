"""A bidirectional minimal GRU, computed for all notes at once, and a chain over phases (see `_phase`).

Shapes: `B` windows, `T` notes, `W` channels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toy_duration_predictor.models._phase import PhaseChain

__all__ = ["PhaseMinGRU"]


class PhaseMinGRU(PhaseChain):
    """Layers of minGRU in both directions: gates see the note alone, so that states are a weighted running sum.

    Feng et al. (2024), "Were RNNs all we needed?", arXiv:2410.01201, section 3.1 and appendix B.2 for the sum of
    logarithms.

    Args:
        num_singers: Singers known.
        layers: Pairs of minGRU.
        dropout: Dropout of each layer's output, and of what the scores are made of.

    The other arguments are those of `PhaseChain`.
    """

    def __init__(
        self,
        num_singers: int,
        carried: float = 0.0,
        phases: int = 15,
        width: int = 64,
        layers: int = 3,
        dropout: float = 0.2,
        singer_dropout: float = 0.5,
    ) -> None:
        super().__init__(num_singers, carried, phases, width, dropout, singer_dropout)
        # Gate and candidate, forwards and backwards.
        self.gates = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(layers))
        self.merge = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))

    def encode(self, notes: Tensor, mask: Tensor, place: Tensor) -> Tensor:
        """See `PhaseChain.encode`."""
        real = mask[..., None]
        for i, (gates, merge, norm) in enumerate(zip(self.gates, self.merge, self.norms, strict=True)):
            if i == len(self.norms) // 2:
                notes = self.beat_means(notes, mask, place)
            forwards, backwards = gates(norm(notes)).chunk(2, dim=-1)
            both = torch.cat([states(forwards, real), states(backwards.flip(1), real.flip(1)).flip(1)], dim=-1)
            notes = (notes + self.dropout(merge(both))) * real
        return notes


def states(gate_and_candidate: Tensor, real: Tensor) -> Tensor:
    """Returns the states of a minGRU, h[t] = (1 - z[t]) h[t-1] + z[t] c[t], from h = 0 on.

    Args:
        gate_and_candidate: float `(B, T, 2W)`; z before its sigmoid, and c before it is made positive.
        real: bool `(B, T, 1)`; at others the state stays as it is.

    Returns:
        float `(B, T, W)`, >= 0.
    """
    gate, candidate = gate_and_candidate.float().chunk(2, dim=-1)
    log_kept = -F.softplus(gate) * real
    log_candidate = torch.where(candidate >= 0, (candidate.relu() + 0.5).log(), F.logsigmoid(candidate))
    log_new = (F.logsigmoid(gate) + log_candidate).masked_fill(~real, -1e4)
    kept = log_kept.cumsum(1)
    return (kept + (log_new - kept).logcumsumexp(1)).exp()
