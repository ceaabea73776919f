"""The vocal track of a MIDI file as a sequence of notes and rests.

A voice sings one note at a time, and files are not always so tidy. What is done about it, and counted in
`Voice.repairs`, is:

| what | is |
| --- | --- |
| several notes begin at once | one note, the highest |
| a note begins before the last one ended | the last one's end |
| a note is never ended | ended by the next note, or by the end of its track |
| a note ends where it begins | no note |
| an end without a note | nothing |
"""

from collections import Counter
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from toy_duration_predictor.data.midi.smf import LYRIC, META, SET_TEMPO, TEXT, TIME_SIGNATURE, Event, Tracks
from toy_duration_predictor.errors import InputError

# The MIDI file format's default, 120 beats a minute.
DEFAULT_TEMPO = 500_000

# Lyrics of Korean corpora are in either of the first two; any bytes are Latin-1.
ENCODINGS = ("utf-8", "cp949", "latin-1")


class Voice(NamedTuple):
    """Notes, and rests where there are any, in the order of their onsets. Ticks throughout.

    Attributes:
        onset: int64 `(N,)`.
        duration: int64 `(N,)`.
        pitch: int64 `(N,)`; MIDI note numbers, 0 is a rest.
        lyric: `N` strings, without white space at their ends; empty where there is none.
        ticks_per_beat: The file's resolution.
        tempos: int64 `(M, 2)`; from which tick on a beat takes how many microseconds. The first begins at 0.
        metres: int64 `(K, 3)`; from which tick on a bar has how many of which note value, such as 6 and 8.
        encoding: Which of `ENCODINGS` the lyrics are in.
        repairs: How often each kind of untidiness was met.
    """

    onset: np.ndarray
    duration: np.ndarray
    pitch: np.ndarray
    lyric: list[str]
    ticks_per_beat: int
    tempos: np.ndarray
    metres: np.ndarray
    encoding: str
    repairs: dict[str, int]

    def seconds(self, ticks: np.ndarray) -> np.ndarray:
        """Returns points in time, in seconds from the beginning, of points in ticks."""
        since, tempo = self.tempos[:, 0], self.tempos[:, 1] / 1e6 / self.ticks_per_beat
        passed = np.concatenate([[0.0], np.cumsum(np.diff(since) * tempo[:-1])])
        which = np.searchsorted(since, ticks, side="right") - 1
        seconds: np.ndarray = passed[which] + (ticks - since[which]) * tempo[which]
        return seconds


def read_voice(tracks: Tracks, track: int | None = None) -> Voice:
    """Returns the notes of a file's vocal track.

    Args:
        tracks: The file.
        track: Which track it is, from 0; None is the one with the most notes.

    Raises:
        InputError: There is no such track, or it has no notes.
    """
    onsets, ends, pitches, repairs = _notes(tracks.tracks[vocal_track(tracks, track)])
    if not onsets:
        raise InputError("none of its notes lasts a tick")

    # Payloads of meta events by their type, with their ticks, from all tracks.
    meta: dict[int, list[tuple[int, bytes]]] = {}
    for tick, _, kind, data in sorted(
        (e for events in tracks.tracks for e in events if e[1] == META), key=itemgetter(0)
    ):
        meta.setdefault(kind, []).append((tick, data))
    lyric_at, encoding = _lyrics(meta, set(onsets))
    tempos = {0: DEFAULT_TEMPO} | {
        tick: int.from_bytes(data) or DEFAULT_TEMPO for tick, data in meta.get(SET_TEMPO, []) if len(data) == 3
    }
    metres = {0: (4, 4)} | {
        tick: (data[0], 2 ** min(data[1], 8)) for tick, data in meta.get(TIME_SIGNATURE, []) if len(data) >= 2
    }
    onset = np.array(onsets)
    return Voice(
        onset=onset,
        duration=np.array(ends) - onset,
        pitch=np.array(pitches),
        lyric=[lyric_at.get(tick, "") for tick in onsets],
        ticks_per_beat=tracks.ticks_per_beat,
        tempos=np.array(list(tempos.items())),
        metres=np.array([(tick, *metre) for tick, metre in metres.items()]),
        encoding=encoding,
        repairs=dict(repairs),
    )


def vocal_track(tracks: Tracks, track: int | None = None) -> int:
    """Returns the number of a file's vocal track; arguments and errors as of `read_voice`."""
    counts = [len([1 for _, status, _, _ in events if status & 0xF0 == 0x90]) for events in tracks.tracks]
    if track is None:
        track = int(np.argmax(counts))
    elif not 0 <= track < len(counts):
        raise InputError(f"it has {len(counts)} tracks, and none is number {track}")
    if not counts[track]:
        raise InputError("it has no notes" if not any(counts) else f"track {track} has no notes")
    return track


def _notes(events: list[Event]) -> tuple[list[int], list[int], list[int], Counter[str]]:
    """Returns onsets, ends and pitches of one voice; see the top of this file."""
    onsets: list[int] = []
    ends: list[int] = []
    pitches: list[int] = []
    repairs: Counter[str] = Counter()
    sounding = False
    cut: int | None = None  # pitch of the note that the sounding one cut short: its own end may come at the same tick

    def end(tick: int) -> None:
        if tick == onsets[-1]:
            repairs["a note ends where it begins"] += 1
            del onsets[-1], pitches[-1]
        else:
            ends.append(tick)

    for tick, status, pitch, data in events:
        kind = status & 0xF0
        if kind == 0x90 and data != b"\0":
            if sounding and tick == onsets[-1]:
                repairs["several notes begin at once"] += 1
                pitches[-1] = max(pitches[-1], pitch)
                continue
            cut = pitches[-1] if sounding else None
            if sounding:
                repairs["a note begins before the last one ended"] += 1
                end(tick)
            onsets.append(tick)
            pitches.append(pitch)
            sounding = True
        elif kind in (0x80, 0x90):
            if sounding and pitch == pitches[-1] and not (tick == onsets[-1] and pitch == cut):
                end(tick)
                sounding = False
            else:
                repairs["an end without a note"] += 1
    if sounding:
        repairs["a note is never ended"] += 1
        end(events[-1][0])
    return onsets, ends, pitches, repairs


def _lyrics(meta: dict[int, list[tuple[int, bytes]]], onsets: set[int]) -> tuple[dict[int, str], str]:
    """Returns the lyric at each onset, and its encoding; text events serve where there are no lyric events."""
    found = meta.get(LYRIC) or [(tick, data) for tick, data in meta.get(TEXT, []) if tick in onsets]
    for encoding in ENCODINGS:
        try:
            return {tick: data.decode(encoding).strip() for tick, data in found}, encoding
        except UnicodeDecodeError:
            continue
    raise AssertionError("any bytes are Latin-1")
