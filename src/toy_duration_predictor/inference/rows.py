"""Songs that a caller asks about as rows of a network's inputs, one song a row: padding could change its numbers.

Shapes: `T` notes and rests of a song, `n` of them sung already, `F` features of a style.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from toy_duration_predictor.data.style import whole_sums
from toy_duration_predictor.inference.inputs import (
    Rests,
    Step,
    Ticks,
    checked_beginnings,
    checked_rests,
    checked_steps,
)
from toy_duration_predictor.inference.references import Like
from toy_duration_predictor.inference.singers import Performer
from toy_duration_predictor.models import Inputs


class Known(TypedDict, total=False):
    """What else may be known of songs and of who sings them; see `Predictor`."""

    rest: Rests | Sequence[Rests] | None
    like: Like | None


class KnownAndBegun(Known, total=False):
    """The same, where a song may have begun; see `Predictor.predict`."""

    began: Ticks | Sequence[Ticks] | None


class Row(NamedTuple):
    """A song that a network is asked about.

    Attributes:
        first: float64 `(n,)`, ticks; the durations with which the song began.
        network: The network.
        inputs: What follows them, `T - n` durations; None where the whole song was sung.
    """

    first: np.ndarray
    network: nn.Module
    inputs: Inputs | None


def rows(
    songs: list[np.ndarray],
    who: Performer,
    device: torch.device,
    step: Step = None,
    rest: Rests | Sequence[Rests] | None = None,
    began: Ticks | Sequence[Ticks] | None = None,
) -> Iterator[Row]:
    """Yields a row for each song, once all arguments are checked; see `Predictor` for what they are.

    Args:
        songs: float64 `(T,)` each, ticks.
        who: What is known of the singer beside `began`.
        device: Where the network is.
        step: See `Predictor`.
        rest: See `Predictor`.
        began: See `Predictor.predict`.

    Raises:
        InputError: See `Predictor.predict`.
    """
    steps = checked_steps(step, songs)
    rests, beginnings = checked_rests(rest, songs, steps), checked_beginnings(began, songs)
    for song, ticks, silent, first in zip(songs, steps, rests, beginnings, strict=True):
        n = len(first)
        singing = who.after(whole_sums(song[:n], first, ticks, silent[:n])) if n else who
        # What follows a beginning is a row of its own, whose start is known.
        late = float(first.sum() - song[:n].sum())
        follows = _inputs(song[n:], silent[n:], ticks, late, singing, device) if n < len(song) else None
        yield Row(first, singing.network, follows)


def tensor(numbers: np.ndarray, device: torch.device) -> Tensor:
    """Returns the numbers of one row, float `(1, ...)`."""
    return torch.from_numpy(numbers).to(device, torch.float32)[None]


def _inputs(
    song: np.ndarray, rest: np.ndarray, step: float, start: float, singing: Performer, device: torch.device
) -> Inputs:
    quantized = tensor(song, device)
    return Inputs(
        quantized=quantized,
        mask=torch.ones_like(quantized, dtype=torch.bool),
        step=tensor(np.array(step), device),
        rest=torch.from_numpy(rest).to(device)[None],
        start=tensor(np.array(start), device),
        singer=torch.tensor([singing.singer], device=device),
        style=None if singing.style is None else tensor(singing.style, device),
    )
