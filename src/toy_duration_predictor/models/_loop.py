"""A loop over notes, which an exporter writes out as one operator."""

from collections.abc import Callable

import torch
from torch import Tensor


def loop(note: Callable[..., Tensor], state: Tensor, *inputs: Tensor) -> Tensor:
    """Returns the states before each note and after the last, float `(T + 1, ...)`.

    Args:
        note: Takes the state before a note, and what that note has of each input; returns the state after it.
        state: Before the first note.
        inputs: What each note has, `(T, ...)`.
    """
    if torch.compiler.is_exporting():
        # An exporter writes a Python loop as often as its example runs it, so only songs of that length would do.
        from torch._higher_order_ops.scan import scan

        def both(state: Tensor, given: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
            after = note(state, *given)
            return after, after.clone()  # a scan's two results may not share memory

        later: Tensor = scan(both, state.contiguous(), inputs)[1]
        return torch.cat([state[None], later])
    states = [state]
    for given in zip(*(part.unbind() for part in inputs), strict=True):
        states.append(note(states[-1], *given))
    return torch.stack(states)
