"""Whether one arm of an experiment beats another: intervals and tests on the errors of whole songs.

An error sum is a song's absolute errors, added up, in any unit; its note count says over how many notes. The unit of
resampling is the song, nested in its singer: never the note, since the notes of a song are not independent.

Functions take arrays `(songs,)`, with the same songs in each: `error_sums`; `note_counts`, positive; and
`singers`, a number or name a song. They raise ValueError where arrays do not fit together or hold what cannot be.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import permutation_test

# More flips than these are sampled: of 17 repetitions and more.
MOST_FLIPS = 2**16


class Interval(NamedTuple):
    """An estimate and the ends of its confidence interval. A single song leaves it unbounded."""

    estimate: float
    low: float
    high: float


class PairedTests(NamedTuple):
    """How much larger a rival's error is than an arm's on the same songs, and whether that may be chance.

    Attributes:
        difference: The rival's mean absolute error minus the arm's; see `difference_interval`.
        p_songs: See `song_sign_flip`; not corrected.
        p_repetitions: See `seed_sign_flip`.
        p: The larger of the two, the first one corrected for the number of rivals; see `holm`.
        smallest_effect: See `smallest_effect`.
    """

    difference: Interval
    p_songs: float
    p_repetitions: float
    p: float
    smallest_effect: float


def paired_tests(
    arm: str,
    error_sums: Mapping[str, np.ndarray],
    repetitions: Mapping[str, Sequence[float]],
    note_counts: np.ndarray,
    singers: np.ndarray,
    resamples: int,
) -> dict[str, PairedTests]:
    """Tests an arm against its rivals, who are all others in `error_sums`.

    Args:
        arm: The arm's name.
        error_sums: By name, `(songs,)`, averaged over the repetitions.
        repetitions: By name, the mean absolute error in each repetition.
        note_counts: `(songs,)`, positive.
        singers: `(songs,)`.
        resamples: Of the bootstrap.
    """
    rivals = {name: sums for name, sums in error_sums.items() if name != arm}
    own = error_sums[arm]
    p_songs = {name: song_sign_flip(sums, own, note_counts) for name, sums in rivals.items()}
    corrected = holm(p_songs)
    tests = {}
    for name, sums in rivals.items():
        p_repetitions = seed_sign_flip(np.subtract(repetitions[name], repetitions[arm]))
        tests[name] = PairedTests(
            difference=difference_interval(sums, own, note_counts, singers, resamples=resamples),
            p_songs=p_songs[name],
            p_repetitions=p_repetitions,
            # Other songs and other seeds must both leave the difference standing.
            p=max(corrected[name], p_repetitions),
            smallest_effect=smallest_effect(sums, own, note_counts, singers),
        )
    return tests


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
    sums, counts, stratum = _checked(error_sums, note_counts, singers)
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
    differences = _differences(error_sums_a, error_sums_b)
    return mae_interval(differences, note_counts, singers, confidence, resamples, seed)


def song_sign_flip(
    error_sums_a: np.ndarray, error_sums_b: np.ndarray, note_counts: np.ndarray, resamples: int = 9999, seed: int = 0
) -> float:
    """Returns the two-sided p-value of a sign-flip test over songs that both arms have the same mean absolute error.

    Were the arms alike, each song's difference would be as likely to have the other sign. Source: Fisher (1935), The
    design of experiments, section 21. Exact where all flips are no more than `resamples`: up to 13 songs for 9999.
    """
    differences, counts, _ = _checked(
        _differences(error_sums_a, error_sums_b), note_counts, np.zeros(np.shape(note_counts))
    )
    return _sign_flip(differences / counts.sum(), resamples, seed)


def seed_sign_flip(differences: np.ndarray) -> float:
    """Returns the two-sided p-value of a sign-flip test over repetitions. It is never below `smallest_p`.

    Exact up to 16 repetitions; beyond, by `MOST_FLIPS` random flips. `differences` are the differences of the
    repetitions' mean absolute errors, `(repetitions,)`.
    """
    differences = np.asarray(differences, dtype=np.float64)
    if differences.ndim != 1 or not len(differences) or not np.isfinite(differences).all():
        raise ValueError(f"a test over repetitions needs finite differences, not {differences}")
    return _sign_flip(differences, MOST_FLIPS, seed=0)


def smallest_p(seeds: int) -> float:
    """Returns the smallest p-value that `seed_sign_flip` can reach.

    Of all `2 ** seeds` flips, 2 are most extreme. Where flips are sampled, the observed one counts among them on either
    side. Source: Phipson and Smyth (2010), Permutation p-values should never be zero, SAGMB 9.
    """
    if seeds < 1:
        raise ValueError(f"seeds={seeds} is below 1")
    return 2.0 ** (1 - seeds) if 2**seeds <= MOST_FLIPS else 2 / (MOST_FLIPS + 1)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Returns p-values adjusted for there being several, under the same names and in the same order.

    Rejecting where the adjusted value is at most alpha keeps the chance of any false rejection at most alpha. Source:
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6.
    """
    values = np.array(list(p_values.values()), dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"p-values are between 0 and 1, unlike one of {dict(p_values)}")
    order = np.argsort(values)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1)
    return dict(zip(p_values, adjusted.tolist(), strict=True))


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
    sums, counts, stratum = _checked(_differences(error_sums_a, error_sums_b), note_counts, singers)
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"alpha={alpha} or power={power} is not between 0 and 1")
    if len(sums) == 1:
        return float("inf")
    songs = np.bincount(stratum)[stratum]
    standard_error = np.sqrt((songs / (songs - 1) * _influence(sums, counts, stratum) ** 2).sum())
    return float((ndtri(1 - alpha / 2) + ndtri(power)) * standard_error)


def _differences(error_sums_a: np.ndarray, error_sums_b: np.ndarray) -> np.ndarray:
    if np.shape(error_sums_a) != np.shape(error_sums_b):  # or numpy would stretch one song over all
        raise ValueError(f"the arms have {np.shape(error_sums_a)} and {np.shape(error_sums_b)} songs")
    return np.asarray(error_sums_a, dtype=np.float64) - np.asarray(error_sums_b, dtype=np.float64)


def _checked(sums: np.ndarray, counts: np.ndarray, singers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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


def _sign_flip(differences: np.ndarray, resamples: int, seed: int) -> float:
    if len(differences) == 1:  # both flips are equally extreme, and scipy wants two songs
        return 1.0
    result = permutation_test(
        (differences,), np.sum, permutation_type="samples", vectorized=True, n_resamples=resamples, rng=seed
    )
    return float(result.pvalue)
