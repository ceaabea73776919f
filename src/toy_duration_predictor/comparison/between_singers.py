"""How far different singers of the same song differ: a lower bound.

Where several singers have sung a song, what one of them sang is a prediction of what another one sings. A model that is
told neither the singer nor the song cannot know what they do not share.

Two performances are aligned by their melodies: by runs of at least `RUN` notes with the same intervals, found by
difflib. Of the aligned notes, only notes with the same quantized duration in both, in grid steps, are compared. Where
the quantized durations differ, it is not known whether the singers differ, the transcription or the quantizer. So the
notes compared are notes on which performances agree better than on most, and the true differences are larger. Rests are
left out, and so are pairs of performances by one singer.
"""

from collections import defaultdict
from difflib import SequenceMatcher
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from datasets import Dataset

from toy_duration_predictor.comparison.statistics import Interval, mae_interval
from toy_duration_predictor.data.quantize import grid_step
from toy_duration_predictor.data.schema import column

# Runs this long are hardly found by chance: among the 160 real songs they hold 1 % of the notes in random pairs of
# songs, and 40 % in pairs of the same song. With runs of 4 notes it would be 12 % and 56 %.
RUN = 8


class Matches(NamedTuple):
    """Notes that two singers sang. A pair's note is there twice, once for each singer; arrays are `(N,)`.

    Attributes:
        pairs: Pairs of performances that were aligned.
        alignable: Notes of the shorter performance of each pair.
        song: int64; number of the song.
        row: int64; the performance's row in the songs table.
        note: int64; the note's number in the performance.
        step: The performance's grid step, ticks.
        quantized: The note's quantized duration, ticks.
        sung: Its sung duration, ticks.
        other: What the other singer sang, in ticks of this performance.
    """

    pairs: int
    alignable: int
    song: np.ndarray
    row: np.ndarray
    note: np.ndarray
    step: np.ndarray
    quantized: np.ndarray
    sung: np.ndarray
    other: np.ndarray


class Differences(NamedTuple):
    """Mean absolute errors on matched notes, with BCa intervals over songs, ticks.

    Attributes:
        songs: How many songs the notes are of.
        notes: How many notes there are; a pair's note counts twice.
        other: Error of the other singer's duration.
        copy: Error of the quantized duration.
        model: Error of a model.
        other_steps: As `other`, in grid steps.
        copy_steps: As `copy`, in grid steps.
        correlation: Of both singers' deviations from the grid, in steps; 1 if the song alone decided them.
    """

    songs: int
    notes: int
    other: Interval
    copy: Interval
    model: Interval | None
    other_steps: float
    copy_steps: float
    correlation: float


class BetweenSingers(NamedTuple):
    """How far singers of the same song differ.

    Attributes:
        pairs: Pairs of performances that were aligned.
        alignable: Notes of the shorter performance of each pair.
        matched: Notes that are compared.
        all_songs: Differences in all songs.
        test_songs: Differences in the test songs, and the model's error; None where none of their notes is matched.
    """

    pairs: int
    alignable: int
    matched: int
    all_songs: Differences | None
    test_songs: Differences | None


class _Melody(NamedTuple):
    """The notes of a performance without its rests: their numbers in it, intervals, and durations in steps."""

    note: np.ndarray
    intervals: list[int]
    quantized: np.ndarray
    sung: np.ndarray
    step: int


def between_singers(table: Dataset, predictions: pa.Table, resamples: int) -> BetweenSingers | None:
    """Compares performances of the same song by different singers.

    Args:
        table: The songs table.
        predictions: A model's, as `predictions` describes them.
        resamples: Of the bootstrap.

    Returns:
        None where the table does not know `song_id` and `pitch`, or no note is matched.
    """
    matched = matches(table)
    if matched is None:
        return None
    return BetweenSingers(
        pairs=matched.pairs,
        alignable=matched.alignable,
        matched=len(matched.song) // 2,
        all_songs=differences(matched, resamples),
        test_songs=differences(matched, resamples, predictions),
    )


def matches(table: Dataset) -> Matches | None:
    """Aligns all pairs of performances of the same song by different singers.

    Returns:
        None where the table does not know `song_id` and `pitch`, or no note is matched.
    """
    if not {"song_id", "pitch"} <= set(table.column_names):
        return None
    rows_of_song: dict[str, list[int]] = defaultdict(list)
    for row, song_id in enumerate(table["song_id"]):
        if song_id is not None:
            rows_of_song[song_id].append(row)
    singers = list(table["singer_id"])
    pairs, alignable, found = 0, 0, []
    for song, rows in enumerate(rows_of_song.values()):
        melodies = {row: _melody(table[row]) for row in rows} if len(rows) > 1 else {}
        for pair in combinations(rows, 2):
            if singers[pair[0]] == singers[pair[1]]:
                continue
            sides = melodies[pair[0]], melodies[pair[1]]
            pairs += 1
            alignable += min(len(side.note) for side in sides)
            numbers = _aligned(*sides)
            for row, own, other, at, there in zip(pair, sides, sides[::-1], numbers, numbers[::-1], strict=True):
                durations = (own.quantized[at], own.sung[at], other.sung[there])
                alike = [np.full(len(at), value) for value in (song, row)]
                steps = np.full(len(at), float(own.step))
                found.append((*alike, own.note[at], steps, *(each * own.step for each in durations)))
    columns = [np.concatenate(each) for each in zip(*found, strict=True)]
    return Matches(pairs, alignable, *columns) if columns and len(columns[0]) else None


def differences(matched: Matches, resamples: int, predictions: pa.Table | None = None) -> Differences | None:
    """Returns how far singers differ on matched notes.

    Args:
        matched: All matched notes.
        resamples: Of the bootstrap.
        predictions: A model's, as `predictions` describes them. If given, only notes of their songs count, and the
            model's error on these is given too.

    Returns:
        None where none of the predicted songs has a matched note.
    """
    predicted = None
    if predictions is not None:
        of_row = dict(zip(predictions["row"].to_pylist(), predictions["predicted"].to_pylist(), strict=True))
        known = np.isin(matched.row, list(of_row))
        if not known.any():
            return None
        matched = matched._replace(**{name: getattr(matched, name)[known] for name in Matches._fields[2:]})
        predicted = np.array([of_row[row][note] for row, note in zip(matched.row, matched.note, strict=True)])
    _, song = np.unique(matched.song, return_inverse=True)
    notes = np.bincount(song)

    def error(durations: np.ndarray) -> Interval:
        sums = np.bincount(song, np.abs(durations - matched.sung))
        return mae_interval(sums, notes, np.zeros(len(notes)), resamples=resamples)

    def in_steps(durations: np.ndarray) -> np.ndarray:
        return np.asarray((durations - matched.quantized) / matched.step)

    own, others = in_steps(matched.sung), in_steps(matched.other)
    moves = own.std() > 0 and others.std() > 0
    return Differences(
        songs=len(notes),
        notes=len(song),
        other=error(matched.other),
        copy=error(matched.quantized),
        model=None if predicted is None else error(predicted),
        other_steps=float(np.abs(others - own).mean()),
        copy_steps=float(np.abs(own).mean()),
        correlation=float(np.corrcoef(own, others)[0, 1]) if moves else 0.0,
    )


def _melody(row: dict[str, Any]) -> _Melody:
    pitch, quantized, sung = (np.asarray(row[column(name)]) for name in ("pitch", "quantized", "sung"))
    note = np.flatnonzero(pitch)
    step = grid_step(quantized)
    intervals = np.diff(pitch[note], prepend=pitch[note][:1]).tolist()
    return _Melody(note, intervals, quantized[note] / step, sung[note] / step, step)


def _aligned(one: _Melody, other: _Melody) -> tuple[np.ndarray, np.ndarray]:
    """Returns the numbers of matched notes in either melody, int64 `(N,)` each."""
    runs = SequenceMatcher(None, one.intervals, other.intervals, autojunk=False).get_matching_blocks()
    numbers = [(run.a + i, run.b + i) for run in runs if run.size >= RUN for i in range(run.size)]
    at, there = np.array(numbers, dtype=np.int64).reshape(-1, 2).T
    same = one.quantized[at] == other.quantized[there]
    return at[same], there[same]
