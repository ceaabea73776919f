"""Exact inference in a linear-chain conditional random field (CRF).

Lafferty, McCallum and Pereira (2001), "Conditional random fields", ICML. A path has a state before the first note and a
state after each note. Its weight is the product of its potentials, one for each note, and of 1/K, as all first states
are equally likely. The partition function is the sum of the weights of all paths. A path's probability is its weight
divided by the partition function.

Shapes: `B` windows, `T` notes, `K` states. Potentials are float `(B, T, K, K)`, > 0; `[..., i, j]` is for a note with
state `i` before it and state `j` after it. Masks are bool `(B, T)`, false for padding, where the state does not change.
"""

import torch
from torch import Tensor

from toy_duration_predictor.models._loop import loop


def log_partition(potentials: Tensor, mask: Tensor) -> Tensor:
    """Returns the logarithm of the partition function, float `(B,)`.

    The partition function is a product of `T` matrices. Neighbours are multiplied first, then the products of
    neighbours, and so on: a few large operations, about log2(T), where the forward algorithm has `T` small ones.
    """
    total = torch.zeros(len(mask), device=mask.device)
    stay = torch.eye(potentials.shape[-1], device=mask.device)
    products = torch.where(mask[..., None, None], potentials, stay)
    while products.shape[1] > 1:
        if products.shape[1] % 2:
            products = torch.cat([products, stay.expand_as(products[:, :1])], dim=1)
        products = products[:, ::2] @ products[:, 1::2]
        # The product of a long window lies outside the range of floats; its size is kept as a logarithm instead.
        highest = products.amax((2, 3), keepdim=True)
        products = products / highest
        total = total + highest.log().sum((1, 2, 3))
    # One matrix is left, from first states to last ones. A mean over the first: each has the weight 1/K.
    return total + products.mean(2).sum((1, 2)).log()


def forward_backward(pairwise: Tensor, unary: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the forward and the backward messages of all notes, by the forward-backward algorithm.

    Here a potential has two factors: a pairwise one, which depends on the difference of the two states alone, and a
    unary one, which depends on the state after the note. The marginal probability that a note has state `i` before it
    and state `j` after it is in proportion to `forward[i] * pairwise[j - i] * backward[j]`.

    Windows are the last dimension, so that the inner loop of every operation runs over neighbours in memory.

    Args:
        pairwise: float `(T, 2K - 1, B)`, > 0; for differences from `1 - K` to `K - 1`.
        unary: float `(T, K, B)`, > 0.
        mask: bool `(T, 1, B)`.

    Returns:
        `forward`, float `(T, K, B)`: from the notes before, to the state before this note. `backward`, float
        `(T, K, B)`: from the notes after, to the state after this note, whose unary potential it includes. Both are
        undefined at padding.
    """
    size, windows = unary.shape[1:]
    # At padding a difference of 0 is the only one, so messages pass it unchanged.
    stays = (torch.arange(2 * size - 1, device=mask.device) == size - 1).to(pairwise)
    pairwise = torch.where(mask, pairwise, stays[:, None])
    unary = torch.where(mask, unary, 1.0)
    # The loop over notes is slow, so both directions go through it at once, as twice as many windows. Seen from the
    # end, notes come in reverse order, and the difference `j - i` is `i - j`.
    pairwise = torch.cat([pairwise, pairwise.flip(0, 1)], dim=2)
    # The state before the first note has no unary potential. In reverse, passing note `t` reaches the state after note
    # `t - 1`, so the unary potentials of the second half begin one note earlier: with the last note's.
    unary = torch.cat([torch.ones_like(unary[:1]), unary])
    unary = torch.cat([unary, unary.flip(0)], dim=2)
    # A view of all pairs that copies nothing: `unfold` puts `pairwise[a + j]` at `[a, j]`. The difference `j - i` lies
    # at `j - i + K - 1`, so `a` stands for the state `i = K - 1 - a`: states in front of a note are in reverse order.
    messages = loop(pass_message, unary[0], pairwise.unfold(1, size, 1).transpose(2, 3), unary[1:])
    return messages[:-1, :, :windows], messages[:-1, :, windows:].flip(0)


def pass_message(message: Tensor, pairwise: Tensor, unary: Tensor) -> Tensor:
    """Returns the message behind a note, float `(K, B)`, which sums to 1.

    Args:
        message: float `(K, B)`; the message in front of the note.
        pairwise: float `(K, K, B)`; `[a, j]` is the potential of state `K - 1 - a` in front and state `j` behind.
        unary: float `(K, B)`; of the state behind.
    """
    behind = (pairwise * message.flip(0)[:, None]).sum(0).mul_(unary)
    # Only proportions matter, and without this division messages would vanish within some hundred notes.
    return behind.div_(behind.sum(0))


def sample_path(log_potentials: Tensor, mask: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Samples a path, int64 `(B, T + 1)`, by its probability: forward messages, then states from the last to the first.

    Args:
        log_potentials: float `(B, T, K, K)`. Logarithms, as a low temperature makes potentials that no float can hold.
        mask: bool `(B, T)`.
        generator: Of random numbers, on the device of the log-potentials.
    """
    message = torch.zeros_like(log_potentials[:, 0, 0])
    messages = [message]
    for t in range(mask.shape[1]):
        behind = (message[..., None] + log_potentials[:, t]).logsumexp(1)
        message = torch.where(mask[:, t, None], behind, message)
        messages.append(message)
    later = torch.multinomial(messages[-1].softmax(1), 1, generator=generator)
    path = [later]
    for t in range(mask.shape[1] - 1, -1, -1):
        # Given the later state, an earlier one is as likely as its message times its potential towards that state.
        towards = log_potentials[:, t].gather(2, later[:, None].expand(-1, log_potentials.shape[2], 1)).squeeze(2)
        earlier = torch.multinomial((messages[t] + towards).softmax(1), 1, generator=generator)
        later = torch.where(mask[:, t, None], earlier, later)
        path.append(later)
    return torch.cat(path[::-1], dim=1)
