"""Scores in MIDI files: the voice's notes are read from a file, and put back into it at other times.

Shapes: `N` notes; see `score`.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from toy_duration_predictor.data.midi.recipe import Recipe, sung_part
from toy_duration_predictor.data.midi.smf import LAST_TICK, Tracks, parse, replace_tracks
from toy_duration_predictor.data.midi.voice import Voice, read_voice
from toy_duration_predictor.data.midi.voices import refuse_overlap
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.scores.move import move_notes
from toy_duration_predictor.scores.score import Score

# A file of a lower resolution cannot hold a singer's timing: at 96 ticks per beat and 120 beats a minute a tick has 5
# ms. Such a file is written at this resolution, or at the next multiple of its own.
LOWEST_RESOLUTION, BETTER_RESOLUTION = 96, 480
# No time between two events of a file may be longer.
LONGEST_DELTA = 2**28 - 1
# What a lyric is that goes on from the note before: nothing, or signs that singing editors have for it.
GOES_ON = re.compile(r"[-+_~*\u30fc\uff0d\uff0b]*")


class Reading(NamedTuple):
    """How the notes of a MIDI file are read.

    Attributes:
        track: The voice's number; None is found by the rule of `data.midi.voices`.
        encoding: That of lyrics and names, such as `cp949`; None finds it.
        begin: The notes after the first one with this lyric are the song; if empty, or in a file without it, all are.
        end: The notes before the first one with this lyric after the beginning are the song.
        polyphonic: Whether notes may overlap: they keep their lengths, and move with their onsets.
    """

    track: int | str | None = None
    encoding: str | None = None
    begin: str = ""
    end: str = ""
    polyphonic: bool = False


DEFAULT = Reading()


class MidiScore(NamedTuple):
    """A score in a MIDI file.

    Attributes:
        score: The times of its notes.
        voice: The notes. `Voice.taken` says where they are from.
        write: Returns the file of a performance. It is given the new times, int64 `(2N,)`. Nothing but the notes, and
            the lyrics that belong to them, is changed.
        remarks: What whoever has given the file should know of how it was read.
    """

    score: Score
    voice: Voice
    write: Callable[[np.ndarray], bytes]
    remarks: tuple[str, ...]


def open_midi(content: bytes, reading: Reading = DEFAULT) -> MidiScore:
    """Reads a score.

    Args:
        content: The file.
        reading: How its notes are read.

    Raises:
        InputError: It cannot be used; the message says why.
    """
    tracks = parse(content)
    remarks = [f"it is read, though {remark}" for remark in tracks.remarks]
    finer = None
    if tracks.ticks_per_beat < LOWEST_RESOLUTION and (at_finer := _at_finer_resolution(tracks)):
        finer = at_finer.ticks_per_beat
        remarks.append(f"its {tracks.ticks_per_beat} ticks per beat become {finer}")
        tracks = at_finer
    score, voice = read_score(tracks, reading)
    taken = voice.taken

    def write(times: np.ndarray) -> bytes:
        changed = dict(enumerate(tracks.tracks)) if finer else {}
        for track in sorted({taken.track, *voice.lyric_events}):
            notes = voice.note_events if track == taken.track else None
            lyrics = voice.lyric_events.get(track, {})
            if notes is not None or lyrics:
                events = tracks.tracks[track]
                changed[track] = move_notes(events, score.times, times, notes, lyrics, reading.polyphonic)
        return replace_tracks(content, changed, finer)

    return MidiScore(score, voice, write, (f"the voice is {taken}: {taken.why}", *remarks))


def read_score(tracks: Tracks, reading: Reading = DEFAULT) -> tuple[Score, Voice]:
    """Reads a file's voice, and the times of its notes.

    Args:
        tracks: The file.
        reading: How its notes are read.

    Raises:
        InputError: There is no such voice, it has no notes, or they overlap; see `midi.read_voice`.
    """
    voice = read_voice(tracks, reading.track, reading.encoding)
    if not reading.polyphonic:
        try:
            refuse_overlap(voice.taken)
        except InputError as error:
            raise InputError(f"{error}; --polyphonic moves them all the same, --track takes another voice") from None
    part = sung_part(voice, Recipe(begin=reading.begin, end=reading.end))
    times = np.stack([part.onset, part.onset + part.duration], axis=1).ravel()
    later = voice.onset[voice.onset > part.onset[-1]]
    # In a song without any lyrics nothing says where one goes on.
    has_lyrics = any(part.lyric)
    score = Score(
        times=times,
        least=np.arange(len(times) - 1) % 2 ^ 1,  # a tick for a note, none for a rest
        latest=int(later[0]) if len(later) else LAST_TICK,
        ticks_per_beat=tracks.ticks_per_beat,
        pitch=part.pitch,
        goes_on=np.array([has_lyrics and GOES_ON.fullmatch(lyric) is not None for lyric in part.lyric]),
    )
    return score, part


def _at_finer_resolution(tracks: Tracks) -> Tracks | None:
    """Returns a file with its ticks at a finer resolution; None if it lasts too long for that."""
    factor = -(-BETTER_RESOLUTION // tracks.ticks_per_beat)
    for events in tracks.tracks:
        ticks = np.array([0, *(event[0] for event in events)]) * factor
        if ticks[-1] > LAST_TICK or np.diff(ticks).max(initial=0) > LONGEST_DELTA:
            return None
    scaled = [[(event[0] * factor, *event[1:]) for event in events] for events in tracks.tracks]
    return tracks._replace(ticks_per_beat=tracks.ticks_per_beat * factor, tracks=scaled)
