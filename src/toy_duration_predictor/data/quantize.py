"""Durations on a grid: quantized with the rounding error carried forward, and what the quantizer leaves behind."""

import atexit
import math
import os
import shutil
import tempfile
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from toy_duration_predictor.errors import InputError

# Neither torch nor midii, which brings numba along, is imported here: the check of a grid is to be quick.
if TYPE_CHECKING:
    from torch import Tensor


# Note values of grids: the denominator, with a t for triplets.
GRIDS = tuple(f"{2**i}{triplet}" for i in range(9) for triplet in ("", "t"))
# Ticks per beat that every grid divides.
ANY_GRID = 3 * 256
# The usual grid step, 1/32 of a whole note, in beats.
STEP_BEATS = 1 / 8


def grid_ticks(ticks_per_beat: int, grid: str = "32") -> int:
    """Returns the ticks of a grid step.

    Args:
        ticks_per_beat: The file's resolution; a beat is a quarter note.
        grid: The note value's denominator, `1` to `256`, with a `t` for triplets: `32` stands for 1/32 notes, `8t` for
            eighth triplets, three of which fill a quarter.

    Raises:
        InputError: There is no such grid, or it does not divide the resolution.

    >>> grid_ticks(480), grid_ticks(480, "8t")
    (60, 160)
    """
    if grid not in GRIDS:
        raise InputError(f"There is no grid of 1/{grid}; give 1, 2, 4, ... 256, with a t for triplets, such as 8t.")
    numerator, denominator = (8, 3 * int(grid[:-1])) if grid.endswith("t") else (4, int(grid))
    ticks, left = divmod(numerator * ticks_per_beat, denominator)
    if left:
        raise InputError(f"A grid of 1/{grid} does not divide {ticks_per_beat} ticks per beat; choose a coarser grid.")
    return ticks


def note_value(step_beats: float) -> str | None:
    """Returns the note value of a grid whose step takes so many beats, or None if there is no such grid.

    >>> note_value(1 / 8), note_value(1 / 3)
    ('32', '8t')
    """
    ticks = ANY_GRID * step_beats
    return next((grid for grid in GRIDS if math.isclose(grid_ticks(ANY_GRID, grid), ticks)), None)


def grid_step(quantized: np.ndarray, ticks_per_beat: float | None = None) -> int:
    """Returns the ticks of a song's grid step: the greatest common divisor of its quantized durations.

    Args:
        quantized: `(T,)`, whole ticks of any numeric type.
        ticks_per_beat: The song's resolution, if it is known. A divisor finer than 1/128 then is no grid, as in a score
            with triplets beside other notes, or with grace notes; the step is 1/32.

    Returns:
        At least 1. Durations that are all 0 show no grid. Their step is then 1 tick, that of the finest grid.

    >>> grid_step(np.array([60, 0, 180, 120])), grid_step(np.array([60, 0, 161, 120]), ticks_per_beat=480)
    (60, 60)
    """
    step = int(np.gcd.reduce(quantized.astype(np.int64))) or 1
    if ticks_per_beat is not None and 32 * step < ticks_per_beat:
        return max(int(ticks_per_beat) // 8, 1)
    return step


def quantize(durations: np.ndarray, step: int, forward_error: bool = True) -> np.ndarray:
    """Quantizes durations to multiples of `step`, by the algorithm of `midii.quantize`.

    Args:
        durations: int64 `(T,)`, ticks. The array is left as it was.
        step: Ticks of a grid step.
        forward_error: Whether a note's rounding error is added to the next note before it is rounded. Onsets then stay
            within half a step of the sung ones, however long the song is.

    Returns:
        int64 `(T,)`, ticks, multiples of `step`.

    >>> quantize(np.array([22, 22, 22]), step=15)  # 7 ticks are carried into the second note, and -1 into the third
    array([15, 30, 15])
    """
    # midii changes the array that it is given, so it gets a copy.
    return _quantize(np.array(durations, dtype=np.int64), step, forward_error)


def carried(sung: np.ndarray, step: int) -> np.ndarray:
    """Returns the carried values of sung durations: each duration plus the rounding error carried into it.

    `midii.quantize` leaves these values in the array that it is given. The published dataset stores them in place of
    the sung durations.

    Args:
        sung: int64 `(T,)`, ticks. The array is left as it was.
        step: Ticks of a grid step.

    >>> carried(np.array([22, 22, 22]), step=15)
    array([22, 29, 21])
    """
    changed = np.array(sung, dtype=np.int64)
    _quantize(changed, step)
    return changed


@cache
def _midii() -> Any:
    """Returns midii."""
    try:
        import midii
    except RuntimeError:
        # midii's loop is compiled by numba, which refuses where it finds no folder to keep it in: where there is no
        # home, and the package's own folder cannot be written. So it is kept for this process and those that it starts.
        os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)
        import numba

        numba.config.reload_config()
        import midii
    return midii


def _quantize(durations: np.ndarray, step: int, forward_error: bool = True) -> np.ndarray:
    """Calls `midii.quantize`, which is compiled the first time.

    Raises:
        InputError: What is compiled cannot be kept, as on a full disk.
    """
    try:
        quantized, _ = _midii().quantize(durations, unit=step, sync_error_mitigation=forward_error)
    except OSError as error:
        raise InputError(
            f"numba cannot keep what it compiles ({error}); name a folder with room in the variable NUMBA_CACHE_DIR."
        ) from error
    return np.asarray(quantized, dtype=np.int64)


def requantize(sung: "Tensor", step: "Tensor", start: "Tensor") -> "Tensor":
    """Quantizes windows of sung durations as `quantize` does, after an error was carried into their first notes.

    Args:
        sung: float `(B, T)`, whole ticks.
        step: float `(B,)`, ticks of a grid step.
        start: float `(B,)`, whole ticks, from -step/2 up to but not including step/2; how far behind its grid line the
            first onset is.

    Returns:
        float `(B, T)`, ticks, multiples of `step`.
    """
    # Carrying errors forward puts the end of every note on the nearest grid line. So all ends can be rounded at once,
    # without the quantizer's loop over notes.
    lines = ((sung.cumsum(1) + start[:, None]) / step[:, None] + 0.5).floor()
    return lines.diff(dim=1, prepend=lines.new_zeros(len(lines), 1)) * step[:, None]


def left_behind(sung: "Tensor", quantized: "Tensor") -> "Tensor":
    """Returns the carried values, as `carried` does, of whole songs.

    Args:
        sung: float `(B, T)`, ticks.
        quantized: float `(B, T)`, ticks; the same songs quantized.

    Returns:
        float `(B, T)`, ticks.
    """
    # The error after each note. With its quantized duration it gives the note's carried value.
    after = (sung - quantized).cumsum(1)
    # The quantizer adds no error to a note that would become negative by it. Such a note keeps its sung duration.
    return (after + quantized).where(after + quantized >= 0, sung)
