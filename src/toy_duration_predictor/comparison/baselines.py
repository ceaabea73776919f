"""The baselines that a network is compared with: the copy baseline, median lookups and boosted trees.

All of them predict from quantized durations, rests and the singer, in ticks. What they learn is a correction, sung
minus quantized. Each is fitted twice, as running totals of durations that are predicted one by one drift:

| target | the correction of | measures |
| --- | --- | --- |
| `onset` | each onset: how far behind its grid line it was sung | onsets and inter-onset intervals |
| `duration` | each duration | durations |

The onset of a rest is the end of the note before it. Songs begin on the grid, so that their first onset is known.

| baseline | predicts |
| --- | --- |
| `copy` | the quantized duration |
| `value` | plus the median correction of all notes of that quantized value |
| `value_singer` | the same by the same singer |
| `neighbours` | plus the median correction between those two neighbours |
| `neighbours_singer` | the same by the same singer |
| `boosting` | plus a correction by gradient-boosted trees that see `REACH` notes on either side |
| `boosting_singer` | the same, and the trees see the singer |

Notes and rests never share a median.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from datasets import Dataset
from threadpoolctl import threadpool_limits

from toy_duration_predictor.comparison.evidence import deciding, measured
from toy_duration_predictor.data.batches import Songs
from toy_duration_predictor.data.quantize import grid_step
from toy_duration_predictor.data.songs import ragged
from toy_duration_predictor.data.split import Split
from toy_duration_predictor.training.predictions import predictions_table

# A key of a lookup is used from this many training notes on; the median of fewer says little. Set beforehand; by
# cross-validation within the training songs of the 160 real ones, 3 to 10 differ by less than 0.01 of the copy error.
LEAST_NOTES = 5

# Stands for the neighbour that a song's first or last note does not have; no duration is below 0.
OUTSIDE = -1

# Notes on either side of a note that the trees see.
REACH = 3

TARGETS = ("onset", "duration")
# Which target's predictions a measure is of.
TARGET = {"onset": "onset", "ioi": "onset", "duration": "duration", "notes": "duration", "rests": "duration"}


class SongArrays(NamedTuple):
    """Songs: an array `(notes,)` of durations a song, ticks, and each song's `singer_id`, int64 `(songs,)`.

    `rest`, bool, says which durations are rests.
    """

    quantized: list[np.ndarray]
    sung: list[np.ndarray]
    rest: list[np.ndarray]
    singer: np.ndarray


def song_arrays(table: Dataset, rows: Iterable[int]) -> SongArrays:
    """Reads some rows of a validated songs table, in the order given."""
    songs = table.select(list(rows))

    def lists(column: str) -> list[np.ndarray]:
        values, offsets = ragged(songs, column)
        return np.split(values, offsets[1:-1])

    singer = np.array(songs["singer_id"], dtype=np.int64)
    rest = [song == 1 for song in Songs(songs, sorted(set(singer.tolist()))).rest.songs(np.arange(len(songs)))]
    return SongArrays(lists("quantized"), lists("sung"), rest, singer)


class Baseline(Protocol):
    """What every baseline can do."""

    def fit(self, songs: SongArrays, target: str = "duration") -> Self:
        """Learns from these songs, forgets all earlier ones, and returns itself. Nothing else reads what was sung."""
        ...

    def predict(self, songs: SongArrays) -> list[np.ndarray]:
        """Returns the predicted durations, a float array `(notes,)` a song, ticks.

        With the target `duration` they are never below 0; with `onset` their running totals are the predicted onsets.
        Values, neighbours and singers that training did not have are no error.
        """
        ...


class Lookup:
    """The median correction of the training notes that share a key with the note.

    Values are raw ticks, so songs of different resolutions share a key only where their ticks are equal.

    Args:
        keys: From the finest to the coarsest, each made of `previous`, `this`, `next` (quantized durations, `OUTSIDE`
            beyond the song's ends) and `singer`. The first that has `LEAST_NOTES` training notes decides; where none
            has, the correction is 0.
    """

    def __init__(self, *keys: tuple[str, ...]) -> None:
        self.keys = [(*key, "rest") for key in keys]
        self.medians: list[pd.Series] = []
        self.target = ""

    def fit(self, songs: SongArrays, target: str = "duration") -> Self:
        """Takes the medians; see `Baseline.fit`."""
        self.target = target
        notes = _notes(songs)
        correction, counted = _corrections(songs, target)
        notes = notes.assign(correction=correction)[counted]
        self.medians = []
        for key in self.keys:
            found = notes.groupby(list(key))["correction"].agg(["median", "size"])
            self.medians.append(found.loc[found["size"] >= LEAST_NOTES, "median"])
        return self

    def predict(self, songs: SongArrays) -> list[np.ndarray]:
        """Looks the notes up; see `Baseline.predict`."""
        notes = _notes(songs)
        correction = np.full(len(notes), np.nan)
        for key, medians in zip(self.keys, self.medians, strict=True):
            # A left join keeps the notes in order and gives nan where the key is not there.
            found = notes[list(key)].join(medians, on=list(key))["median"].to_numpy()
            correction = np.where(np.isnan(correction), found, correction)
        return _corrected(songs, np.nan_to_num(correction), self.target)


class Boosting:
    """Gradient-boosted trees (scikit-learn's, at its defaults) that predict the correction, by mean absolute error.

    They compute in grid steps of the song, as the networks do, and weigh each note by its song's step. So the loss that
    they minimise is the absolute error in ticks. They see, for each note and rest,

    - its quantized duration and those of `REACH` notes on either side, in steps, `OUTSIDE` beyond the song's
      ends (a logarithm would add nothing, as trees only compare);
    - the step, in ticks;
    - whether it is a rest;
    - with `use_singer`, the singer, as a category; one that training did not have counts as missing.

    Args:
        use_singer: Whether they see the singer; at most 255 in training.
    """

    def __init__(self, use_singer: bool) -> None:
        self.use_singer = use_singer
        self.singers = np.empty(0, dtype=np.int64)
        self.trees: Any = None
        self.target = ""

    def fit(self, songs: SongArrays, target: str = "duration") -> Self:
        """Grows the trees; see `Baseline.fit`. The same songs give the same trees."""
        # Imported here because it takes a second, which no other command should wait.
        from sklearn.ensemble import HistGradientBoostingRegressor

        self.target = target
        self.singers = np.unique(songs.singer)
        correction, counted = _corrections(songs, target)
        features, step, correction = (each[counted] for each in (*self._features(songs), correction))
        self.trees = HistGradientBoostingRegressor(
            loss="absolute_error",
            categorical_features=[features.shape[1] - 1] if self.use_singer else None,
            random_state=0,
        )
        # One core: sums are then the same on all machines, and other work does not slow the trees down.
        with threadpool_limits(1):
            self.trees.fit(features, correction / step, sample_weight=step)
        return self

    def predict(self, songs: SongArrays) -> list[np.ndarray]:
        """Runs the trees; see `Baseline.predict`."""
        features, step = self._features(songs)
        with threadpool_limits(1):
            return _corrected(songs, self.trees.predict(features) * step, self.target)

    def _features(self, songs: SongArrays) -> tuple[np.ndarray, np.ndarray]:
        """Returns what the trees see, float `(notes, features)`, and the step of each note's song, float `(notes,)`."""
        notes = _notes(songs)
        by_song = notes.groupby("song")["this"]
        step = np.array([float(grid_step(song)) for song in songs.quantized])[notes["song"]]
        # A shift by -1 gives the note after: pandas moves the notes, not the place where it looks.
        ticks = np.stack([by_song.shift(-by, fill_value=OUTSIDE) for by in range(-REACH, REACH + 1)])
        columns = [*np.where(ticks == OUTSIDE, OUTSIDE, ticks / step), step, notes["rest"]]
        if self.use_singer:
            index = {singer: float(i) for i, singer in enumerate(self.singers)}
            columns.append(notes["singer"].map(index))  # nan where training did not have the singer
        return np.stack(columns, axis=1), step


def _notes(songs: SongArrays) -> pd.DataFrame:
    """Returns a row a note: the number of its song, and what keys are made of."""
    song = np.repeat(np.arange(len(songs.quantized)), [len(song) for song in songs.quantized])
    notes = pd.DataFrame(
        {
            "song": song,
            "this": np.concatenate(songs.quantized),
            "rest": np.concatenate(songs.rest),
            "singer": songs.singer[song],
        }
    )
    by_song = notes.groupby("song")["this"]
    shifted = {name: by_song.shift(by, fill_value=OUTSIDE) for name, by in (("previous", 1), ("next", -1))}
    return notes.assign(**shifted)


def _corrections(songs: SongArrays, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns what is to be learned of each note, ticks, and whether there is anything to be learned, `(notes,)`."""
    off = [sung - quantized for sung, quantized in zip(songs.sung, songs.quantized, strict=True)]
    every = np.ones(sum(map(len, off)), dtype=bool)
    if target == "duration":
        return np.concatenate(off), every
    every[np.cumsum([0, *map(len, off[:-1])])] = False
    return np.concatenate([np.cumsum(song) - song for song in off]), every


def _corrected(songs: SongArrays, correction: np.ndarray, target: str) -> list[np.ndarray]:
    """Corrects what is quantized by the corrections of all notes, `(notes,)`, ticks; returns each song's durations."""
    of_song = np.split(correction, np.cumsum([len(song) for song in songs.quantized])[:-1])
    pairs = zip(songs.quantized, of_song, strict=True)
    if target == "duration":
        return [np.maximum(quantized + by, 0.0) for quantized, by in pairs]
    # The song's end is not predicted, and no onset.
    return [quantized + np.diff(np.concatenate([[0.0], by[1:], [0.0]])) for quantized, by in pairs]


BASELINES: dict[str, Callable[[], Baseline]] = {
    "copy": Lookup,
    "value": lambda: Lookup(("this",)),
    "value_singer": lambda: Lookup(("this", "singer"), ("this",)),
    "neighbours": lambda: Lookup(("previous", "this", "next"), ("this",)),
    "neighbours_singer": lambda: Lookup(
        ("previous", "this", "next", "singer"), ("previous", "this", "next"), ("this", "singer"), ("this",)
    ),
    "boosting": lambda: Boosting(use_singer=False),
    "boosting_singer": lambda: Boosting(use_singer=True),
}
LOOKUPS = ("value", "value_singer", "neighbours", "neighbours_singer")
TREES = ("boosting", "boosting_singer")


class Tested(NamedTuple):
    """A fitted baseline: its predictions of the test songs by target, and its errors on validation songs by measure."""

    predictions: dict[str, pa.Table]
    validation: dict[str, float]


def fitted_baselines(table: Dataset, split: Split, carried: bool) -> dict[str, Tested]:
    """Fits every baseline on the training songs, and lets it predict the others.

    Args:
        table: The songs table.
        split: Its rows.
        carried: Whether its durations are carried values, which have no onsets.
    """
    train, validation, test = (song_arrays(table, rows) for rows in split)
    tested = {}
    for name, baseline in BASELINES.items():
        predictions: dict[str, pa.Table] = {}
        errors: dict[str, float] = {}
        for target in TARGETS[carried:]:
            fitted = baseline().fit(train, target)
            predicted = predictions_table(table, split.val, np.concatenate(fitted.predict(validation)))
            by_unit = measured(predicted)
            found = by_unit[deciding(by_unit)].items()
            errors |= {measure: each.mae for measure, each in found if TARGET[measure] == target}
            predictions[target] = predictions_table(table, split.test, np.concatenate(fitted.predict(test)))
        tested[name] = Tested(predictions, errors)
    return tested
