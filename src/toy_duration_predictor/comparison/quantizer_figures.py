"""What a quantizer does to a song: how far it moves what was sung, and how regular the outcome is.

Each figure is a function of one song. The notation: `s` are the sung durations, `q` the quantized ones, both in ticks;
times are running totals of durations, so the ends of notes and rests, `S_i = s_1 + ... + s_i` and `Q_i` likewise. As
the notes of a song are not independent, a figure's mean and interval are over songs.

Shapes: `T` notes and rests of a song.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from toy_duration_predictor.comparison.intervals import Interval, mae_interval
from toy_duration_predictor.data.quantizers import Song, Way

# Songs by which the speed is measured.
TIMED = 10

# Of each figure: its name, its unit where it has one, and digits after the point.
FIGURES = {
    "times moved": ("ticks", 2),
    "times moved, beats": ("beats", 4),
    "times moved, ms": ("ms", 1),
    "durations moved": ("ticks", 2),
    "durations moved, beats": ("beats", 4),
    "drift": ("ticks", 1),
    "drift, beats": ("beats", 3),
    "notes emptied": ("share", 4),
    "rests emptied": ("share", 3),
    "off the grid, sung": ("ticks", 2),
    "off the grid, quantized": ("ticks", 2),
    "entropy, sung": ("bits", 2),
    "entropy, quantized": ("bits", 2),
}


class Speed(NamedTuple):
    """Notes and rests that a way quantizes in a second, and how many times as many as the reference does."""

    notes_per_second: float
    ratio: float


def times_moved(sung: np.ndarray, quantized: np.ndarray) -> float:
    """Returns `mean_i |Q_i - S_i|`: how far ends are moved."""
    return float(np.abs(np.cumsum(quantized - sung)).mean())


def durations_moved(sung: np.ndarray, quantized: np.ndarray) -> float:
    """Returns `mean_i |q_i - s_i|`: how far durations are moved."""
    return float(np.abs(quantized - sung).mean())


def drift(sung: np.ndarray, quantized: np.ndarray) -> float:
    """Returns `|Q_T - S_T|`: how far the song's end is moved."""
    return float(abs((quantized - sung).sum()))


def emptied(quantized: np.ndarray, which: np.ndarray) -> float:
    """Returns the share of `q_i = 0` among the durations of `which`, bool `(T,)`; nan if there are none of these."""
    return float((quantized[which] == 0).mean()) if which.any() else float("nan")


def off_grid(durations: np.ndarray, steps: Sequence[int]) -> float:
    """Returns the mean distance of times from the nearest line of any grid, `mean_i min_{g,k} |D_i - k g|`.

    Args:
        durations: `(T,)`, ticks; sung or quantized.
        steps: The grids' steps `g`, ticks.
    """
    times = np.cumsum(durations)[:, None] % np.array(steps)
    return float(np.minimum(times, np.array(steps) - times).min(axis=1).mean())


def entropy(lengths: np.ndarray) -> float:
    """Returns `-sum_v p_v log2 p_v` over the different lengths `v` with their shares `p_v`: less is more regular.

    Source: Shannon (1948), A mathematical theory of communication, Bell System Technical Journal 27. It does not depend
    on the unit of the lengths, `(T,)`.
    """
    shares = np.unique(lengths, return_counts=True)[1] / len(lengths)
    return float(-(shares * np.log2(shares)).sum()) + 0.0  # not -0


def figures(steps: Sequence[int], song: Song, quantized: np.ndarray, factor: int) -> list[float]:
    """Returns all of `FIGURES` of a song.

    Args:
        steps: The way's grids, ticks.
        song: The song, in as many ticks as these grids need.
        quantized: int64 `(T,)`, in the same ticks.
        factor: How many of these ticks are one tick of the song as it was sung. Figures in ticks are in the latter.
    """
    times, *others = (found(song.sung, quantized) for found in (times_moved, durations_moved, drift))
    return [
        *(times / factor, times / song.ticks_per_beat, times / song.ticks_per_beat * song.tempo / 1000),
        *(each for of in others for each in (of / factor, of / song.ticks_per_beat)),
        emptied(quantized, ~song.rest),
        emptied(quantized, song.rest),
        off_grid(song.sung, steps) / factor,
        off_grid(quantized, steps) / factor,
        entropy(song.sung[~song.rest]),
        entropy(quantized[~song.rest]),
    ]


def notes_per_second(way: Way, songs: Sequence[Song]) -> float:
    """Returns how many notes and rests a way quantizes in a second: the best of three passes over the first songs."""
    some = [way.finer(song)[0] for song in songs[:TIMED]]

    def seconds() -> float:
        start = time.perf_counter()
        for song in some:
            way(song)
        return time.perf_counter() - start

    way(some[0])  # what is compiled or imported at the first call is no part of its speed
    return sum(len(song.sung) for song in some) / min(seconds() for _ in range(3))


def over_songs(values: np.ndarray, singers: np.ndarray, resamples: int) -> Interval:
    """Returns the mean of a figure over the songs that have it, and its 95 % interval; see `mae_interval`.

    Args:
        values: `(songs,)`; nan for songs that do not have it.
        singers: `(songs,)`.
        resamples: Of the bootstrap.
    """
    known = np.isfinite(values)
    if not known.any():
        return Interval(float("nan"), float("nan"), float("nan"))
    return mae_interval(values[known], np.ones(known.sum()), singers[known], resamples=resamples)
