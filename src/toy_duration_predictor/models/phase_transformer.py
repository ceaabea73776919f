"""A linear-chain CRF over phases (see `_phase`), with log-potentials from a small Transformer.

Shapes: `B` windows, `T` notes, `W` channels, `H` heads.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toy_duration_predictor.models._phase import PhaseCRF

__all__ = ["PhaseTransformer"]

# Notes further apart than this share a bias.
FARTHEST = 32


class PhaseTransformer(PhaseCRF):
    """Self-attention with relative positions: attention logits have a learned bias for each distance, as in T5.

    Raffel et al. (2020), "Exploring the limits of transfer learning", JMLR 21, section 2.1. There, far distances share
    biases in groups; here every distance up to 32 has its own bias, as neighbours count most. Layers are normalized
    before attention, not after it.

    Args:
        num_singers: Singers known.
        layers: Layers of attention.
        heads: `H`, a divisor of `width`.
        dropout: Dropout of a layer's output, and before the output layer.

    The other arguments are those of `PhasePotentials`.

    Raises:
        ValueError: `heads` is no divisor of `width`.
    """

    def __init__(
        self,
        num_singers: int,
        style_features: float,
        phases: int = 15,
        width: int = 64,
        layers: int = 3,
        heads: int = 4,
        dropout: float = 0.2,
        scores: float = 0,
    ) -> None:
        super().__init__(num_singers, style_features, phases, width, dropout, scores)
        if width % heads:
            raise ValueError("heads must be a divisor of width")
        self.heads = heads
        self.bias = nn.Embedding(2 * FARTHEST + 1, heads)
        self.attention = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(layers))
        self.merge = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.wide = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
            for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))

    def encode(self, notes: Tensor, mask: Tensor, position: Tensor) -> Tensor:
        """See `PhaseCRF.encode`."""
        index = torch.arange(mask.shape[1], device=mask.device)
        distance = (index - index[:, None]).clamp(-FARTHEST, FARTHEST) + FARTHEST
        bias = self.bias(distance).permute(2, 0, 1)  # (H, T, T)
        # Padding is never attended to.
        bias = torch.where(mask[:, None, None, :], bias, -torch.inf)  # (B, H, T, T)
        for i, (attention, merge, wide, norm) in enumerate(
            zip(self.attention, self.merge, self.wide, self.norms, strict=True)
        ):
            if i == len(self.norms) // 2:
                notes = self.beat_means(notes, mask, position)
            query, key, value = (
                part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in attention(norm(notes)).chunk(3, dim=-1)
            )
            seen = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query))
            notes = notes + self.dropout(merge(seen.transpose(1, 2).flatten(2)))
            notes = (notes + self.dropout(wide(notes))) * mask[..., None]
        return notes
