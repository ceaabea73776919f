"""Gradient-boosted trees, which predict a correction from what is around a note."""

from typing import Any, Self

import numpy as np
from threadpoolctl import threadpool_limits

from toy_duration_predictor.comparison.corrections import OUTSIDE, SongArrays, corrected, corrections, notes_of
from toy_duration_predictor.data.quantize import grid_step

# Notes on either side of a note that the trees see.
REACH = 3


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
        correction, counted = corrections(songs, target)
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
            return corrected(songs, self.trees.predict(features) * step, self.target)

    def _features(self, songs: SongArrays) -> tuple[np.ndarray, np.ndarray]:
        """Returns what the trees see, float `(notes, features)`, and the step of each note's song, float `(notes,)`."""
        notes = notes_of(songs)
        by_song = notes.groupby("song")["this"]
        step = np.array([float(grid_step(song)) for song in songs.quantized])[notes["song"]]
        # A shift by -1 gives the note after: pandas moves the notes, not the place where it looks.
        ticks = np.stack([by_song.shift(-by, fill_value=OUTSIDE) for by in range(-REACH, REACH + 1)])
        columns = [*np.where(ticks == OUTSIDE, OUTSIDE, ticks / step), step, notes["rest"]]
        if self.use_singer:
            index = {singer: float(i) for i, singer in enumerate(self.singers)}
            columns.append(notes["singer"].map(index))  # nan where training did not have the singer
        return np.stack(columns, axis=1), step
