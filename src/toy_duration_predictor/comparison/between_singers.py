"""How far different singers of the same song differ: a lower bound.

Where several singers have sung a song, what one of them sang is a prediction of what another one sings. A model that is
told neither the singer nor the song cannot know what they do not share.

Two performances are aligned by their melodies: by runs of at least `RUN` notes with the same intervals, found by
difflib. Of the aligned notes, only notes with the same quantized duration in both, in grid steps, are compared. Where
the quantized durations differ, it is not known whether the singers differ, the transcription or the quantizer. So the
notes compared are notes on which performances agree better than on most, and the true differences are larger. Rests are
left out, and so are pairs of performances by one singer.
"""

from difflib import SequenceMatcher
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from datasets import Dataset

from toy_duration_predictor.comparison.intervals import Interval, mae_interval
from toy_duration_predictor.data.quantize import grid_step
from toy_duration_predictor.data.schema import column

# Runs this long are hardly found by chance: among the 160 real songs they hold 1 % of the notes in random pairs of
# songs, and 40 % in pairs of the same song. With runs of 4 notes it would be 12 % and 56 %.
RUN = 8


class Matches(NamedTuple):
    """Notes that two singers sang.

    Attributes:
        pairs: Pairs of performances that were aligned.
        alignable: Notes of the shorter performance of each pair.
        notes: A row a note and singer, so that a pair's note is there twice. `song` is a number, `row` the
            performance's row in the songs table, `note` the note's number in it, and `step` its grid step in ticks.
            `quantized`, `sung` and `other`, what the other singer sang, are in ticks of this performance.
    """

    pairs: int
    alignable: int
    notes: pd.DataFrame


class Differences(NamedTuple):
    """Mean absolute errors on matched notes, with BCa intervals over songs, ticks.

    Attributes:
        notes: How many notes there are; a pair's note counts twice.
        other: Error of the other singer's duration, taken as a prediction.
        copy: Error of the quantized duration.
        model: Error of a model.
        other_steps: As `other`, in grid steps; so is `copy_steps`.
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
    """How far singers of the same song differ; `pairs` and `alignable` as of `Matches`.

    Attributes:
        matched: Notes that are compared.
        test_songs: Differences in the test songs, and the model's error; None where none of their notes is matched.
    """

    pairs: int
    alignable: int
    matched: int
    all_songs: Differences | None
    test_songs: Differences | None


def between_singers(table: Dataset, predictions: pa.Table, resamples: int) -> BetweenSingers | None:
    """Compares performances of the same song by different singers, and a model's `predictions` with them.

    Returns:
        None where the table does not know `song_id` and `pitch`, or no note is matched.
    """
    found = matches(table)
    if found is None:
        return None
    all_songs, test_songs = differences(found.notes, resamples), differences(found.notes, resamples, predictions)
    return BetweenSingers(found.pairs, found.alignable, len(found.notes) // 2, all_songs, test_songs)


def matches(table: Dataset) -> Matches | None:
    """Aligns all pairs of performances of the same song by different singers; None as of `between_singers`."""
    if not {"song_id", "pitch"} <= set(table.column_names):
        return None
    performances = pd.DataFrame({"song": table["song_id"][:], "singer": table["singer_id"][:]})
    pairs, alignable, found = 0, 0, []
    # Rows whose song is not known are in no group.
    for song, (_, group) in enumerate(performances.groupby("song", sort=False)):
        melodies = {row: _melody(table[row], row) for row in group.index} if len(group) > 1 else {}
        for rows in combinations(group.index, 2):
            if group["singer"][rows[0]] == group["singer"][rows[1]]:
                continue
            one, other = (melodies[row] for row in rows)
            pairs += 1
            alignable += min(len(one), len(other))
            at, there = _aligned(one, other)
            for own, others in ((one.iloc[at], other.iloc[there]), (other.iloc[there], one.iloc[at])):
                found.append(own.assign(song=song, other=others["sung"].to_numpy()))
    if not found or not sum(map(len, found)):
        return None
    notes = pd.concat(found, ignore_index=True)
    durations = ["quantized", "sung", "other"]
    notes[durations] = notes[durations].mul(notes["step"], axis=0)
    return Matches(pairs, alignable, notes)


def differences(notes: pd.DataFrame, resamples: int, predictions: pa.Table | None = None) -> Differences | None:
    """Returns how far singers differ on matched notes; on those of predicted songs where there are predictions.

    Returns:
        None where none of the predicted songs has a matched note.
    """
    predicted = None
    if predictions is not None:
        of_row = dict(zip(predictions["row"].to_pylist(), predictions["predicted"].to_pylist(), strict=True))
        notes = notes[notes["row"].isin(of_row)]
        if notes.empty:
            return None
        predicted = np.array([of_row[row][note] for row, note in zip(notes["row"], notes["note"], strict=True)])
    step, quantized, sung, other = (notes[name].to_numpy() for name in ("step", "quantized", "sung", "other"))
    _, song, count = np.unique(notes["song"], return_inverse=True, return_counts=True)

    def error(durations: np.ndarray) -> Interval:
        sums = np.bincount(song, np.abs(durations - sung))
        # Performances of several singers are in a song's sum, so there is no singer to resample within.
        return mae_interval(sums, count, np.zeros(len(count)), resamples=resamples)

    own_steps, other_steps = (sung - quantized) / step, (other - quantized) / step
    moves = own_steps.std() > 0 and other_steps.std() > 0
    return Differences(
        songs=len(count),
        notes=len(song),
        other=error(other),
        copy=error(quantized),
        model=None if predicted is None else error(predicted),
        other_steps=float(np.abs(other_steps - own_steps).mean()),
        copy_steps=float(np.abs(own_steps).mean()),
        correlation=float(np.corrcoef(own_steps, other_steps)[0, 1]) if moves else 0.0,
    )


def _melody(song: dict[str, Any], row: int) -> pd.DataFrame:
    """Returns the notes of a performance without its rests, their durations in steps."""
    pitch, quantized, sung = (np.asarray(song[column(name)]) for name in ("pitch", "quantized", "sung"))
    note, step = np.flatnonzero(pitch), grid_step(quantized)
    # Not the pitches: another singer may sing the song in another key.
    interval = np.diff(pitch[note], prepend=pitch[note][:1])
    durations = {"quantized": quantized[note] / step, "sung": sung[note] / step}
    return pd.DataFrame({"row": row, "note": note, "interval": interval, "step": float(step), **durations})


def _aligned(one: pd.DataFrame, other: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Returns the positions of matched notes in either melody, int64 `(N,)` each."""
    intervals = one["interval"].tolist(), other["interval"].tolist()
    # With autojunk, intervals that are frequent in a song of 200 notes or more would not count.
    runs = SequenceMatcher(None, *intervals, autojunk=False).get_matching_blocks()
    numbers = [(run.a + i, run.b + i) for run in runs if run.size >= RUN for i in range(run.size)]
    at, there = np.array(numbers, dtype=np.int64).reshape(-1, 2).T
    same = one["quantized"].to_numpy()[at] == other["quantized"].to_numpy()[there]
    return at[same], there[same]
