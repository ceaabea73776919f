"""The notes of each channel of a track: which end belongs to which beginning.

A note ends with the first end of its pitch that no earlier note of this pitch has taken.

Shapes: `N` notes.
"""

from collections import deque
from typing import NamedTuple

import numpy as np

from toy_duration_predictor.data.midi.smf import Event

# Channel 10, counted from 0 as in the file.
PERCUSSION = 9


class Notes(NamedTuple):
    """The notes of one channel, in the order of their beginnings.

    Attributes:
        on: int64 `(N,)`; the index of each note's beginning among the track's events.
        off: int64 `(N,)`; that of its end, or -1 where it is never ended.
        onset: int64 `(N,)`, ticks.
        end: int64 `(N,)`, ticks; the end of the track for a note that is never ended.
        pitch: int64 `(N,)`, MIDI note numbers.
    """

    on: np.ndarray
    off: np.ndarray
    onset: np.ndarray
    end: np.ndarray
    pitch: np.ndarray

    def overlap(self) -> float:
        """Returns the share of notes that one note at a time leaves out, or leaves less than half of.

        A note overlaps where a higher one begins with it, or where another one begins before half of it is over. A
        voice loses nothing by notes without length, or by a pitch that begins twice at a tick: they do not count.
        """
        long = self.end > self.onset
        onset, pitch, end = self.onset[long], self.pitch[long], self.end[long]
        if not len(onset):
            return 0.0
        order = np.lexsort([-pitch, onset])  # by onset, the highest of a chord first
        onset, pitch, end = onset[order], pitch[order], end[order]
        once = np.append(True, (np.diff(onset) != 0) | (np.diff(pitch) != 0))
        onset, end = onset[once], end[once]
        lower = np.diff(onset, prepend=-1) == 0
        starts = onset[~lower]
        following = np.append(starts[1:], end.max())[np.cumsum(~lower) - 1]
        return float((lower | (2 * (following - onset) < end - onset)).mean())


def channels(events: list[Event]) -> dict[int, Notes]:
    """Returns the notes of a track by their channels, from 0."""
    found: dict[int, tuple[list[int], list[int]]] = {}
    sounding: dict[tuple[int, int], deque[tuple[list[int], int]]] = {}
    for i, (_, status, pitch, data) in enumerate(events):
        if not 0x80 <= status < 0xA0:
            continue
        channel = status & 0x0F
        if status >= 0x90 and data != b"\0":
            on, off = found.setdefault(channel, ([], []))
            sounding.setdefault((channel, pitch), deque()).append((off, len(on)))
            on.append(i)
            off.append(-1)
        elif of := sounding.get((channel, pitch)):
            ends, note = of.popleft()
            ends[note] = i
    last = len(events) - 1  # the last event of all ends what is never ended
    return {
        channel: Notes(
            np.array(on),
            np.array(off),
            np.array([events[i][0] for i in on], dtype=np.int64),
            np.array([events[i if i >= 0 else last][0] for i in off], dtype=np.int64),
            np.array([events[i][2] for i in on], dtype=np.int64),
        )
        for channel, (on, off) in sorted(found.items())
    }
