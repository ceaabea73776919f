"""What a caller gives to a model of one song or of several songs: durations, rests and grid steps, checked.

Shapes: `T` notes and rests of a song.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from toy_duration_predictor.data.quantize import grid_step
from toy_duration_predictor.data.rests import guess_rests
from toy_duration_predictor.data.schema import LONGEST
from toy_duration_predictor.errors import InputError

# Durations of one song, `(T,)`; which of them are rests; and the ticks of a grid step, for all songs or for each.
Ticks: TypeAlias = Sequence[float] | np.ndarray
Rests: TypeAlias = Sequence[bool] | np.ndarray
Step: TypeAlias = float | Sequence[float] | np.ndarray | None


def check_sampling(temperature: float, seed: int) -> None:
    """Refuses settings with which nothing can be sampled.

    Raises:
        InputError: The temperature or the seed is out of range.
    """
    if not (0 < temperature < np.inf):
        raise InputError(f"temperature={temperature}: give a number above 0.")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed={seed}: give a whole number from 0 to 2^63 - 1.")


def checked_songs(given: Ticks | Sequence[Ticks], name: str) -> tuple[list[np.ndarray], bool]:
    """Returns songs as float64 arrays `(T,)`, and whether there were several.

    Args:
        given: Durations of one song or of several songs.
        name: What error messages call them.

    Raises:
        InputError: A song is empty or no flat list of numbers, or a number is negative, not finite or too large.
    """
    if not isinstance(given, (Sequence, np.ndarray)):
        raise InputError(f"{name}: must be a list or an array of ticks, not {type(given).__name__}.")
    several = len(given) > 0 and isinstance(given[0], (list, tuple, np.ndarray))
    songs = []
    for i, each in enumerate(given if several else [given]):
        where = f"{name}: song {i}" if several else name
        try:
            song = np.asarray(each, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"{where}: must be a flat list of numbers.") from error
        if song.ndim != 1:
            raise InputError(f"{where}: must be a flat list of numbers.")
        if not len(song):
            raise InputError(f"{where}: is empty; leave out songs without notes.")
        wrong = ~((song >= 0) & (song <= LONGEST))
        if wrong.any():
            note = int(wrong.argmax())
            raise InputError(f"{where}: note {note} is {song[note]:g}, and must be from 0 to {LONGEST} ticks.")
        songs.append(song)
    return songs, several


def checked_steps(step: Step, songs: list[np.ndarray]) -> list[float]:
    """Returns the ticks of each song's grid step.

    Without a `step`, it is the greatest common divisor of the song's durations. A divisor of 1 tick shows that the
    durations lie on no grid: they are sung ones. A given `step` is taken as it is, because a score may mix grids, such
    as 1/32 and triplets.

    Args:
        step: Ticks: one number for all songs, or one for each; or None.
        songs: float64 `(T,)` each, ticks, as `checked_songs` returns them.

    Raises:
        InputError: A step is not above 0, there are not as many steps as songs, or a song without a step is on no grid.

    >>> checked_steps(None, [np.array([120.0, 60.0]), np.array([90.0, 30.0, 60.0])])
    [60.0, 30.0]
    """
    if step is None:
        found = [float(grid_step(song)) for song in songs]
        for i, (song, ticks) in enumerate(zip(songs, found, strict=True)):
            # Songs of 0 and 1 tick have the divisor 1, too, and are on the grid of 1 tick.
            if (song % 1).any() or (ticks == 1 and song.max() > 1):
                where = f"quantized: song {i}" if len(songs) > 1 else "quantized"
                raise InputError(
                    f"{where}: these look like sung durations, as they lie on no grid; quantize them first "
                    f"(tdp.quantize), or give the step of their grid."
                )
        return found
    steps = np.atleast_1d(np.asarray(step, dtype=np.float64))
    if steps.shape not in ((1,), (len(songs),)) or not ((steps > 0) & (steps <= LONGEST)).all():
        raise InputError(f"step={step}: give ticks above 0, a number for all songs or one for each.")
    return [float(each) for each in np.broadcast_to(steps, len(songs))]


def checked_rests(
    rest: Rests | Sequence[Rests] | None, songs: list[np.ndarray], steps: list[float]
) -> list[np.ndarray]:
    """Returns which durations of each song are rests, bool `(T,)` each.

    Args:
        rest: Truth values of one song or of several songs; None guesses them, see `data.rests`.
        songs: float64 `(T,)` each, ticks, as `checked_songs` returns them.
        steps: Ticks of each song's grid step.

    Raises:
        InputError: There are not as many truth values as durations, or others than true and false.
    """
    if rest is None:
        return [guess_rests(song / step) for song, step in zip(songs, steps, strict=True)]
    flags, _ = checked_songs(rest, "rest")
    if [len(each) for each in flags] != [len(song) for song in songs]:
        raise InputError("rest: give a truth value for each duration of each song: whether it is a rest.")
    if any(not np.isin(each, (0, 1)).all() for each in flags):
        raise InputError("rest: give true for rests and false for notes, and no other value.")
    return [each == 1 for each in flags]


def checked_beginnings(began: Ticks | Sequence[Ticks] | None, songs: list[np.ndarray]) -> list[np.ndarray]:
    """Returns the sung durations with which each song begins, float64 ticks; none where `began` is None.

    Raises:
        InputError: There are not as many beginnings as songs, or one is longer than its song.
    """
    if began is None:
        return [np.zeros(0)] * len(songs)
    beginnings, _ = checked_songs(began, "began")
    if len(beginnings) != len(songs):
        raise InputError(f"began: has {len(beginnings)} beginnings for {len(songs)} songs; give one for each.")
    for i, (first, song) in enumerate(zip(beginnings, songs, strict=True)):
        if len(first) > len(song):
            where = f"began: song {i}" if len(songs) > 1 else "began"
            raise InputError(f"{where} has {len(first)} durations, and quantized {len(song)}; give the first of them.")
    return beginnings
