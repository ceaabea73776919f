"""Sums over all paths of a linear chain: the inference of a conditional random field.

Lafferty, McCallum and Pereira (2001), "Conditional random fields", ICML. A path has a state before the first note and
one after each; its score is the sum of the scores of its pairs of neighbours. Each first state is as likely as any
other.

Shapes: `B` windows, `T` notes, `K` states. Scores are float `(B, T, K, K)`, `[..., i, j]` for a note that leads from
state `i` to `j`; masks are bool `(B, T)`, false for padding, at which a path stands still.
"""

import torch
from torch import Tensor


def log_sum(scores: Tensor, mask: Tensor) -> Tensor:
    """Returns the logarithm of the sum of the exponentials of all paths' scores, divided by `K`, float `(B,)`.

    Neighbours are multiplied in pairs, and the products again, so that there are as many steps as T has binary digits.
    """
    total = (scores.amax((2, 3)) * mask).sum(1)
    stay = torch.eye(scores.shape[-1], device=scores.device)
    products = torch.where(mask[..., None, None], _factors(scores), stay)
    while products.shape[1] > 1:
        if products.shape[1] % 2:
            products = torch.cat([products, stay.expand_as(products[:, :1])], dim=1)
        products = products[:, ::2] @ products[:, 1::2]
        highest = products.amax((2, 3), keepdim=True)
        products = products / highest
        total = total + highest.log().sum((1, 2, 3))
    return total + products.mean(2).sum((1, 2)).log()


def pairs(scores: Tensor, mask: Tensor) -> Tensor:
    """Returns the probability of each pair of states at each note, float `(B, T, K, K)`; undefined at padding."""
    factors = _factors(scores)
    states = _forwards(factors, mask)
    state = torch.ones_like(states[0])
    backwards = [state]
    for t in range(mask.shape[1] - 1, -1, -1):
        reached = torch.bmm(factors[:, t], state[..., None])[..., 0]
        state = torch.where(mask[:, t, None], reached / reached.sum(1, keepdim=True), state)
        backwards.append(state)
    before, after = torch.stack(states[:-1], dim=1), torch.stack(backwards[-2::-1], dim=1)
    together = before[..., :, None] * factors * after[..., None, :]
    return together / together.sum((2, 3), keepdim=True)


def draw(scores: Tensor, mask: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draws a path from the distribution of all, int64 `(B, T + 1)`."""
    factors = _factors(scores)
    states = _forwards(factors, mask)
    later = torch.multinomial(states[-1], 1, generator=generator)
    path = [later]
    for t in range(mask.shape[1] - 1, -1, -1):
        towards = factors[:, t].gather(2, later[:, None].expand(-1, factors.shape[2], 1)).squeeze(2)
        earlier = torch.multinomial((states[t] * towards), 1, generator=generator)
        later = torch.where(mask[:, t, None], earlier, later)
        path.append(later)
    return torch.cat(path[::-1], dim=1)


def _factors(scores: Tensor) -> Tensor:
    """Returns the exponentials of scores, the highest of each note 1, and none so small that all paths could vanish."""
    return (scores - scores.amax((2, 3), keepdim=True)).exp().clamp(min=1e-20)


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
