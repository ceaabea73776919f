"""The gap-free view: errors where no rest is shorter than 0.3 seconds.

Annotators of singing leave tiny rests between notes, which are much the same within a file. Whoever restores them
restores no timing that can be heard. So rests shorter than `SHORTEST` seconds, as sung, are given to the notes after
them, as `data.midi.recipe.with_rests` does with `tdp prepare DIR --shortest-rest 0.3s`: in quantized, sung and
predicted durations alike. Ends of the notes before stay where they are, and are the onsets.

Whoever predicted these songs saw where their short rests are, which tells something of when notes begin: whether a rest
of a few ticks is quantized to a step or to nothing depends on it. To take that away, prepare the songs without short
rests and train on these.

Shapes: `T` notes and rests of a song.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from toy_duration_predictor.comparison.evidence import Errors, all_averaged, deciding, measured, notes_by_song, share

# Seconds.
SHORTEST = 0.3


class Shares(NamedTuple):
    """The error of a model or baseline over that of the copy baseline, as the songs are and without short rests."""

    with_short_rests: float
    without: float


class Gaps(NamedTuple):
    """The gap-free view of test songs whose resolution and tempo are known.

    Attributes:
        songs: How many test songs they are.
        short: The share of rests that are short.
        copy: Error of the copy baseline without short rests, by measure, ms.
        shares: By measure and name, in the unit that decides.
    """

    songs: int
    short: float
    copy: dict[str, float]
    shares: dict[str, dict[str, Shares]]


def gap_free_view(predictions: Mapping[str, Mapping[str, list[pa.Table]]], copy: str) -> Gaps | None:
    """Returns the errors with and without short rests.

    Args:
        predictions: By measure and name, a table a repetition; of the same songs.
        copy: Name of the copy baseline.

    Returns:
        None where resolution and tempo are not known of any song, or where durations are carried values, of which a
        rest's and a note's do not add up.
    """
    tables = {
        measure: {name: [with_tempo(table) for table in repetitions] for name, repetitions in of_measure.items()}
        for measure, of_measure in predictions.items()
    }
    songs = next(iter(tables.values()))[copy]
    if any(not len(table) or table["carried"][0].as_py() for table in songs):
        return None

    def errors(repetitions: list[pa.Table], free: bool) -> Errors:
        return all_averaged([measured(without_short_rests(table) if free else table) for table in repetitions])

    shares: dict[str, dict[str, Shares]] = {}
    copies: dict[str, float] = {}
    for measure, of_measure in tables.items():
        found = {name: [errors(each, free) for free in (False, True)] for name, each in of_measure.items()}
        unit = deciding(found[copy][0])
        copied = [each[unit][measure].mae for each in found[copy]]
        copies[measure] = found[copy][1]["ms"][measure].mae
        shares[measure] = {
            name: Shares(*(share(each[unit][measure].mae, one) for each, one in zip(both, copied, strict=True)))
            for name, both in found.items()
            if name != copy
        }
    rests = np.concatenate(notes_by_song(songs[0], "rest"))
    short = np.concatenate([_short(*song) for song in _songs(songs[0])])
    return Gaps(
        songs=len({row for table in songs for row in table["row"].to_pylist()}),
        short=float(short.sum() / max(rests.sum(), 1)),
        copy=copies,
        shares=shares,
    )


def with_tempo(predictions: pa.Table) -> pa.Table:
    """Returns the songs of a predictions table whose resolution and tempo are known."""
    known = [predictions[name].is_valid().to_numpy() for name in ("ticks_per_beat", "tempo")]
    return predictions.filter(pa.array(np.logical_and(*known)))


def without_short_rests(predictions: pa.Table) -> pa.Table:
    """Returns a predictions table, of which resolution and tempo are known, without short rests."""
    first, rests = [], []
    for rest, sung, ticks in _songs(predictions):
        # What follows a short rest is one with it; a song may end with a short rest.
        begins = np.concatenate([[True], ~_short(rest, sung, ticks)[:-1]])
        first.append(np.flatnonzero(begins))
        rests.append(rest[np.append(first[-1][1:], len(rest)) - 1])
    for name in ("quantized", "sung", "predicted"):
        songs = zip(notes_by_song(predictions, name), first, strict=True)
        merged = [np.add.reduceat(song, at) for song, at in songs]
        predictions = predictions.set_column(predictions.column_names.index(name), name, pa.array(merged))
    return predictions.set_column(predictions.column_names.index("rest"), "rest", pa.array(rests))


def _songs(predictions: pa.Table) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Returns of each song which durations are rests, bool `(T,)`, how long they were sung, and the ticks a second."""
    ticks = predictions["ticks_per_beat"].to_numpy() / predictions["tempo"].to_numpy() * 1e6
    rest, sung = (notes_by_song(predictions, name) for name in ("rest", "sung"))
    return list(zip(rest, sung, ticks.tolist(), strict=True))


def _short(rest: np.ndarray, sung: np.ndarray, ticks: float) -> np.ndarray:
    """Returns which durations are short rests, bool `(T,)`; `ticks` of a second."""
    return np.asarray(rest & (sung < SHORTEST * ticks))
