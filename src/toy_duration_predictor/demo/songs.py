"""Uploaded files read: scores, and recordings to sing like.

Anyone may upload anything, so size and time have limits.
"""

from typing import Any, NamedTuple

import numpy as np

from toy_duration_predictor.data.midi.pairs import PERCUSSION
from toy_duration_predictor.data.midi.smf import parse
from toy_duration_predictor.data.midi.voices import MOST_OVERLAP, Candidate, choose, voices
from toy_duration_predictor.data.quantize import STEP_BEATS
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.scores.midi import MidiScore, Reading, open_midi
from toy_duration_predictor.scores.recordings import read_recording

# A song's file has some ten kB, and some hundred notes.
LARGEST_UPLOAD = 2**20
MOST_SENT = 16 * LARGEST_UPLOAD  # the server takes so much, to name a file that is larger than a song's
MOST_EVENTS = 20_000


class Song(NamedTuple):
    """A MIDI file that was read.

    Attributes:
        content: The file.
        midi: Its score.
        voices: What can be sung of it; see `data.midi.voices`.
        said: What whoever has given it should know of how it was read.
    """

    content: bytes
    midi: MidiScore
    voices: list[Candidate]
    said: list[str]

    def sung(self, times: np.ndarray) -> bytes:
        """Returns the file of a performance; see `Score.times`."""
        return self.content if np.array_equal(times, self.midi.score.times) else self.midi.write(times)


def read_song(content: bytes, track: str | None = None) -> Song:
    """Reads a MIDI file of any origin.

    Args:
        content: The file.
        track: The number of the voice; None for the one that is found, see `data.midi.voices`.

    Raises:
        InputError: The file cannot be used, or is larger than a song's; or there is no such voice.
    """
    if len(content) > LARGEST_UPLOAD:
        raise InputError(f"it has {len(content):,} bytes, and a song at most {LARGEST_UPLOAD:,}")
    tracks = parse(content)
    most = max(map(len, tracks.tracks))
    if most > MOST_EVENTS:
        raise InputError(f"a track has {most:,} events, and a song at most {MOST_EVENTS:,}")
    found = voices(tracks)
    overlap = choose(found, track).overlap
    overlaps = overlap > MOST_OVERLAP
    midi = open_midi(content, Reading(track, polyphonic=overlaps))
    sung = [each for each in found if each.channel != PERCUSSION + 1]
    taken, *others = midi.remarks
    said = [_sentence(each) for each in ([taken] if len(sung) > 1 else []) + others]
    if overlaps:
        said.append(
            f"{overlap:.0%} of these notes overlap, so they are hardly a voice: they move, and keep their lengths."
        )
    said += [f"Mended in this file: {what} ({count} times)." for what, count in midi.voice.mended.items()]
    return Song(content, midi, sung, said)


def _sentence(remark: str) -> str:
    return f"{remark[:1].upper()}{remark[1:]}."


def read_heard(content: bytes, step_beats: float = STEP_BEATS) -> dict[str, Any]:
    """Reads a recording to sing like, a MIDI file of any origin; see `read_recording`.

    Raises:
        InputError: As for `read_song`.
    """
    read_song(content)
    return read_recording(content, step_beats)
