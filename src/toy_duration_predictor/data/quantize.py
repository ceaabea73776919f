"""Durations to the nearest multiple of a rhythmic grid, with the rounding error carried forward."""

import midii
import numpy as np

from toy_duration_predictor.errors import InputError


def grid_ticks(ticks_per_beat: int, grid: int = 32) -> int:
    """Returns the ticks of one grid step.

    Args:
        ticks_per_beat: The file's resolution; a beat is a quarter note.
        grid: The note value's denominator; 32 stands for a grid of 1/32 notes.

    Raises:
        InputError: The grid does not divide the resolution.
    """
    ticks, left = divmod(4 * ticks_per_beat, grid)
    if ticks == 0 or left:
        raise InputError(f"A grid of 1/{grid} does not divide {ticks_per_beat} ticks per beat; choose a coarser grid.")
    return ticks


def quantize(durations: np.ndarray, step: int) -> np.ndarray:
    """Quantizes durations to multiples of `step`, forwarding the rounding error to the next note.

    The algorithm is `midii.quantize`, which changes an array given to it in place: the published dataset stored
    that changed array as the sung durations. Here it is given a copy.

    Args:
        durations: int64 `(T,)`, ticks.
        step: Ticks of one grid step.

    Returns:
        int64 `(T,)`, ticks, multiples of `step`. The argument is left as it was.
    """
    quantized, _ = midii.quantize(np.array(durations, dtype=np.int64), unit=step)
    return np.asarray(quantized, dtype=np.int64)
