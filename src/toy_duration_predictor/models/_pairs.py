"""Arithmetic on pairs of neighbouring phases: the phase at a note's start and the phase at its end.

The pairwise potentials of a note depend on the difference of the two phases alone, so they are `V` numbers and no
`K x K` table.

Shapes: `B` windows, `T` notes, `K` phases, `V` = 2K - 1 differences of phases, from `1 - K` to `K - 1`.
"""

import torch
from torch import Tensor


def bins_of_pairs(phases: int, carried: bool) -> tuple[Tensor, Tensor]:
    """Returns the bin, of the `V` bins of a duration's histogram, that each pair of phases gives.

    A duration is off its quantized value by the difference of its phases. A carried value is off by the phase at its
    end alone, as it includes the error at its start. The exception is a note that is quantized to 0 and too short to
    take the error carried into it: it would be negative, and keeps its duration (see `data.quantize.carried`).

    Args:
        phases: `K`, odd.
        carried: Whether the bins are those of carried values.

    Returns:
        int64 `(K, K)`, `[i, j]` for a note with phase `i` at its start and `j` at its end; and the same for notes that
        are quantized to 0.
    """
    phase = torch.arange(phases)
    difference = phase - phase[:, None] + phases - 1
    if not carried:
        return difference, difference
    # Bin K - 1 is the middle of the histogram, and phase (K - 1) / 2 is no phase at all.
    end = (phase + (phases - 1) // 2).expand(phases, phases)
    # Quantized to 0, a carried value is negative where the end's phase is.
    return end, torch.where(phase >= phases // 2, end, difference)


def potentials_of(log_unary: Tensor, log_pairwise: Tensor, dim: int = -1) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the potentials, each note's scaled so that its highest unary and its highest pairwise one are 1.

    Without the scale large log-potentials would overflow. Without a least potential, 1e-12, all paths could vanish.

    Args:
        log_unary: float `(B, T, K)`.
        log_pairwise: float `(B, T, V)`.
        dim: The dimension of `K` and `V`, where it is not the last.

    Returns:
        Unary and pairwise potentials, in the shapes of their logarithms; and the logarithm of each note's scale, float
        `(B, T)`, which is to be added for every note of a path.
    """
    highest = [part.amax(dim, keepdim=True) for part in (log_unary, log_pairwise)]
    unary, pairwise = (
        (part - high).exp().clamp(min=1e-12) for part, high in zip((log_unary, log_pairwise), highest, strict=True)
    )
    return unary, pairwise, (highest[0] + highest[1]).squeeze(dim)


def of_pairs(pairwise: Tensor) -> Tensor:
    """Returns pairwise potentials or their logarithms, float `(B, T, V)`, as tables of pairs, `(B, T, K, K)`."""
    # Row `a` of the unfolded tensor has `pairwise[a + j]`. Pair [i, j] is at j - i + K - 1, so a is K - 1 - i: the rows
    # are in reverse order.
    return pairwise.unfold(-1, (pairwise.shape[-1] + 1) // 2, 1).flip(2)


def sum_by_difference(forward: Tensor, backward: Tensor) -> Tensor:
    """Returns the sum of `forward[i] * backward[j]` over all pairs of one difference `j - i`, for every difference.

    Args:
        forward: float `(T, K, B)`.
        backward: float `(T, K, B)`.

    Returns:
        float `(T, V, B)`.
    """
    notes, size, windows = forward.shape
    total = forward.new_zeros(notes, 2 * size - 1, windows)
    # The table of all pairs would take K times the memory of the messages, so it is never made. The differences of one
    # phase `i` to all phases `j` lie side by side, from -i to K - 1 - i, and are added in one operation.
    for i in range(size):
        total[:, size - 1 - i : 2 * size - 1 - i].addcmul_(forward[:, i : i + 1], backward)
    return total


def sum_by_end(forward: Tensor, pairwise: Tensor) -> Tensor:
    """Returns the sum of `forward[i] * pairwise[j - i]` over all phases `i`, for every phase `j`, float `(T, K, B)`.

    Args:
        forward: float `(T, K, B)`.
        pairwise: float `(T, V, B)`.
    """
    size = forward.shape[1]
    total = torch.zeros_like(forward)
    # Without the table of all pairs, as in `sum_by_difference`.
    for i in range(size):
        total.addcmul_(forward[:, i : i + 1], pairwise[:, size - 1 - i : 2 * size - 1 - i])
    return total
