"""Exact inference in a linear-chain conditional random field (CRF), in logarithms and double precision.

Lafferty, McCallum and Pereira (2001), "Conditional random fields", ICML. A path has a state before the first note and a
state after each note. The logarithm of its weight is the sum of its log-potentials: one of its first state, and for
each note a unary one, of the state after the note, and a pairwise one, of the difference of the states after and before
it. The partition function is the sum of the weights of all paths. A path's probability is its weight divided by the
partition function. What cannot be has the log-potential minus infinity.

Windows are the last dimension, so that the inner loop of every operation runs over neighbours in memory.

Shapes: `B` windows, `T` notes, `K` states, `V` = 2K - 1 differences of states, from `1 - K` to `K - 1`.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from toy_duration_predictor.models._loop import loop


class Chain(NamedTuple):
    """The log-potentials of some windows, float64.

    Attributes:
        first: `(K, B)`; of the state before the first note.
        unary: `(T, K, B)`.
        pairwise: `(T, V, B)`.
        mask: bool `(T, 1, B)`; false for padding, where the state does not change.
    """

    first: Tensor
    unary: Tensor
    pairwise: Tensor
    mask: Tensor


class Messages(NamedTuple):
    """Sums over all paths that reach a state of a note from one side, float64, logarithms.

    Attributes:
        forward: `(T, K, B)`; from the notes before, to the state before the note.
        backward: `(T, K, B)`; from the notes after, to the state after the note, whose unary log-potential it includes.
        log_partition: `(B,)`.
    """

    forward: Tensor
    backward: Tensor
    log_partition: Tensor


def messages(chain: Chain) -> Messages:
    """Returns the messages of the forward-backward algorithm."""
    size, windows = chain.unary.shape[1:]
    # At padding a difference of 0 is the only one, so messages pass it unchanged.
    stays = torch.full_like(chain.pairwise[0, :, :1], -torch.inf)
    stays[size - 1] = 0
    pairwise = torch.where(chain.mask, chain.pairwise, stays)
    unary = torch.where(chain.mask, chain.unary, 0.0)
    # The loop over notes is slow, so both directions go through it at once, as twice as many windows. Seen from the
    # end, notes come in reverse order, and the difference `j - i` is `i - j`.
    pairwise = torch.cat([pairwise, pairwise.flip(0, 1)], dim=2)
    # In reverse, passing note `t` reaches the state after note `t - 1`, so unary log-potentials begin one note earlier:
    # with the last note's. At the end the first state's are reached.
    begin = torch.cat([chain.first, unary[-1]], dim=1)
    unary = torch.cat([unary, torch.cat([unary[:-1].flip(0), chain.first[None]])], dim=2)
    # A view of all pairs that copies nothing: `unfold` puts `pairwise[a + j]` at `[a, j]`. The difference `j - i` lies
    # at `j - i + K - 1`, so `a` stands for the state `i = K - 1 - a`: states in front of a note are in reverse order.
    states = loop(_pass_note, begin, pairwise.unfold(1, size, 1).transpose(2, 3), unary)
    return Messages(states[:-1, :, :windows], states[:-1, :, windows:].flip(0), states[-1, :, windows:].logsumexp(0))


def _pass_note(message: Tensor, pairwise: Tensor, unary: Tensor) -> Tensor:
    """Returns the message behind a note, `(K, B)`, from the one in front of it; see `messages`."""
    return (pairwise + message.flip(0)[:, None]).logsumexp(0) + unary


def pair_marginals(chain: Chain, found: Messages) -> Tensor:
    """Returns the probability of each pair of states before and after each note, float32 `(T, K, K, B)`."""
    # Only what is left of large logarithms, once the largest are taken away, fits into single precision, in which a
    # table of all pairs is computed several times as fast.
    highest = [part.amax(1, keepdim=True) for part in (found.forward, found.backward)]
    forward, backward = (part - high for part, high in zip((found.forward, found.backward), highest, strict=True))
    backward = backward + (highest[0] + highest[1] - found.log_partition)
    pairwise = _of_pairs(chain.pairwise.float())
    return (pairwise + forward.float()[:, :, None] + backward.float()[:, None]).exp() * chain.mask[:, None]


def _of_pairs(pairwise: Tensor) -> Tensor:
    """Returns pairwise log-potentials `(T, V, B)` as tables of pairs, `(T, K, K, B)`."""
    # `[i, j]` lies at `j - i + K - 1`: row `a` of the unfolded tensor has `[a + j]`, so rows are in reverse order.
    return pairwise.unfold(1, (pairwise.shape[1] + 1) // 2, 1).transpose(2, 3).flip(1)


def by_difference(pairs: Tensor) -> Tensor:
    """Returns the sum of a table of pairs over all pairs of one difference `j - i`, `(T, V, B)`."""
    notes, size, _, windows = pairs.shape
    total = pairs.new_zeros(notes, 2 * size - 1, windows)
    # The differences of one state `i` to all states `j` lie side by side, from -i to K - 1 - i.
    for i in range(size):
        total[:, size - 1 - i : 2 * size - 1 - i] += pairs[:, i]
    return total


class _LogPartition(torch.autograd.Function):
    """The logarithm of the partition function. Its gradient is the marginal probabilities, so no loop is recorded."""

    @staticmethod
    def forward(ctx: Any, first: Tensor, unary: Tensor, pairwise: Tensor, mask: Tensor) -> Tensor:
        chain = Chain(first, unary, pairwise, mask)
        found = messages(chain)
        pairs = pair_marginals(chain, found)
        ctx.save_for_backward(pairs[0].sum(1), pairs.sum(1), by_difference(pairs))
        return found.log_partition

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return (*(gradient * marginals.double() for marginals in ctx.saved_tensors), None)


def log_partition(chain: Chain) -> Tensor:
    """Returns the logarithm of the partition function, float64 `(B,)`."""
    found: Tensor = _LogPartition.apply(*chain)  # type: ignore[no-untyped-call]
    return found


def sample_path(chain: Chain, generator: torch.Generator | None = None) -> Tensor:
    """Samples a path by its probability, int64 `(B, T + 1)`: states from the first to the last.

    Args:
        chain: The log-potentials.
        generator: Of random numbers, on the device of the log-potentials.
    """
    size = chain.unary.shape[1]
    backward = messages(chain).backward
    pairwise = _of_pairs(chain.pairwise)
    state = _draw(chain.first + (pairwise[0] + backward[0]).logsumexp(1), generator)
    path = [state]
    for t in range(len(chain.unary)):
        # Given the state before a note, a state after it is as likely as its potential times what follows.
        towards = pairwise[t].gather(0, state.expand(1, size, -1))[0] + backward[t]
        state = torch.where(chain.mask[t, 0], _draw(towards, generator), state)
        path.append(state)
    return torch.stack(path, dim=1)


def _draw(logarithms: Tensor, generator: torch.Generator | None) -> Tensor:
    """Returns a state for each window, int64 `(B,)`, by log-probabilities `(K, B)` that need not add up."""
    return torch.multinomial(logarithms.T.softmax(1), 1, generator=generator)[:, 0]
