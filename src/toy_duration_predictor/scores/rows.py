"""Durations in `.csv` and `.json` files: notes and rests, one after the other, as the songs table has them.

A CSV file has a row a note or rest, with the columns `ticks_per_beat`, `duration` (ticks) and `pitch` (MIDI note
numbers, 0 is a rest). A JSON file is an object with `ticks_per_beat`, and the lists `durations` and `pitch`. Other
columns and keys stay as they are.

No row is added and none is taken away. Where a singer leaves a rest between two notes that touch in the score, its
ticks go to the first note's row.

Shapes: `R` rows, `N` notes among them.
"""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from toy_duration_predictor.data.midi.smf import LAST_TICK
from toy_duration_predictor.data.midi.voice import Voice
from toy_duration_predictor.data.schema import LONGEST
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.scores.score import Opened, Score, warp

NEEDED = ("ticks_per_beat", "duration", "pitch")


def to_score(durations: np.ndarray, rest: np.ndarray, least: np.ndarray, ticks_per_beat: int) -> Score:
    """Returns the score of the notes among the rows.

    Args:
        durations: int64 `(R,)`, ticks.
        rest: bool `(R,)`; which rows are rests.
        least: int64 `(R,)`; the least ticks that each row may become.
        ticks_per_beat: The resolution.

    Raises:
        InputError: There are no notes, or a note has no length.

    >>> rest = np.array([False, True, False])
    >>> to_score(np.array([240, 60, 480]), rest, np.array([1, 0, 1]), ticks_per_beat=480).times
    array([  0, 240, 300, 780])
    """
    note = np.flatnonzero(~rest)
    if not len(note):
        raise InputError("it has no notes")
    if not durations[note].all():
        raise InputError(f"row {note[durations[note].argmin()]} is a note of no length, which no score has")
    ends = np.cumsum(durations)
    kept = np.concatenate([[0], np.cumsum(least)])
    # Rests at the end have no note after them to move with, so the whole keeps its length. The last note may last until
    # they are at their least.
    has_rest_at_end = note[-1] < len(rest) - 1
    return Score(
        times=np.stack([ends[note] - durations[note], ends[note]], axis=1).ravel(),
        least=np.diff(np.stack([kept[note], kept[note + 1]], axis=1).ravel()),
        latest=int(ends[-1] - (kept[-1] - kept[note[-1] + 1])) if has_rest_at_end else LAST_TICK,
        ticks_per_beat=ticks_per_beat,
    )


def to_durations(times: np.ndarray, score: Score, durations: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Returns the durations of the rows after the notes have moved, int64 `(R,)`, ticks.

    Args:
        times: int64 `(2N,)`; the new times of the notes.
        score: The notes before they moved; what `to_score` made of the rows.
        durations: int64 `(R,)`, ticks; the rows before the notes moved.
        rest: bool `(R,)`; which rows are rests.
    """
    edges = np.concatenate([[0], np.cumsum(durations)])
    # Several rests may stand between two notes; they are stretched together.
    begins = warp(edges, score.times, times)
    note = np.flatnonzero(~rest)
    # A row ends where the next one begins. Only a note before a rest, or at the end, ends by itself.
    before_rest = np.append(rest, True)[note + 1]
    begins[note[before_rest] + 1] = times[1::2][before_rest]
    begins[note] = times[::2]
    return np.diff(begins)


def open_csv(content: bytes) -> Opened:
    """Reads a CSV file.

    Raises:
        InputError: It cannot be used; the message says why.
    """
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"it is no CSV file in UTF-8 ({error})") from error
    columns = list(reader.fieldnames or [])
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise InputError(f"it has no column '{missing[0]}'; it needs {', '.join(NEEDED)}")
    if any(None in row or None in row.values() for row in rows):
        raise InputError("its rows are not all of the same length")
    durations, pitch, resolution = (
        _whole([row[name] for row in rows], name) for name in ("duration", "pitch", NEEDED[0])
    )
    if len(set(resolution.tolist())) > 1:
        raise InputError("its ticks_per_beat is not the same in all rows")

    def save(moved: np.ndarray) -> bytes:
        return _csv([row | {"duration": int(ticks)} for row, ticks in zip(rows, moved, strict=True)])

    return _opened(durations, pitch, int(resolution[0]) if len(rows) else 0, save)


def open_json(content: bytes) -> Opened:
    """Reads a JSON file.

    Raises:
        InputError: It cannot be used; the message says why.
    """
    try:
        song = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"it is no JSON ({error})") from error
    needed = ("ticks_per_beat", "durations", "pitch")
    if not isinstance(song, dict) or not all(name in song for name in needed):
        raise InputError(f"it is no object with {', '.join(needed)}")
    durations, pitch = (_whole(song[name], name) for name in needed[1:])
    if len(durations) != len(pitch):
        raise InputError(f"it has {len(durations)} durations and {len(pitch)} pitches")
    resolution = int(_whole([song[needed[0]]], needed[0])[0])
    return _opened(durations, pitch, resolution, lambda moved: _json({**song, "durations": moved.tolist()}))


def from_voice(times: np.ndarray, voice: Voice, suffix: str) -> bytes:
    """Returns a `.csv` or `.json` file of a MIDI file's voice at these times, with its lyrics.

    Args:
        times: int64 `(2N,)`; onset and end of each note.
        voice: The notes.
        suffix: `.csv` or `.json`.
    """
    durations, pitch = np.diff(times), np.zeros(len(times) - 1, dtype=np.int64)
    lyric = np.full(len(pitch), "", dtype=object)
    pitch[::2], lyric[::2] = voice.pitch, voice.lyric
    kept = durations > 0  # a rest of 0 ticks gets no row
    columns = {"duration": durations[kept].tolist(), "pitch": pitch[kept].tolist(), "lyric": lyric[kept].tolist()}
    if suffix == ".csv":
        rows = zip(*columns.values(), strict=True)
        return _csv([{"ticks_per_beat": voice.ticks_per_beat, **dict(zip(columns, row, strict=True))} for row in rows])
    columns["durations"] = columns.pop("duration")
    return _json({"ticks_per_beat": voice.ticks_per_beat, **columns})


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _json(song: dict[str, Any]) -> bytes:
    return (json.dumps(song, ensure_ascii=False) + "\n").encode()


def _opened(
    durations: np.ndarray, pitch: np.ndarray, ticks_per_beat: int, save: Callable[[np.ndarray], bytes]
) -> Opened:
    if len(durations) and ticks_per_beat < 1:
        raise InputError(f"its ticks_per_beat is {ticks_per_beat}, and must be above 0")
    rest = pitch == 0
    # A note keeps at least a tick; a rest may vanish.
    score = to_score(durations, rest, (~rest).astype(np.int64), ticks_per_beat)._replace(pitch=pitch[~rest])
    return Opened([score], lambda times: save(to_durations(times[0], score, durations, rest)))


def _whole(values: Any, name: str) -> np.ndarray:
    """Returns whole numbers from 0 to `LONGEST`, int64 `(R,)`."""
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"its {name} are not all numbers") from error
    if numbers.ndim != 1 or not ((numbers >= 0) & (numbers <= LONGEST) & (numbers % 1 == 0)).all():
        raise InputError(f"its {name} are not all whole numbers from 0 to {LONGEST}")
    return numbers.astype(np.int64)
