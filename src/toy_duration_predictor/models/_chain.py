"""Sums over all paths of a linear chain: the inference of a conditional random field.

Lafferty, McCallum and Pereira (2001), "Conditional random fields", ICML. A path has a state before the first note and
one after each; its weight is the product of the factors of its pairs of neighbours. Each first state is as likely as
any other.

Shapes: `B` windows, `T` notes, `K` states. Factors are float `(B, T, K, K)`, `[..., i, j]` > 0 for a note that leads
from state `i` to `j`; masks are bool `(B, T)`, false for padding, at which a path stands still.
"""

import torch
from torch import Tensor


def log_sum(factors: Tensor, mask: Tensor) -> Tensor:
    """Returns the logarithm of the sum of all paths' weights, divided by `K`, float `(B,)`.

    Neighbours are multiplied in pairs, and the products again, so that there are as many steps as T has binary digits.
    """
    total = torch.zeros(len(mask), device=mask.device)
    stay = torch.eye(factors.shape[-1], device=mask.device)
    products = torch.where(mask[..., None, None], factors, stay)
    while products.shape[1] > 1:
        if products.shape[1] % 2:
            products = torch.cat([products, stay.expand_as(products[:, :1])], dim=1)
        products = products[:, ::2] @ products[:, 1::2]
        highest = products.amax((2, 3), keepdim=True)
        products = products / highest
        total = total + highest.log().sum((1, 2, 3))
    return total + products.mean(2).sum((1, 2)).log()


def messages(differences: Tensor, ends: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Returns what is known of the states around each note from the notes before it, and from it and those after it.

    For factors that are products of two: one of the difference of a note's states, and one of the later state. A note's
    pair of states `i` and `j` is in proportion to `before[i] * differences[j - i] * after[j]`.

    Args:
        differences: float `(B, T, 2K - 1)`, > 0; from `1 - K` to `K - 1`.
        ends: float `(B, T, K)`, > 0.
        mask: bool `(B, T)`.

    Returns:
        `before` and `after`, float `(B, T, K)`; undefined at padding.
    """
    size = ends.shape[-1]
    stays = torch.arange(2 * size - 1, device=mask.device) == size - 1
    differences = torch.where(mask[..., None], differences, stays.to(differences))
    ends = torch.where(mask[..., None], ends, 1.0)
    # Both ways at once, as windows of one batch; backwards, a difference is the other way round, and a note's earlier
    # state has the factor of the note before. Windows come last, where neighbours are computed together.
    both_differences = torch.cat([differences, differences.flip(1, 2)]).permute(1, 2, 0).contiguous()
    ends = torch.cat([torch.ones_like(ends[:, :1]), ends], dim=1)
    both_ends = torch.cat([ends, ends.flip(1)]).permute(1, 2, 0)
    states = run(both_ends[0], both_differences, both_ends[1:]).permute(2, 0, 1)
    return states[: len(mask), :-1], states[len(mask) :, :-1].flip(1)


def run(state: Tensor, differences: Tensor, ends: Tensor) -> Tensor:
    """Returns the states before each note and after the last, float `(T + 1, K, B)`; see `step`."""
    states = [state]
    for difference, end in zip(differences.unbind(), ends.unbind(), strict=True):
        states.append(step(states[-1], difference, end))
    return torch.stack(states)


def step(state: Tensor, difference: Tensor, end: Tensor) -> Tensor:
    """Returns how likely each state after a note is, float `(K, B)`.

    Args:
        state: float `(K, B)`; how likely each was before.
        difference: float `(2K - 1, B)`.
        end: float `(K, B)`.
    """
    # State j is reached from state K - 1 - i by the difference that is at i + j.
    reached = (state.flip(0)[:, None] * difference.unfold(0, len(state), 1).transpose(1, 2)).sum(0) * end
    return reached / reached.sum(0)


def draw(scores: Tensor, mask: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draws a path, each as often as it has weight, int64 `(B, T + 1)`.

    Args:
        scores: float `(B, T, K, K)`; the factors' logarithms, so that paths of any weight can be told apart.
        mask: bool `(B, T)`.
        generator: Of random numbers, on the device of the scores.
    """
    state = torch.zeros_like(scores[:, 0, 0])
    states = [state]
    for t in range(mask.shape[1]):
        reached = (state[..., None] + scores[:, t]).logsumexp(1)
        state = torch.where(mask[:, t, None], reached, state)
        states.append(state)
    later = torch.multinomial(states[-1].softmax(1), 1, generator=generator)
    path = [later]
    for t in range(mask.shape[1] - 1, -1, -1):
        towards = scores[:, t].gather(2, later[:, None].expand(-1, scores.shape[2], 1)).squeeze(2)
        earlier = torch.multinomial((states[t] + towards).softmax(1), 1, generator=generator)
        later = torch.where(mask[:, t, None], earlier, later)
        path.append(later)
    return torch.cat(path[::-1], dim=1)
