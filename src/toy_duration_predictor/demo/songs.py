"""Uploaded files read: scores, and recordings to sing like.

Anyone may upload anything, so size and time have limits.
"""

from typing import Any, NamedTuple

import numpy as np

from toy_duration_predictor.data.midi.smf import Event, parse, replace_track
from toy_duration_predictor.data.midi.voice import Voice
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.scores.midi import move_notes, read_score
from toy_duration_predictor.scores.recordings import read_recording
from toy_duration_predictor.scores.score import Score

# A song's file has some ten kB, and some hundred notes.
LARGEST_UPLOAD = 2**20
MOST_EVENTS = 20_000


class Song(NamedTuple):
    """A MIDI file that was read."""

    content: bytes
    track: int
    events: list[Event]
    score: Score
    voice: Voice

    def sung(self, times: np.ndarray) -> bytes:
        """Returns the file of a performance; see `Score.times`."""
        if np.array_equal(times, self.score.times):
            return self.content
        return replace_track(self.content, self.track, move_notes(self.events, self.score.times, times))


def read_song(content: bytes, track: int | None = None) -> Song:
    """Reads a MIDI file of any origin.

    Args:
        content: The file.
        track: Which track is the voice; None for the one that is found.

    Raises:
        InputError: The file cannot be used, or is larger than a song's; or there is no such track.
    """
    if len(content) > LARGEST_UPLOAD:
        raise InputError(f"it has {len(content):,} bytes, and a song at most {LARGEST_UPLOAD:,}")
    tracks = parse(content)
    most = max(map(len, tracks.tracks))
    if most > MOST_EVENTS:
        raise InputError(f"a track has {most:,} events, and a song at most {MOST_EVENTS:,}")
    score, voice, track = read_score(tracks, track)
    return Song(content, track, tracks.tracks[track], score, voice)


def tracks_of(content: bytes) -> list[tuple[str, int]]:
    """Returns the tracks of a MIDI file that have notes: what the page calls each, and its number."""
    found = []
    for number, events in enumerate(parse(content).tracks):
        notes = sum(status & 0xF0 == 0x90 and data != b"\0" for _, status, _, data in events)
        if notes:
            found.append((f"Track {number}: {notes:,} notes", number))
    return found


def read_heard(content: bytes) -> dict[str, Any]:
    """Reads a recording to sing like, a MIDI file of any origin; see `read_recording`.

    Raises:
        InputError: As for `read_song`.
    """
    read_song(content)
    return read_recording(content)
