"""Lookups: the median correction of notes that look alike."""

from typing import Self

import numpy as np
import pandas as pd

from toy_duration_predictor.comparison.corrections import SongArrays, corrected, corrections, notes_of

# A key of a lookup is used from this many training notes on; the median of fewer says little. Set beforehand; by
# cross-validation within the training songs of the 160 real ones, 3 to 10 differ by less than 0.01 of the copy error.
LEAST_NOTES = 5


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
        notes = notes_of(songs)
        correction, counted = corrections(songs, target)
        notes = notes.assign(correction=correction)[counted]
        self.medians = []
        for key in self.keys:
            found = notes.groupby(list(key))["correction"].agg(["median", "size"])
            self.medians.append(found.loc[found["size"] >= LEAST_NOTES, "median"])
        return self

    def predict(self, songs: SongArrays) -> list[np.ndarray]:
        """Looks the notes up; see `Baseline.predict`."""
        notes = notes_of(songs)
        correction = np.full(len(notes), np.nan)
        for key, medians in zip(self.keys, self.medians, strict=True):
            # A left join keeps the notes in order and gives nan where the key is not there.
            found = notes[list(key)].join(medians, on=list(key))["median"].to_numpy()
            correction = np.where(np.isnan(correction), found, correction)
        return corrected(songs, np.nan_to_num(correction), self.target)
