"""A voice's notes on the time line: read from a MIDI file, fitted to new times, and put back into the file.

Shapes: `N` notes. A song of `N` notes has `2N - 1` durations, notes and the rests between them in turn, and `2N` points
in time, the onset and the end of each note.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from toy_duration_predictor.data.limits import LONGEST
from toy_duration_predictor.data.midi import Voice, read_voice, vocal_track
from toy_duration_predictor.data.recipe import Recipe, sung_part
from toy_duration_predictor.data.smf import END_OF_TRACK, LAST_TICK, LYRIC, META, TEXT, Event, Tracks


class Score(NamedTuple):
    """Notes of one voice. Ticks throughout.

    Attributes:
        times: int64 `(2N,)`, not descending; onset and end of each note. Where two notes touch, the rest between them
            has 0 ticks, as the tiny rests of singers have on a grid.
        least: int64 `(2N - 1,)`; what each duration must keep.
        latest: Where the last note must have ended.
        ticks_per_beat: The resolution.
        bar: int64 `(N,)`; where the bar begins that each onset lies in. None where bars are not known.
    """

    times: np.ndarray
    least: np.ndarray
    latest: int
    ticks_per_beat: int
    bar: np.ndarray | None


class Opened(NamedTuple):
    """A file that was read: its voices, and what makes a file of the times `(2N,)` that the notes of each move to."""

    scores: list[Score]
    write: Callable[[list[np.ndarray]], bytes]


def read_score(tracks: Tracks, track: int | None = None) -> tuple[Score, Voice, int]:
    """Reads the sung part of a file's vocal track, as it is prepared for training; see `recipe.sung_part`.

    Args:
        tracks: The file.
        track: Which track it is, from 0; None is the one with the most notes.

    Returns:
        When its notes are, what they are, and the number of the track.

    Raises:
        InputError: There is no such track, or it has no notes; see `midi.read_voice`.
    """
    track = vocal_track(tracks, track)
    voice = read_voice(tracks, track)
    part = sung_part(voice, Recipe())
    times = np.stack([part.onset, part.onset + part.duration], axis=1).ravel()
    later = voice.onset[voice.onset > part.onset[-1]]
    metre = part.metres[np.searchsorted(part.metres[:, 0], part.onset, side="right") - 1]
    since, bar_beats, note_value = metre.T
    whole = 4 * tracks.ticks_per_beat * np.maximum(bar_beats, 1)  # ticks of a bar, times the note value
    score = Score(
        times=times,
        least=np.arange(len(times) - 1) % 2 ^ 1,
        latest=int(later[0]) if len(later) else LAST_TICK,
        ticks_per_beat=tracks.ticks_per_beat,
        bar=since + (part.onset - since) * note_value // whole * whole // note_value,
    )
    return score, part, track


def fit(wanted: np.ndarray, score: Score, fixed: np.ndarray) -> np.ndarray:
    """Returns the points in time near the wanted ones at which every duration keeps its least.

    Args:
        wanted: float `(2N,)`, ticks.
        score: Its times keep to its own rules.
        fixed: Places among the `2N` at which the score's times are kept.

    Returns:
        int64 `(2N,)`, ticks. Points are moved only where they must be: later ones than they are wanted where a note
        would be too short, and earlier ones before a fixed one.
    """
    room = np.concatenate([[0], np.cumsum(score.least)])
    times = np.rint(np.clip(wanted, -LONGEST, LAST_TICK)).astype(np.int64)
    times[fixed] = score.times[fixed]
    times = np.maximum.accumulate(times - room) + room
    times[fixed] = score.times[fixed]
    times[-1] = min(times[-1], score.latest)
    earliest: np.ndarray = np.minimum.accumulate((times - room)[::-1])[::-1] + room
    return earliest


def warp(ticks: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Moves what stands between notes, or within them, along with them.

    Args:
        ticks: int64, any shape.
        before: int64 `(2N,)`; the times of the notes.
        after: int64 `(2N,)`; where they were moved to; the first one is the same.

    Returns:
        int64. What stood at an onset stands at the new one, and order is kept.
    """
    # The last of equal times counts: an onset, not the end of the note before it.
    place = np.searchsorted(before, ticks, side="right") - 1
    inner = np.clip(place, 0, len(before) - 2)
    start, stop = before[inner], before[inner + 1]
    share = (ticks - start) / np.maximum(stop - start, 1)
    between = after[inner] + np.rint(share * (after[inner + 1] - after[inner])).astype(np.int64)
    return np.where(place < 0, ticks, np.where(place > inner, np.maximum(ticks, after[-1]), between))


def move(events: list[Event], before: np.ndarray, after: np.ndarray) -> list[Event]:
    """Moves the notes of a track, and its lyrics along with them.

    Where several notes begin at once, all move. Of notes that overlap, the earlier one ends before the later begins.
    Text events at onsets move where there are no lyrics. The end of the track moves only where a note goes beyond it.

    Args:
        events: The track's.
        before: int64 `(2N,)`; the times of its notes.
        after: int64 `(2N,)`; where they go.

    Returns:
        The events in the order of their ticks. At the same tick, ends of notes that began earlier come first.
    """
    onsets = {int(tick): note for note, tick in enumerate(before[::2])}
    new_onsets = dict(zip(after[::2].tolist(), before[::2].tolist(), strict=True))
    lyric = LYRIC if any(status == META and kind == LYRIC for _, status, kind, _ in events) else TEXT
    warped = warp(np.array([tick for tick, *_ in events]), before, after).tolist()
    # Of each channel and pitch, the notes that sound: the voice's note, if it is one, and its new onset.
    sounding: dict[tuple[int, int], list[tuple[int | None, int]]] = defaultdict(list)
    moved: list[tuple[int, int, Event]] = []
    for (tick, status, kind, data), moves_to in zip(events, warped, strict=True):
        message, to, order = status & 0xF0, tick, 1
        if message == 0x90 and data != b"\0":
            note, to = onsets.get(tick), moves_to
            sounding[status & 0x0F, kind].append((note, to))
        elif message in (0x80, 0x90):
            of = sounding[status & 0x0F, kind]
            # The note that ends here, or else the one that began first.
            ending = [i for i, (n, _) in enumerate(of) if n is not None and before[2 * n + 1] == tick]
            note, began = of.pop(ending[0] if ending else 0) if of else (None, None)
            to = moves_to if note is None else _end(tick, note, before, after)
            order = 0 if began is not None and began < to else 1
        elif status == META and kind == lyric and (kind == LYRIC or tick in onsets):
            # A lyric that was at no onset stays on its side of the one that rounding would take it to.
            to = moves_to
            if tick not in onsets and to in new_onsets:
                to = to + 1 if tick > new_onsets[to] else max(to - 1, 0)
        elif status == META and kind == END_OF_TRACK:
            to, order = max([tick, *(to for to, _, _ in moved)]), 2
        moved.append((to, order, (to, status, kind, data)))
    return [event for _, _, event in sorted(moved, key=lambda each: each[:2])]


def _end(tick: int, note: int, before: np.ndarray, after: np.ndarray) -> int:
    """Returns where the end of a note goes; a lower note of a chord may end before the voice's."""
    (start, stop), (new_start, new_stop) = before[2 * note : 2 * note + 2], after[2 * note : 2 * note + 2]
    share = (min(tick, int(stop)) - start) / (stop - start)
    return max(int(new_start) + 1, int(new_start + np.rint(share * (new_stop - new_start))))
