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


def pairs(factors: Tensor, mask: Tensor) -> Tensor:
    """Returns what each note's pairs of states are in proportion to, float `(B, T, K, K)`; undefined at padding."""
    states = _forwards(factors, mask)
    state = torch.ones_like(states[0])
    backwards = [state]
    for t in range(mask.shape[1] - 1, -1, -1):
        reached = torch.bmm(factors[:, t], state[..., None])[..., 0]
        state = torch.where(mask[:, t, None], reached / reached.sum(1, keepdim=True), state)
        backwards.append(state)
    before, after = torch.stack(states[:-1], dim=1), torch.stack(backwards[-2::-1], dim=1)
    return before[..., :, None] * factors * after[..., None, :]


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


def _forwards(factors: Tensor, mask: Tensor) -> list[Tensor]:
    """Returns how likely each state is given what comes before it, float `(B, K)`: before each note, after the last."""
    size = factors.shape[-1]
    state = torch.full((len(mask), size), 1 / size, device=mask.device)
    states = [state]
    for t in range(mask.shape[1]):
        reached = torch.bmm(state[:, None], factors[:, t])[:, 0]
        state = torch.where(mask[:, t, None], reached / reached.sum(1, keepdim=True), state)
        states.append(state)
    return states
