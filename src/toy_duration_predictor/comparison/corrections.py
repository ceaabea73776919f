"""What baselines learn and predict: songs as arrays, and corrections of what is quantized, sung minus quantized."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from datasets import Dataset

from toy_duration_predictor.comparison.evidence import notes_by_song
from toy_duration_predictor.training.predictions import tested_songs

# Stands for the neighbour that a song's first or last note does not have; no duration is below 0.
OUTSIDE = -1


class SongArrays(NamedTuple):
    """Songs: an array `(notes,)` of durations a song, ticks, and each song's `singer_id`, int64 `(songs,)`.

    `rest`, bool, says which durations are rests.
    """

    quantized: list[np.ndarray]
    sung: list[np.ndarray]
    rest: list[np.ndarray]
    singer: np.ndarray

    @classmethod
    def of(cls, songs: pa.Table) -> "SongArrays":
        """Reads songs as `training.predictions.tested_songs` returns them."""
        quantized, sung, rest = (notes_by_song(songs, name) for name in ("quantized", "sung", "rest"))
        return cls(quantized, sung, rest, songs["singer_id"].to_numpy())


def song_arrays(table: Dataset, rows: Iterable[int]) -> SongArrays:
    """Reads some rows of a validated songs table, in the order given."""
    return SongArrays.of(tested_songs(table, rows))


def notes_of(songs: SongArrays) -> pd.DataFrame:
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


def corrections(songs: SongArrays, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns what is to be learned of each note, ticks, and whether there is anything to be learned, `(notes,)`."""
    off = [sung - quantized for sung, quantized in zip(songs.sung, songs.quantized, strict=True)]
    every = np.ones(sum(map(len, off)), dtype=bool)
    if target == "duration":
        return np.concatenate(off), every
    every[np.cumsum([0, *map(len, off[:-1])])] = False
    return np.concatenate([np.cumsum(song) - song for song in off]), every


def corrected(songs: SongArrays, correction: np.ndarray, target: str) -> list[np.ndarray]:
    """Corrects what is quantized by the corrections of all notes, `(notes,)`, ticks; returns each song's durations."""
    of_song = np.split(correction, np.cumsum([len(song) for song in songs.quantized])[:-1])
    pairs = zip(songs.quantized, of_song, strict=True)
    if target == "duration":
        return [np.maximum(quantized + by, 0.0) for quantized, by in pairs]
    # The song's end is not predicted, and no onset.
    return [quantized + np.diff(np.concatenate([[0.0], by[1:], [0.0]])) for quantized, by in pairs]
