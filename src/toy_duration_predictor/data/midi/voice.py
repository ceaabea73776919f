"""The voice of a MIDI file as a sequence of notes and rests; `voices` says which notes are the voice.

A voice sings one note at a time. Files are not always so tidy. They are mended as follows, and `Voice.mended` counts
how often:

| found | becomes |
| --- | --- |
| several notes begin at once | one note, the highest |
| a note begins before the last one ended | the last note's end |
| a note is never ended | ended by the next note, or by the end of its track |
| a note ends where it begins | no note, and nothing else changes by it |
| an end without a note | nothing |
"""

from collections import Counter
from collections.abc import Mapping
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from toy_duration_predictor.data.midi.lyrics import find_lyrics, lyric_at, lyrics_of_voice
from toy_duration_predictor.data.midi.pairs import Notes, channels
from toy_duration_predictor.data.midi.smf import META, SET_TEMPO, TIME_SIGNATURE, Event, Tracks
from toy_duration_predictor.data.midi.voices import Candidate, candidates, choose
from toy_duration_predictor.errors import InputError

# The MIDI file format's default, 120 beats a minute.
DEFAULT_TEMPO = 500_000
# Where notes are from that were not read from a file.
UNKNOWN = Candidate("0", track=0, channel=1, name="", notes=0, lyrics=0, overlap=0.0, why="", onsets=0)
NO_EVENTS = Notes(*[np.zeros(0, dtype=np.int64)] * len(Notes._fields))


class Voice(NamedTuple):
    """Notes, and rests where there are any, in the order of their onsets. Ticks throughout.

    Attributes:
        onset: int64 `(N,)`.
        duration: int64 `(N,)`.
        pitch: int64 `(N,)`; MIDI note numbers, 0 is a rest.
        lyric: `N` strings, without white space at their ends; empty where there is none.
        ticks_per_beat: The file's resolution.
        tempos: int64 `(M, 2)`; a tick, and the microseconds that a beat takes from there on. The first tick is 0.
        metres: int64 `(K, 3)`; a tick, and the bar from there on, such as 6 and 8 for a bar of six eighths.
        mended: How often the file was mended, by what was found.
        taken: The channel of a track that these notes are from, and why it was taken.
        note_events: All notes of this channel, as the file has them.
        lyric_events: The lyrics that go with them: by their tracks, bytes by the index of the event.
    """

    onset: np.ndarray
    duration: np.ndarray
    pitch: np.ndarray
    lyric: list[str]
    ticks_per_beat: int
    tempos: np.ndarray
    metres: np.ndarray
    mended: dict[str, int]
    taken: Candidate = UNKNOWN
    note_events: Notes = NO_EVENTS
    lyric_events: Mapping[int, Mapping[int, bytes]] = {}

    def seconds(self, ticks: np.ndarray) -> np.ndarray:
        """Returns points in time, in seconds from the beginning, of points in ticks."""
        # `passed` has the seconds until each change of the tempo.
        since, tempo = self.tempos[:, 0], self.tempos[:, 1] / 1e6 / self.ticks_per_beat
        passed = np.concatenate([[0.0], np.cumsum(np.diff(since) * tempo[:-1])])
        which = np.searchsorted(since, ticks, side="right") - 1
        seconds: np.ndarray = passed[which] + (ticks - since[which]) * tempo[which]
        return seconds


def read_voice(tracks: Tracks, track: int | str | None = None, encoding: str | None = None) -> Voice:
    """Returns the notes of a file's voice.

    Args:
        tracks: The file.
        track: The voice's number; None is found by the rule of `voices`.
        encoding: That of names and lyrics, such as `cp949`; None finds it.

    Raises:
        InputError: There is no such voice, or it has no notes.
    """
    notes = [channels(events) for events in tracks.tracks]
    lyrics = find_lyrics(tracks, notes)
    taken = choose(candidates(tracks, notes, lyrics, encoding), track)
    own = notes[taken.track][taken.channel - 1]
    onset, end, pitch, mended = _notes(tracks.tracks[taken.track], taken.channel - 1, own)
    if not len(onset):
        raise InputError("none of its notes lasts a tick")

    of_voice = lyrics_of_voice(tracks, notes, lyrics, taken.track, taken.channel - 1)
    lyric = lyric_at(tracks, lyrics, of_voice, taken.track, encoding)
    tempos = {0: DEFAULT_TEMPO} | {
        tick: int.from_bytes(data) or DEFAULT_TEMPO for tick, data in _of_file(tracks, SET_TEMPO) if len(data) == 3
    }
    metres = {0: (4, 4)} | {
        tick: (data[0], 2 ** min(data[1], 8)) for tick, data in _of_file(tracks, TIME_SIGNATURE) if len(data) >= 2
    }
    return Voice(
        onset=onset,
        duration=end - onset,
        pitch=pitch,
        lyric=[lyric.get(tick, "") for tick in onset.tolist()],
        ticks_per_beat=tracks.ticks_per_beat,
        tempos=np.array(list(tempos.items())),
        metres=np.array([(tick, *metre) for tick, metre in metres.items()]),
        mended=dict(mended),
        taken=taken,
        note_events=own,
        lyric_events=of_voice,
    )


def _of_file(tracks: Tracks, kind: int) -> list[tuple[int, bytes]]:
    """Returns the ticks and the payloads of a kind of meta events, from all tracks, in the order of their ticks.

    In format 1 tempo and metre are in a track of their own. A later event of the same tick overrules an earlier one.
    """
    found = [(e[0], e[3]) for events in tracks.tracks for e in events if e[1] == META and e[2] == kind]
    return sorted(found, key=itemgetter(0))


def _notes(events: list[Event], channel: int, notes: Notes) -> tuple[np.ndarray, np.ndarray, np.ndarray, Counter[str]]:
    """Returns onsets, ends and pitches of one voice, and how often it was mended; see the top of this file."""
    mended: Counter[str] = Counter()
    if notes.is_tidy:
        return notes.onset, notes.end, notes.pitch, mended
    none = (notes.onset == notes.end) & (notes.off >= 0)
    if none.any():
        mended["a note ends where it begins"] = int(none.sum())
        left_out = {*notes.on[none].tolist(), *notes.off[none].tolist()}
        events = [event for i, event in enumerate(events) if i not in left_out]
    onsets: list[int] = []
    ends: list[int] = []
    pitches: list[int] = []
    begins, ends_it = 0x90 | channel, 0x80 | channel
    sounding = False
    # The pitch of the note that the sounding note cut short. If the pitches are the same, and the old note's own end
    # follows at the tick at which the new note begins, it must not end the new note.
    cut: int | None = None

    def end(tick: int) -> None:
        if tick == onsets[-1]:
            mended["a note ends where it begins"] += 1
            del onsets[-1], pitches[-1]
        else:
            ends.append(tick)

    for tick, status, pitch, data in events:
        # A note-on of velocity 0 is a note-off.
        if status == begins and data != b"\0":
            if sounding and tick == onsets[-1]:
                mended["several notes begin at once"] += 1
                pitches[-1] = max(pitches[-1], pitch)
                continue
            cut = pitches[-1] if sounding else None
            if sounding:
                mended["a note begins before the last one ended"] += 1
                end(tick)
            onsets.append(tick)
            pitches.append(pitch)
            sounding = True
        elif status in (begins, ends_it):
            if sounding and pitch == pitches[-1] and not (tick == onsets[-1] and pitch == cut):
                end(tick)
                sounding = False
            else:
                mended["an end without a note"] += 1
    if sounding:
        mended["a note is never ended"] += 1
        end(events[-1][0])
    return np.array(onsets), np.array(ends), np.array(pitches), mended
