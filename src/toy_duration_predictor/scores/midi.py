"""Scores in MIDI files: the voice's notes are read from a file, and put back into their track at other times.

Shapes: `N` notes; see `score`.
"""

from collections import defaultdict

import numpy as np

from toy_duration_predictor.data.midi.recipe import Recipe, sung_part
from toy_duration_predictor.data.midi.smf import END_OF_TRACK, LAST_TICK, LYRIC, META, TEXT, Event, Tracks
from toy_duration_predictor.data.midi.voice import Voice, read_voice, vocal_track
from toy_duration_predictor.scores.score import Score, warp


def read_score(tracks: Tracks, track: int | None = None) -> tuple[Score, Voice, int]:
    """Reads the sung part of a file's vocal track, as `tdp prepare` reads it for training; see `recipe.sung_part`.

    Args:
        tracks: The file.
        track: The vocal track, from 0; None is the one with the most notes.

    Returns:
        The times of its notes, the notes, and the number of the track.

    Raises:
        InputError: There is no such track, or it has no notes; see `midi.read_voice`.
    """
    track = vocal_track(tracks, track)
    voice = read_voice(tracks, track)
    part = sung_part(voice, Recipe())
    times = np.stack([part.onset, part.onset + part.duration], axis=1).ravel()
    later = voice.onset[voice.onset > part.onset[-1]]
    score = Score(
        times=times,
        least=np.arange(len(times) - 1) % 2 ^ 1,  # a tick for a note, none for a rest
        latest=int(later[0]) if len(later) else LAST_TICK,
        ticks_per_beat=tracks.ticks_per_beat,
        pitch=part.pitch,
    )
    return score, part, track


def move_notes(events: list[Event], before: np.ndarray, after: np.ndarray) -> list[Event]:
    """Moves the notes of a track, and its lyrics along with them.

    Notes that begin together move together. Where notes overlap, the earlier note ends before the later one begins.
    Where a track has no lyrics, its text events at onsets count as lyrics. The end of the track moves only where a note
    goes beyond it.

    Args:
        events: The track's.
        before: int64 `(2N,)`; the times of its notes.
        after: int64 `(2N,)`; the times that they move to.

    Returns:
        The events in the order of their ticks. At the same tick, ends of notes that began earlier come first.
    """
    onsets = {int(tick): note for note, tick in enumerate(before[::2])}
    old_onset_of = dict(zip(after[::2].tolist(), before[::2].tolist(), strict=True))
    lyric = LYRIC if any(status == META and kind == LYRIC for _, status, kind, _ in events) else TEXT
    warped = warp(np.array([tick for tick, *_ in events]), before, after).tolist()
    # The notes that sound, by channel and pitch: which note of the voice it is, or None, and its new onset.
    sounding: dict[tuple[int, int], list[tuple[int | None, int]]] = defaultdict(list)
    # New tick, order among the events at this tick, and event. Ends come before onsets, the end of the track last.
    moved: list[tuple[int, int, Event]] = []
    for (tick, status, kind, data), moves_to in zip(events, warped, strict=True):
        message, to, order = status & 0xF0, tick, 1
        if message == 0x90 and data != b"\0":
            note, to = onsets.get(tick), moves_to
            sounding[status & 0x0F, kind].append((note, to))
        elif message in (0x80, 0x90):
            of = sounding[status & 0x0F, kind]
            # Which note of this pitch ends? The one of the voice that ends at this tick, or else the oldest one.
            ending = [i for i, (n, _) in enumerate(of) if n is not None and before[2 * n + 1] == tick]
            note, began = of.pop(ending[0] if ending else 0) if of else (None, None)
            to = moves_to if note is None else _end(tick, note, before, after)
            # An end at the tick of its own onset must stay behind it.
            order = 0 if began is not None and began < to else 1
        elif status == META and kind == lyric and (kind == LYRIC or tick in onsets):
            to = moves_to
            # A lyric beside an onset may be rounded onto it, and would become its lyric. It stays a tick away.
            if tick not in onsets and to in old_onset_of:
                to = to + 1 if tick > old_onset_of[to] else max(to - 1, 0)
        elif status == META and kind == END_OF_TRACK:
            to, order = max([tick, *(to for to, _, _ in moved)]), 2
        moved.append((to, order, (to, status, kind, data)))
    return [event for _, _, event in sorted(moved, key=lambda each: each[:2])]


def _end(tick: int, note: int, before: np.ndarray, after: np.ndarray) -> int:
    """Returns the new tick of a note's end, which is `tick` now and, in a chord, may come before the voice's end."""
    (start, stop), (new_start, new_stop) = before[2 * note : 2 * note + 2], after[2 * note : 2 * note + 2]
    share = (min(tick, int(stop)) - start) / (stop - start)
    return max(int(new_start) + 1, int(new_start + np.rint(share * (new_stop - new_start))))
