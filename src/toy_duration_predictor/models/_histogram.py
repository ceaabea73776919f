"""Quantiles of predicted histograms.

Shapes: `B` windows, `T` notes, `V` bins, `L` levels.
"""

import torch
from torch import Tensor


def quantiles(probabilities: Tensor, edges: Tensor, levels: Tensor) -> Tensor:
    """Returns quantiles of histograms, float `(B, T, L)`, in the unit of the edges; linear within a bin.

    Args:
        probabilities: float `(B, T, V)`.
        edges: float `(B, T, V + 1)`, ascending.
        levels: float `(L,)`, from 0 to 1.
    """
    cumulative = probabilities.cumsum(-1)
    # A quantile's bin comes after all bins that are wholly below it. Not by `searchsorted`, which ONNX does not have.
    # The last bin is the limit, as rounding may leave the sum of all probabilities below a level of 1.
    index = (cumulative[..., None, :] < levels[:, None]).sum(-1).clamp(max=cumulative.shape[-1] - 1)
    # From the upper edge down: `cumulative` is known there. A bin may be empty, at a level of 0.
    share = 1 - (cumulative.gather(-1, index) - levels) / probabilities.gather(-1, index).clamp(min=1e-9)
    return torch.lerp(edges.gather(-1, index), edges.gather(-1, index + 1), share.clamp(0, 1))
