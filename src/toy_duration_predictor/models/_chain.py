"""Sums over all paths of a linear chain: the inference of a conditional random field.

Lafferty, McCallum and Pereira (2001), "Conditional random fields", ICML. A path has a state before the first note and
one after each; its weight is the product of the factors of its pairs of neighbours. Each first state is as likely as
any other.

Shapes: `B` windows, `T` notes, `K` states. Factors are float `(B, T, K, K)`, `[..., i, j]` > 0 for a note that leads
from state `i` to `j`; masks are bool `(B, T)`, false for padding, at which a path stands still.
"""

import torch
from torch import Tensor

from toy_duration_predictor.models._loop import loop


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

    Here windows come last, where neighbours in memory are computed together.

    Args:
        differences: float `(T, 2K - 1, B)`, > 0; from `1 - K` to `K - 1`.
        ends: float `(T, K, B)`, > 0.
        mask: bool `(T, 1, B)`.

    Returns:
        `before` and `after`, float `(T, K, B)`; undefined at padding.
    """
    size, windows = ends.shape[1:]
    stays = (torch.arange(2 * size - 1, device=mask.device) == size - 1).to(differences)
    differences = torch.where(mask, differences, stays[:, None])
    ends = torch.where(mask, ends, 1.0)
    # Both ways at once, as twice as many windows; backwards, a difference is the other way round, and a note's earlier
    # state has the factor of the note before.
    differences = torch.cat([differences, differences.flip(0, 1)], dim=2)
    ends = torch.cat([torch.ones_like(ends[:1]), ends])
    ends = torch.cat([ends, ends.flip(0)], dim=2)
    # A pair's difference, from state K - 1 - i to state j, is the one at i + j.
    states = loop(step, ends[0], differences.unfold(1, size, 1).transpose(2, 3), ends[1:])
    return states[:-1, :, :windows], states[:-1, :, windows:].flip(0)


def step(state: Tensor, differences: Tensor, ends: Tensor) -> Tensor:
    """Returns how likely each state after a note is, float `(K, B)`.

    Args:
        state: float `(K, B)`; how likely each was before.
        differences: float `(K, K, B)`; `[i, j]` leads from state `K - 1 - i` to state `j`.
        ends: float `(K, B)`.
    """
    reached = (differences * state.flip(0)[:, None]).sum(0).mul_(ends)
    return reached.div_(reached.sum(0))


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
