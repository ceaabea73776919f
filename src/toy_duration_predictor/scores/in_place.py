"""Projects of singing editors whose files are changed in place: the times of notes and curves, and nothing else.

A voice is what has a beginning of its own in the file: a part of a track, a group of notes, or a whole UST file. Its
first note stays, and its notes do not overlap. Pitch bends, vibrato and phonemes that are counted from their note go
with it. Points of curves move along with the notes around them.

Shapes: `N` notes of a voice.
"""

import re
import zipfile
from xml.parsers.expat import ExpatError

import numpy as np
from yaml import YAMLError

from toy_duration_predictor.data.midi.smf import LAST_TICK
from toy_duration_predictor.errors import InputError, reason_of
from toy_duration_predictor.scores.projects import (
    TICKS_PER_BEAT,
    Place,
    Text,
    Voice,
    read_svp,
    read_ustx,
    read_vpr,
    read_vsqx,
)
from toy_duration_predictor.scores.rows import to_durations, to_score
from toy_duration_predictor.scores.score import Opened, Score, to_voice, warp

READERS = {".ustx": read_ustx, ".svp": read_svp, ".vpr": read_vpr, ".vsqx": read_vsqx}
IN_PLACE = (*READERS, ".ust")
# A note or a rest of a UST file.
SECTION = re.compile(r"^\[#\d+\](.*?)(?=^\[#|\Z)", re.DOTALL | re.MULTILINE)
# What reading raises of a file that has something else in it than is looked for.
BROKEN = (ArithmeticError, AttributeError, EOFError, LookupError, RecursionError, StopIteration, TypeError, ValueError)


def open_in_place(content: bytes, suffix: str, track: int | None) -> Opened:
    """Reads a project.

    Args:
        content: The file.
        suffix: Its format, one of `IN_PLACE`.
        track: The only track to sing, from 0; None for all of them.

    Raises:
        InputError: The file cannot be used; the message says why.
    """
    if suffix == ".ust":
        return _open_ust(content)
    try:
        unit, found, save = READERS[suffix](content)
        voices = [each for each in found if each.notes and track in (None, each.track)]
        scores = [_score(each, unit) for each in voices]
    except InputError:
        raise
    except (*BROKEN, YAMLError, ExpatError, zipfile.BadZipFile) as error:
        raise InputError(f"it is no {suffix} file as its editor writes it ({reason_of(error)})") from error
    if not voices:
        raise InputError("it has no notes" if track is None else f"it has no notes in track {track}")

    def write(times: list[np.ndarray]) -> bytes:
        for voice, score, moved in zip(voices, scores, times, strict=True):
            if (moved != score.times).any():
                _move(voice, score.times, moved, unit)
        return save()

    return Opened(scores, write)


def _score(voice: Voice, unit: int) -> Score:
    """Puts a voice's notes in order, and returns its score; `unit` is how much of the file's time a tick is."""
    voice.notes.sort(key=lambda note: note.onset.value)
    onset = [round(note.onset.value / unit) for note in voice.notes]
    end = [round((note.onset.value + note.duration.value) / unit) for note in voice.notes]
    score = to_voice(onset, end, [note.pitch for note in voice.notes], TICKS_PER_BEAT, f"track {voice.track}")
    part_ends = LAST_TICK if voice.end is None else min(voice.end // unit, LAST_TICK)
    return score._replace(latest=part_ends if part_ends >= end[-1] else LAST_TICK)


def _move(voice: Voice, before: np.ndarray, after: np.ndarray, unit: int) -> None:
    """Moves the notes and curves of a voice from times before to times after, int64 `(2N,)`, ticks."""
    share = (np.diff(after)[::2] / np.diff(before)[::2]).tolist()
    for note, (start, stop), stretched in zip(voice.notes, after.reshape(-1, 2).tolist(), share, strict=True):
        note.onset.put(start * unit)
        note.duration.put((stop - start) * unit)
        for each in note.inner:
            each.put(round(each.value * stretched))
    ticks = np.array([round(each.value / unit) for each in voice.curves], dtype=np.int64)
    for each, later in zip(voice.curves, (warp(ticks, before, after) - ticks).tolist(), strict=True):
        each.put(each.value + later * unit)


def _open_ust(content: bytes) -> Opened:
    """Reads a UST file, which has notes and rests one after the other. No lyric is read, so any encoding will do."""
    text = content.decode("latin-1")
    file, durations, pitch, rest = Text(text), list[Place](), list[int](), list[bool]()
    for section in SECTION.finditer(text):
        number, length, lyric = (
            re.compile(pattern, re.MULTILINE).search(text, *section.span(1))
            for pattern in (r"^NoteNum=(\d+)", r"^Length=(\d+)", r"^Lyric=([^\r\n]*)")
        )
        if not number or not length:
            raise InputError(f"its section {section[0].split()[0]} lacks a NoteNum or a Length")
        durations.append(file.place(*length.span(1)))
        pitch.append(int(number[1]))
        rest.append(lyric is None or lyric[1].strip() in ("", "R", "r"))
    ticks, is_rest = np.array([each.value for each in durations], dtype=np.int64), np.array(rest, dtype=bool)
    # A section of no length would be none, so that a rest keeps a tick, too.
    score = to_score(ticks, is_rest, np.minimum(ticks, 1), TICKS_PER_BEAT)
    score = score._replace(pitch=np.array(pitch, dtype=np.int64)[~is_rest])

    def write(times: list[np.ndarray]) -> bytes:
        new = to_durations(times[0], score, ticks, is_rest)
        for place, was, value in zip(durations, ticks.tolist(), new.tolist(), strict=True):
            if value != was:
                place.put(value)
        return file.changed().encode("latin-1")

    return Opened([score], write)
