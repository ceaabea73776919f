"""Can a classifier tell the singer from predicted timing as well as from the sung one?

A random forest is fitted on how the training songs were sung. Then it is asked who sings the test songs: as sung, as a
model predicts them, as a baseline does. Songs are cut into segments of some `SEGMENT` notes and rests. The forest sees
figures of a segment's deviations: durations minus quantized ones, in grid steps. It does not see the quantized
durations, as the rhythm of a song that only one singer sings would tell who sings.

The features: mean, standard deviation and the 10th, 25th, 50th, 75th and 90th percentile of all deviations, and their
correlation with the next one and the one after; then mean, standard deviation and quartiles of each group of quantized
lengths (0, 1, 2 to 3, 4 and more steps), nan where a group has fewer than `LEAST_NOTES`.
"""

from collections.abc import Mapping
from itertools import compress, pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from toy_duration_predictor.comparison.corrections import SongArrays
from toy_duration_predictor.comparison.evidence import notes_by_song
from toy_duration_predictor.comparison.intervals import Interval, mae_interval
from toy_duration_predictor.comparison.timing import lag_1_autocorrelation
from toy_duration_predictor.data.quantize import grid_step

SEGMENT = 64
LEAST_NOTES = 3
LENGTHS = (0, 1, 2, 4, np.inf)
TREES = 300

THEMSELVES = "the singers"


class Accuracy(NamedTuple):
    """The share of segments that are recognised, with its BCa interval over songs, and its mean over singers."""

    share: Interval
    balanced: float


class Recognition(NamedTuple):
    """What the classifier told of so many singers from so many segments of test songs.

    Attributes:
        most_frequent: The share of segments of the singer who has most, which naming one singer always would reach.
        accuracy: Of `THEMSELVES` and of each set of predictions.
    """

    singers: int
    segments: int
    most_frequent: float
    accuracy: dict[str, Accuracy]


def recognition(songs: SongArrays, predictions: Mapping[str, pa.Table], resamples: int) -> Recognition | None:
    """Fits the classifier, and asks it about the test songs.

    Args:
        songs: The training songs.
        predictions: By name; all of the same test songs.
        resamples: Of the bootstrap.

    Returns:
        None where fewer than two singers have both training and test songs; others are left out.
    """
    # Imported here because it takes a second, which no other command should wait.
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import balanced_accuracy_score

    first = next(iter(predictions.values()))
    singers = np.intersect1d(songs.singer, first["singer_id"].to_numpy())
    if len(singers) < 2:
        return None

    def segments(
        quantized: list[np.ndarray], durations: list[np.ndarray], singer: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the features of all segments by these singers; the singer of each song, and its segments' number."""
        known = np.isin(singer, singers)
        of_song = [features(*song) for song in compress(zip(quantized, durations, strict=True), known)]
        return np.concatenate(of_song), singer[known], np.array([len(song) for song in of_song])

    seen, singer, count = segments(songs.quantized, songs.sung, songs.singer)
    forest = RandomForestClassifier(TREES, random_state=0).fit(seen, np.repeat(singer, count))
    accuracy = {}
    for name, table in {THEMSELVES: first, **predictions}.items():
        durations = notes_by_song(table, "sung" if name == THEMSELVES else "predicted")
        seen, singer, count = segments(notes_by_song(table, "quantized"), durations, table["singer_id"].to_numpy())
        truth, told = np.repeat(singer, count), forest.predict(seen)
        right = np.add.reduceat((told == truth).astype(float), np.cumsum(count) - count)
        share = mae_interval(right, count, singer, resamples=resamples)
        accuracy[name] = Accuracy(share, float(balanced_accuracy_score(truth, told)))
    most_frequent = np.unique(truth, return_counts=True)[1].max() / len(truth)
    return Recognition(len(singers), len(truth), float(most_frequent), accuracy)


def features(quantized: np.ndarray, durations: np.ndarray) -> np.ndarray:
    """Returns what the classifier sees of a song, float `(segments, features)`.

    A song is cut into as many segments of equal length as it has `SEGMENT` notes; a shorter one is one segment.

    Args:
        quantized: `(T,)`, ticks.
        durations: Sung or predicted, `(T,)`, ticks.
    """
    step = grid_step(quantized)
    segments = max(len(quantized) // SEGMENT, 1)
    deviations = np.array_split((durations - quantized) / step, segments)
    lengths = np.array_split(quantized / step, segments)
    return np.array([_figures(*segment) for segment in zip(deviations, lengths, strict=True)])


def _figures(deviation: np.ndarray, length: np.ndarray) -> list[float]:
    figures = [deviation.mean(), deviation.std(), *np.quantile(deviation, (0.1, 0.25, 0.5, 0.75, 0.9))]
    # Each note with the one after the next: notes of odd and of even numbers, each by themselves.
    figures += [lag_1_autocorrelation([deviation]), lag_1_autocorrelation([deviation[::2], deviation[1::2]])]
    for low, high in pairwise(LENGTHS):
        group = deviation[(length >= low) & (length < high)]
        enough = len(group) >= LEAST_NOTES
        figures += [group.mean(), group.std(), *np.quantile(group, (0.25, 0.5, 0.75))] if enough else [np.nan] * 5
    return figures
