"""Quantiles of predicted histograms.

Shapes: `B` windows, `T` notes, `V` bins, `L` levels.
"""

import torch
from torch import Tensor


def quantiles(probabilities: Tensor, edges: Tensor, levels: Tensor) -> Tensor:
    """Returns quantiles of histograms whose bins are evenly filled, float `(B, T, L)`, in the unit of the edges.

    Args:
        probabilities: float `(B, T, V)`.
        edges: float `(B, T, V + 1)`, ascending.
        levels: float `(L,)`, from 0 to 1.
    """
    below = probabilities.cumsum(-1)
    # Not `searchsorted`, which ONNX does not have.
    of = (below[..., None, :] < levels[:, None]).sum(-1).clamp(max=below.shape[-1] - 1)
    share = 1 - (below.gather(-1, of) - levels) / probabilities.gather(-1, of).clamp(min=1e-9)
    return torch.lerp(edges.gather(-1, of), edges.gather(-1, of + 1), share.clamp(0, 1))
