"""Durations to the nearest multiple of a rhythmic grid, with the rounding error carried forward."""

import re

import midii
import numpy as np
import torch
from torch import Tensor

from toy_duration_predictor.errors import InputError


def grid_ticks(ticks_per_beat: int, grid: str = "32") -> int:
    """Returns the ticks of one grid step.

    Args:
        ticks_per_beat: The file's resolution; a beat is a quarter note.
        grid: The note value's denominator, `1` to `256`, with a `t` for triplets: `32` stands for 1/32 notes, `8t` for
            eighth triplets, three of which fill a quarter.

    Raises:
        InputError: There is no such grid, or it does not divide the resolution.
    """
    match = re.fullmatch(r"(1|2|4|8|16|32|64|128|256)(t?)", grid)
    if not match:
        raise InputError(f"There is no grid of 1/{grid}; give 1, 2, 4, ... 256, with a t for triplets, such as 8t.")
    numerator, denominator = (8, 3 * int(match[1])) if match[2] else (4, int(match[1]))
    ticks, left = divmod(numerator * ticks_per_beat, denominator)
    if left:
        raise InputError(f"A grid of 1/{grid} does not divide {ticks_per_beat} ticks per beat; choose a coarser grid.")
    return ticks


def grid_step(quantized: np.ndarray) -> int:
    """Returns the ticks of the grid step that a song's quantized durations show: their greatest common divisor.

    Args:
        quantized: `(T,)`, whole ticks of any numeric type.

    Returns:
        At least 1. A song whose durations are all 0 shows no grid, and lies on the finest that there is: 1 tick.
    """
    return int(np.gcd.reduce(quantized.astype(np.int64))) or 1


def quantize(durations: np.ndarray, step: int, forward_error: bool = True) -> np.ndarray:
    """Quantizes durations to multiples of `step`.

    The algorithm is `midii.quantize`, which changes an array given to it in place. Here it is given a copy.

    Args:
        durations: int64 `(T,)`, ticks.
        step: Ticks of one grid step.
        forward_error: Whether the rounding error of a note is carried on to the next one, so that running totals stay
            near those of the durations. Each is then off by at most half a step and what the error could not take from
            notes shorter than it.

    Returns:
        int64 `(T,)`, ticks, multiples of `step`. The argument is left as it was.
    """
    quantized, _ = midii.quantize(np.array(durations, dtype=np.int64), unit=step, sync_error_mitigation=forward_error)
    return np.asarray(quantized, dtype=np.int64)


def carried(durations: np.ndarray, step: int) -> np.ndarray:
    """Returns what `midii.quantize` leaves of an array that it quantizes with its error carried forward.

    These values, each duration plus the error carried into it, are what the published dataset has for the sung ones.

    Args:
        durations: int64 `(T,)`, ticks; left as it was.
        step: Ticks of one grid step.
    """
    changed = np.array(durations, dtype=np.int64)
    midii.quantize(changed, unit=step)
    return changed


def requantize(sung: Tensor, step: Tensor, error: Tensor) -> Tensor:
    """Quantizes windows of sung durations as `quantize` does, with any error carried into their first notes.

    Each onset goes to the nearest line of the grid, so what is carried never grows beyond half a step.

    Args:
        sung: float `(B, T)`, whole ticks.
        step: float `(B,)`, ticks of one grid step.
        error: float `(B,)`, whole ticks from -step/2 up to and without step/2.

    Returns:
        float `(B, T)`, ticks, multiples of `step`.
    """
    ends = (sung.cumsum(1) + error[:, None]) / step[:, None]
    lines = (ends + 0.5).floor()
    return lines.diff(dim=1, prepend=torch.zeros_like(lines[:, :1])) * step[:, None]


def left_behind(sung: Tensor, quantized: Tensor, error: Tensor) -> Tensor:
    """Returns what `carried` would have of windows that `requantize` has quantized.

    Args:
        sung: float `(B, T)`, whole ticks.
        quantized: float `(B, T)`, ticks; what `requantize` returned.
        error: float `(B,)`, ticks; the error carried into their first notes.

    Returns:
        float `(B, T)`, ticks.
    """
    left = (sung - quantized).cumsum(1) + error[:, None]
    # A note too short to take the error that is carried into it keeps its own duration.
    return torch.where(left + quantized >= 0, left + quantized, sung)


# What a song's durations are, going by how they are quantized.
SUNG, CARRIED, EITHER, NEITHER = "sung", "carried", "either", "neither"


def kind(sung: np.ndarray, quantized: np.ndarray) -> str:
    """Returns what a song's durations are, going by how they are quantized.

    Sung durations give the quantized ones when they are quantized with error forwarding (`SUNG`). Values that the
    quantizer left behind give them when each is rounded by itself (`CARRIED`). Short songs can do both (`EITHER`).

    Args:
        sung: int64 `(T,)`, ticks; the durations in question.
        quantized: int64 `(T,)`, ticks.
    """
    if not quantized.any():  # a grid coarse enough gives these by either way
        return EITHER
    step = grid_step(quantized)
    forwarded = bool((quantize(sung, step) == quantized).all())
    rounded = bool((nearest(sung, step) == quantized).all())
    return {(True, False): SUNG, (False, True): CARRIED, (True, True): EITHER}.get((forwarded, rounded), NEITHER)


def nearest(durations: np.ndarray, step: int | np.ndarray) -> np.ndarray:
    """Returns the nearest multiples of a step, the higher of two."""
    multiples: np.ndarray = (2 * durations + step) // (2 * step) * step
    return multiples
