"""Notes of a voice put back into a track of a MIDI file at other times, and lyrics along with them.

Shapes: `N` notes of the voice, which sings one at a time; see `score`. `M` notes of its channel: chords, and notes that
overlap, have more.
"""

from collections.abc import Collection

import numpy as np

from toy_duration_predictor.data.midi.pairs import Notes
from toy_duration_predictor.data.midi.smf import END_OF_TRACK, META, Event
from toy_duration_predictor.scores.score import warp


def move_notes(
    events: list[Event],
    before: np.ndarray,
    after: np.ndarray,
    notes: Notes | None,
    lyrics: Collection[int] = (),
    keep_lengths: bool = False,
) -> list[Event]:
    """Moves the notes of a voice, and lyrics along with them, in a track.

    Notes that begin together move together. Where notes overlap, the earlier note ends before the later one begins. The
    beginning and the end of a note without length move together. The end of the track moves only where a note goes
    beyond it.

    Args:
        events: The track's.
        before: int64 `(2N,)`; the times of the voice's notes.
        after: int64 `(2N,)`; the times that they move to.
        notes: All notes of the voice's channel; None in a track that has lyrics alone.
        lyrics: Which events are lyrics that move.
        keep_lengths: Whether notes that overlap stay as long as they are.

    Returns:
        The events in the order of their ticks. At the same tick, ends of notes that began earlier come first.
    """
    ticks = np.array([event[0] for event in events], dtype=np.int64)
    to = ticks.copy()
    # Among the events at a tick, ends come first, then all others as they were, and the end of the track.
    order = np.ones(len(events), dtype=np.int64)
    if notes is not None:
        off = notes.off if keep_lengths else _ends_of_voice(notes, ticks, before)
        ended = off >= 0
        end = np.where(ended, ticks[off], notes.end)
        to[notes.on] = warp(notes.onset, before, after)
        moved = _lengths_kept if keep_lengths else _one_at_a_time
        ends = np.where(end > notes.onset, moved(notes, end, before, after), to[notes.on])
        to[off[ended]] = ends[ended]
        order[off[ended & (ends > to[notes.on])]] = 0
        # Ends without a note go with what is around them.
        to[notes.stray] = warp(ticks[notes.stray], before, after)
    which = np.array(sorted(lyrics), dtype=np.int64)
    to[which] = _lyrics(ticks[which], before, after)
    for i, (tick, status, kind, _) in enumerate(events):
        if status == META and kind == END_OF_TRACK:
            to[i], order[i] = max(tick, to[:i].max(initial=0)), 2
    return [(int(to[i]), *events[i][1:]) for i in np.lexsort([order, to]).tolist()]


def _ends_of_voice(notes: Notes, ticks: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Returns which event ends each note, int64 `(M,)`, with the voice's own ends given to the voice's notes.

    Where a pitch begins again before it has ended, the end of the voice's note may be that of an earlier one.
    """
    off = notes.off.copy()
    end_of = dict(zip(before[::2].tolist(), before[1::2].tolist(), strict=True))
    by_end = {
        (int(notes.pitch[i]), int(ticks[off[i]])): int(i)
        for i in np.flatnonzero(off >= 0)
        if ticks[off[i]] > notes.onset[i]
    }
    # The voice's note at an onset is the highest.
    highest: dict[int, int] = {}
    for i, onset in enumerate(notes.onset.tolist()):
        if onset in end_of and (off[i] < 0 or ticks[off[i]] > onset):
            highest[onset] = max(highest.get(onset, i), i, key=lambda each: (notes.pitch[each], -each))
    for onset, i in highest.items():
        end = end_of[onset]
        other = by_end.get((int(notes.pitch[i]), end))
        if other is not None and other != i and (off[i] < 0 or ticks[off[i]] != end):
            off[i], off[other] = off[other], off[i]
            by_end[int(notes.pitch[i]), end] = i
            if off[other] >= 0:
                by_end[int(notes.pitch[i]), int(ticks[off[other]])] = other
    return off


def _one_at_a_time(notes: Notes, end: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Returns new ends, int64 `(M,)`: within those of the voice's notes, whose share of their lengths they keep."""
    ends = warp(end, before, after)
    at = np.searchsorted(before[::2], notes.onset)
    of_voice = np.append(before[::2], -1)[at] == notes.onset
    start, stop, new_start, new_stop = (
        times[at[of_voice]] for times in (before[::2], before[1::2], after[::2], after[1::2])
    )
    # A note of a chord may end before the voice's own note does, and none ends after it.
    share = (np.minimum(end[of_voice], stop) - start) / (stop - start)
    ends[of_voice] = np.maximum(new_start + 1, new_start + np.rint(share * (new_stop - new_start)).astype(np.int64))
    return ends


def _lengths_kept(notes: Notes, end: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Returns new ends, int64 `(M,)`: as far from the onsets as before, but not beyond the pitch's next beginning."""
    onset = warp(notes.onset, before, after)
    ends: np.ndarray = onset + end - notes.onset
    # The next note of each pitch that begins later, by going through all notes from the last one.
    following: dict[int, tuple[int, int]] = {}
    for i in range(len(ends) - 1, -1, -1):
        pitch, began = int(notes.pitch[i]), int(notes.onset[i])
        later = following.get(pitch)
        if later is None or notes.onset[later[0]] > began:
            following[pitch] = (i, -1 if later is None else later[0])
        after_it = following[pitch][1]
        if after_it >= 0 and end[i] <= notes.onset[after_it]:
            ends[i] = max(min(ends[i], onset[after_it]), onset[i] + 1)
    return ends


def _lyrics(ticks: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Returns the ticks that lyrics move to, int64, the same shape."""
    to = warp(ticks, before, after)
    at = np.searchsorted(after[::2], to).clip(max=len(after) // 2 - 1)
    # A lyric beside an onset may be rounded onto it, and would become its lyric. It stays a tick away.
    beside = (after[::2][at] == to) & ~np.isin(ticks, before[::2])
    beside_it: np.ndarray = to + beside * np.where(ticks > before[::2][at], 1, -1)
    return beside_it.clip(min=0)
