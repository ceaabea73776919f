"""A loop over notes, which an exporter writes out as one operator."""

from collections.abc import Callable

import torch
from torch import Tensor


def loop(next_state: Callable[..., Tensor], state: Tensor, *inputs: Tensor) -> Tensor:
    """Returns the states before each note and after the last one, float `(T + 1, ...)`.

    Args:
        next_state: Returns the state after a note, given the state before it and the note's row of every input.
        state: The state before the first note.
        inputs: Tensors `(T, ...)`, a row for each note.
    """
    if torch.compiler.is_exporting():
        # An exporter unrolls a Python loop, and its file would only do for songs as long as the example. A `scan` stays
        # a loop.
        from torch._higher_order_ops.scan import scan

        def both(state: Tensor, given: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
            after = next_state(state, *given)
            return after, after.clone()  # a scan's two results may not share memory

        later: Tensor = scan(both, state.contiguous(), inputs)[1]
        return torch.cat([state[None], later])
    states = [state]
    for given in zip(*(part.unbind() for part in inputs), strict=True):
        states.append(next_state(states[-1], *given))
    return torch.stack(states)
