"""A voice's notes on the time line, and how they are moved along it.

Shapes: `N` notes. A song of `N` notes has `2N - 1` durations, notes and the rests between them in turn. It has `2N`
times, the onset and the end of each note in turn.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from toy_duration_predictor.data.midi.smf import LAST_TICK
from toy_duration_predictor.data.schema import LONGEST


class Score(NamedTuple):
    """The notes of one voice. All numbers are ticks.

    Attributes:
        times: int64 `(2N,)`, not descending; onset and end of each note. Where two notes touch, the rest between them
            has 0 ticks. Models know such rests: a grid makes them of the tiny rests that singers leave between notes.
        least: int64 `(2N - 1,)`; the least that each duration may become.
        latest: The last tick at which the last note may end.
        ticks_per_beat: The resolution.
        pitch: int64 `(N,)`, MIDI note numbers; None where the file's format does not tell them.
        goes_on: bool `(N,)`; whether the lyric of the note before goes on in a note; None where nothing tells it.
    """

    times: np.ndarray
    least: np.ndarray
    latest: int
    ticks_per_beat: int
    pitch: np.ndarray | None = None
    goes_on: np.ndarray | None = None


class Opened(NamedTuple):
    """A file of scores that was read.

    Attributes:
        scores: A score a voice.
        write: Returns the file of a performance. It is given the new times of each voice, int64 `(2N,)`.
        remarks: What whoever has given the file should know of how it was read.
    """

    scores: list[Score]
    write: Callable[[list[np.ndarray]], bytes]
    remarks: tuple[str, ...] = ()


def fit(wanted: np.ndarray, score: Score) -> np.ndarray:
    """Returns the times near the wanted ones at which every duration keeps its least; the first onset stays.

    Args:
        wanted: float `(2N,)`, ticks.
        score: Its times keep its own rules.

    Returns:
        int64 `(2N,)`, ticks. Times are moved only where they must be: to later ticks where a note would be too short,
        and to earlier ticks where the last note would end too late.

    >>> score = Score(np.array([0, 60, 60, 120]), np.array([1, 0, 1]), latest=200, ticks_per_beat=60)
    >>> fit(np.array([0.0, 70.4, 50.0, 130.0]), score)
    array([  0,  70,  70, 130])
    """
    # In times less the room of all durations before them, "every duration keeps its least" is "not descending".
    room = np.concatenate([[0], np.cumsum(score.least)])
    times = np.rint(np.clip(wanted, -LONGEST, LAST_TICK)).astype(np.int64)
    times[0] = score.times[0]
    times = np.maximum.accumulate(times - room) + room
    times[-1] = min(times[-1], score.latest)
    earliest: np.ndarray = np.minimum.accumulate((times - room)[::-1])[::-1] + room
    return earliest


def warp(ticks: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Moves ticks between notes and within notes along with the notes.

    Args:
        ticks: int64, any shape.
        before: int64 `(2N,)`; the times of the notes.
        after: int64 `(2N,)`; the times that the notes move to. The first time is the same.

    Returns:
        int64, the same shape. A tick at an onset goes to the new onset, and the order of ticks is kept.

    >>> warp(np.array([50, 100, 150, 200]), np.array([0, 100, 100, 200]), np.array([0, 80, 120, 200]))
    array([ 40, 120, 160, 200])
    """
    # side="right" takes the last of equal times: an onset, not the end of the note before it.
    index = np.searchsorted(before, ticks, side="right") - 1
    inner = np.clip(index, 0, len(before) - 2)
    start, stop = before[inner], before[inner + 1]
    share = (ticks - start) / np.maximum(stop - start, 1)
    between = after[inner] + np.rint(share * (after[inner + 1] - after[inner])).astype(np.int64)
    # Ticks before the first onset stay. Ticks after the last end stay, too, unless that end has overtaken them.
    return np.where(index < 0, ticks, np.where(index > inner, np.maximum(ticks, after[-1]), between))
