"""The notes of each channel of a track: which end belongs to which beginning.

A note ends with the first end of its pitch that no earlier note of this pitch has taken.

Shapes: `N` notes, `S` ends without a note.
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
        stray: int64 `(S,)`; the index of each end without a note.
    """

    on: np.ndarray
    off: np.ndarray
    onset: np.ndarray
    end: np.ndarray
    pitch: np.ndarray
    stray: np.ndarray

    @property
    def is_tidy(self) -> bool:
        """Whether each note is followed by its own end, at a later tick, and there is no other end."""
        order = np.stack([self.on, self.off], axis=1).ravel()
        return not len(self.stray) and bool((np.diff(order) > 0).all() and (self.end > self.onset).all())

    def overlap(self) -> float:
        """Returns the share of notes that one note at a time leaves out, or leaves less than half of.

        A note overlaps where a higher one begins with it, or where another one begins before half of it is over. A
        voice loses nothing by notes without length, or by a pitch that begins twice at a tick: they do not count.
        """
        if self.is_tidy:
            return 0.0
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
    # Of each channel: its beginnings, the end of each, and ends without a note.
    found: dict[int, tuple[list[int], list[int], list[int]]] = {}
    sounding: dict[tuple[int, int], deque[int]] = {}
    for i, (_, status, pitch, data) in enumerate(events):
        if not 0x80 <= status < 0xA0:
            continue
        channel = status & 0x0F
        begins, ends, stray = found.get(channel) or found.setdefault(channel, ([], [], []))
        if status >= 0x90 and data != b"\0":
            sounding.setdefault((channel, pitch), deque()).append(len(begins))
            begins.append(i)
            ends.append(-1)
        elif waiting := sounding.get((channel, pitch)):
            ends[waiting.popleft()] = i
        else:
            stray.append(i)
    tick = np.array([event[0] for event in events], dtype=np.int64)
    pitches = np.array([event[2] for event in events], dtype=np.int64)
    notes = {}
    for channel, (begins, ends, stray) in sorted(found.items()):
        if begins:
            on, off = np.array(begins), np.array(ends)
            # What is never ended has the end -1: the last event of all.
            notes[channel] = Notes(on, off, tick[on], tick[off], pitches[on], np.array(stray, dtype=np.int64))
    return notes
