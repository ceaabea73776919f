"""Durations that a caller gives: one song or several, checked.

Shapes: `T` notes and rests of a song.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from toy_duration_predictor.data.limits import LONGEST
from toy_duration_predictor.errors import InputError

# One song's durations, ticks, `(T,)`; several songs; and the ticks of a grid step: one for all songs, or one for each.
Song: TypeAlias = Sequence[float] | np.ndarray
Songs: TypeAlias = Sequence[Song]
Step: TypeAlias = float | Sequence[float] | np.ndarray | None


def checked_songs(given: Song | Songs, name: str) -> tuple[list[np.ndarray], bool]:
    """Returns songs as float64 arrays `(T,)`, and whether there were several.

    Args:
        given: One song or several.
        name: What error messages call it.

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
    """Returns the ticks of each song's grid step; None stands for the greatest common divisor of its durations.

    Raises:
        InputError: A step is not above 0, there are not as many as songs, or durations are no whole ticks.
    """
    if step is None:
        if any((song % 1).any() for song in songs):
            raise InputError("durations: are no whole ticks, so that their grid cannot be found; give its step.")
        return [float(np.gcd.reduce(song.astype(np.int64)) or 1) for song in songs]
    steps = np.atleast_1d(np.asarray(step, dtype=np.float64))
    if steps.shape not in ((1,), (len(songs),)) or not ((steps > 0) & (steps <= LONGEST)).all():
        raise InputError(f"step={step}: give ticks above 0, a number for all songs or one for each.")
    return [float(each) for each in np.broadcast_to(steps, len(songs))]
