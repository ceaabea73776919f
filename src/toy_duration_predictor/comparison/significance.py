"""Whether one arm of an experiment beats another, or chance does: sign-flip tests over songs and over repetitions.

Arrays and errors are those of `intervals`.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import permutation_test

from toy_duration_predictor.comparison.intervals import (
    Interval,
    checked,
    difference_interval,
    smallest_effect,
    song_differences,
)

# More flips than these are sampled: of 17 repetitions and more.
MOST_FLIPS = 2**16


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


def song_sign_flip(
    error_sums_a: np.ndarray, error_sums_b: np.ndarray, note_counts: np.ndarray, resamples: int = 9999, seed: int = 0
) -> float:
    """Returns the two-sided p-value of a sign-flip test over songs that both arms have the same mean absolute error.

    Were the arms alike, each song's difference would be as likely to have the other sign. Source: Fisher (1935), The
    design of experiments, section 21. Exact where all flips are no more than `resamples`: up to 13 songs for 9999.
    """
    differences = song_differences(error_sums_a, error_sums_b)
    differences, counts, _ = checked(differences, note_counts, np.zeros(np.shape(note_counts)))
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


def _sign_flip(differences: np.ndarray, resamples: int, seed: int) -> float:
    if len(differences) == 1:  # both flips are equally extreme, and scipy wants two songs
        return 1.0
    result = permutation_test(
        (differences,), np.sum, permutation_type="samples", vectorized=True, n_resamples=resamples, rng=seed
    )
    return float(result.pvalue)
