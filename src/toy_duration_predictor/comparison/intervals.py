"""How large an error or a difference is: intervals by resampling whole songs, and what so few songs can show.

An error sum is a song's absolute errors, added up, in any unit; its note count says over how many notes. The unit of
resampling is the song, nested in its singer: never the note, since the notes of a song are not independent.

Functions take arrays `(songs,)`, with the same songs in each: `error_sums`; `note_counts`, positive; and
`singers`, a number or name a song. They raise ValueError where arrays do not fit together or hold what cannot be.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri


class Interval(NamedTuple):
    """An estimate and the ends of its confidence interval. A single song leaves it unbounded."""

    estimate: float
    low: float
    high: float


def mae_interval(
    error_sums: np.ndarray,
    note_counts: np.ndarray,
    singers: np.ndarray,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Returns the mean absolute error over all notes, and its BCa bootstrap interval.

    Songs are resampled within singers, who are taken as given: the interval is about other songs by these singers. Of
    a singer's `n` songs, `n - 1` are drawn with replacement, each weighing `n / (n - 1)`. Drawing `n` would understate
    the variance by that factor, which is 2 for singers with two songs. A singer with one song has no variance of their
    own; such singers are pooled, which widens the interval where they differ.

    Sources: Efron (1987), Better bootstrap confidence intervals, JASA 82; Efron and Tibshirani (1993), An introduction
    to the bootstrap, eq. 15.36, for several strata; Rao and Wu (1988), Resampling inference with complex survey data,
    JASA 83, for the `n - 1`; Cochran (1977), Sampling techniques, chapter 5A, for pooling, the "collapsed strata".

    Args:
        error_sums: `(songs,)`, signed for a difference.
        note_counts: `(songs,)`, positive.
        singers: `(songs,)`.
        confidence: The interval's nominal coverage, between 0 and 1.
        resamples: How many resampled corpora.
        seed: Decides the resampling.
    """
    sums, counts, stratum = checked(error_sums, note_counts, singers)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence} is not between 0 and 1")
    estimate = float(sums.sum() / counts.sum())
    if len(sums) == 1:
        return Interval(estimate, -np.inf, np.inf)
    rng = np.random.default_rng(seed)
    weights = np.empty((resamples, len(sums)))
    for number, songs in enumerate(np.bincount(stratum)):
        drawn = rng.multinomial(songs - 1, np.full(songs, 1 / songs), resamples)
        weights[:, stratum == number] = drawn * (songs / (songs - 1))
    resampled = (weights @ sums) / (weights @ counts)
    return _bca(estimate, resampled, _influence(sums, counts, stratum), confidence)


def difference_interval(
    error_sums_a: np.ndarray,
    error_sums_b: np.ndarray,
    note_counts: np.ndarray,
    singers: np.ndarray,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Returns the mean absolute error of arm A minus that of arm B, and its interval, as `mae_interval` makes it.

    Each resampled corpus has the same songs in both arms. Positive: B is better.
    """
    differences = song_differences(error_sums_a, error_sums_b)
    return mae_interval(differences, note_counts, singers, confidence, resamples, seed)


def smallest_effect(
    error_sums_a: np.ndarray,
    error_sums_b: np.ndarray,
    note_counts: np.ndarray,
    singers: np.ndarray,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """Returns the smallest difference of mean absolute errors that these songs would show with that power.

    It is `(z[1 - alpha / 2] + z[power]) * standard error`, by the jackknife over songs within singers. Infinite for one
    song. Sources: Bloom (1995), Minimum detectable effects, Evaluation Review 19; for the jackknife, Rao and Wu (1988).

    `alpha` is the level of the two-sided test, `power` the chance of finding the difference if it is there.
    """
    sums, counts, stratum = checked(song_differences(error_sums_a, error_sums_b), note_counts, singers)
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"alpha={alpha} or power={power} is not between 0 and 1")
    if len(sums) == 1:
        return float("inf")
    songs = np.bincount(stratum)[stratum]
    standard_error = np.sqrt((songs / (songs - 1) * _influence(sums, counts, stratum) ** 2).sum())
    return float((ndtri(1 - alpha / 2) + ndtri(power)) * standard_error)


def song_differences(error_sums_a: np.ndarray, error_sums_b: np.ndarray) -> np.ndarray:
    """Returns how much larger each song's error sum is in arm A than in arm B, float64 `(songs,)`."""
    if np.shape(error_sums_a) != np.shape(error_sums_b):  # or numpy would stretch one song over all
        raise ValueError(f"the arms have {np.shape(error_sums_a)} and {np.shape(error_sums_b)} songs")
    return np.asarray(error_sums_a, dtype=np.float64) - np.asarray(error_sums_b, dtype=np.float64)


def checked(sums: np.ndarray, counts: np.ndarray, singers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns error sums and note counts as float64, and each song's stratum from 0: its singer, the lonely pooled."""
    sums, counts = np.asarray(sums, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    if sums.ndim != 1 or not len(sums) or not sums.shape == counts.shape == np.shape(singers):
        raise ValueError(f"songs do not fit together: {sums.shape}, {counts.shape}, {np.shape(singers)}")
    if not (np.isfinite(sums).all() and np.isfinite(counts).all() and (counts > 0).all()):
        raise ValueError("error sums must be finite, and note counts positive")
    _, stratum, songs = np.unique(singers, return_inverse=True, return_counts=True)
    pooled = songs == 1
    if pooled.sum() == 1 and len(songs) > 1:  # nobody to be pooled with: join the singer with the fewest songs
        pooled[np.argmin(np.where(pooled, len(sums), songs))] = True
    return sums, counts, np.unique(np.where(pooled[stratum], -1, stratum), return_inverse=True)[1]


def _influence(sums: np.ndarray, counts: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """Returns what each song adds to the ratio of the sums, `(songs,)`, by leaving it out: eq. 15.36's `U / n`."""
    songs = np.bincount(stratum)
    weight = (songs / (songs - 1))[stratum]  # of the songs that stay, so that the singer's weight stays

    def centred(values: np.ndarray) -> np.ndarray:
        return np.asarray(values - (np.bincount(stratum, values) / songs)[stratum], dtype=np.float64)

    left_out = (sums.sum() - weight * centred(sums)) / (counts.sum() - weight * centred(counts))
    return np.asarray(-centred(left_out) / weight, dtype=np.float64)


def _bca(estimate: float, resampled: np.ndarray, influence: np.ndarray, confidence: float) -> Interval:
    below = ((resampled < estimate).mean() + (resampled <= estimate).mean()) / 2
    smallest = 0.5 / len(resampled)  # an estimate beyond all resampled ones would give infinity
    bias = ndtri(np.clip(below, smallest, 1 - smallest))
    spread = (influence**2).sum()
    acceleration = (influence**3).sum() / (6 * spread**1.5) if spread > 0 else 0.0
    ends = bias + ndtri(np.array([1 - confidence, 1 + confidence]) / 2)
    low, high = np.quantile(resampled, ndtr(bias + ends / (1 - acceleration * ends)))
    return Interval(estimate, float(low), float(high))
