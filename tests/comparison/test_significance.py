from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from toy_duration_predictor.comparison.significance import MOST_FLIPS, holm, seed_sign_flip, smallest_p, song_sign_flip


def test_flips_by_hand():
    """Differences 1, 2 and 3: only +++ and --- are as far from 0 as 6; +2 and -2 as far as 2 are 6 of the 8 flips."""
    assert seed_sign_flip(np.array([1.0, 2, 3])) == 2 / 8
    assert seed_sign_flip(np.array([-1.0, -2, -3])) == 2 / 8
    # Sums are 6, 4, 2, 0, 0, -2, -4, -6: at least 2 are three of them, and as many at most -2.
    assert seed_sign_flip(np.array([1.0, -2, 3])) == 6 / 8
    assert song_sign_flip(np.array([1, 0, 3]), np.array([0, 2, 0]), np.array([5, 5, 5])) == 6 / 8


def test_every_flip_counted_out(rng):
    differences = rng.normal(0.3, 1, size=9)
    sums = np.array(list(product([-1, 1], repeat=9))) @ differences
    expected = (np.abs(sums) >= abs(differences.sum()) - 1e-9).mean()
    assert seed_sign_flip(differences) == expected
    assert song_sign_flip(differences, 0 * differences, np.arange(1, 10)) == expected


def test_many_songs_flip_at_random(rng):
    differences = rng.normal(0.35, 1, size=40)
    p = song_sign_flip(differences, 0 * differences, np.ones(40))
    assert p == song_sign_flip(differences, 0 * differences, np.ones(40))
    assert p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.01)
    assert song_sign_flip(differences + 9, 0 * differences, np.ones(40), resamples=999) == 2 / 1000


@pytest.mark.parametrize("seeds", [1, 2, 5, 8, 16])
def test_the_smallest_p_is_reached(seeds):
    assert seed_sign_flip(np.arange(1.0, seeds + 1)) == smallest_p(seeds) == 2 / 2**seeds


def test_seeds_without_a_difference():
    assert seed_sign_flip(np.zeros(5)) == 1


def test_many_repetitions_flip_at_random(rng):
    """As 20 of them, five folds with four seeds, have more flips than are worth counting."""
    differences = rng.normal(1, 1, size=17)
    flips = np.array(list(product([-1.0, 1.0], repeat=16)))
    sums = np.concatenate([flips @ differences[1:] + differences[0], flips @ differences[1:] - differences[0]])
    exact = (np.abs(sums) >= abs(differences.sum()) - 1e-9).mean()
    assert seed_sign_flip(differences) == seed_sign_flip(differences) == pytest.approx(exact, abs=0.001)
    assert 0.003 < exact < 0.01
    assert seed_sign_flip(np.arange(100.0, 140)) == smallest_p(40) == 2 / (MOST_FLIPS + 1)


@pytest.mark.parametrize("differences", [[], [1, np.nan], [[1, 2]]])
def test_seeds_that_cannot_be_are_refused(differences):
    with pytest.raises(ValueError, match="needs finite differences"):
        seed_sign_flip(np.array(differences))
    with pytest.raises(ValueError, match="seeds=0 is below 1"):
        smallest_p(0)


def test_holm_by_hand():
    """Of four: 0.005 * 4, 0.01 * 3, 0.03 * 2, and 0.04 * 1, which may not be below the 0.06 before it."""
    adjusted = holm({"q1": 0.01, "q2": 0.04, "q3": 0.03, "q4": 0.005})
    assert adjusted == pytest.approx({"q1": 0.03, "q2": 0.06, "q3": 0.06, "q4": 0.02})
    assert list(adjusted) == ["q1", "q2", "q3", "q4"]
    assert holm({"a": 0.7, "b": 0.6}) == {"a": 1, "b": 1}
    assert holm({"a": 0.2}) == {"a": 0.2}
    assert holm({}) == {}


@given(
    values=st.lists(st.floats(0, 1), min_size=1, max_size=8),
    alpha=st.sampled_from([0.01, 0.05, 0.3]),
)
def test_holm_rejects_what_the_steps_reject(values, alpha):
    """The procedure as published: from the smallest p-value, reject while it is at most alpha / those left."""
    left, rejected = len(values), set()
    for number in sorted(range(len(values)), key=values.__getitem__):
        if values[number] * left > alpha:
            break
        rejected.add(number)
        left -= 1
    adjusted = holm({str(number): value for number, value in enumerate(values)})
    assert {int(name) for name, value in adjusted.items() if value <= alpha} == rejected
    assert all(values[int(name)] <= value <= 1 for name, value in adjusted.items())


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_holm_wants_p_values(value):
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm({"a": 0.5, "b": value})
