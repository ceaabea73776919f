from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from toy_duration_predictor.comparison import intervals
from toy_duration_predictor.comparison.intervals import Interval, difference_interval, mae_interval, smallest_effect
from toy_duration_predictor.comparison.questions import OPEN, verdict
from toy_duration_predictor.comparison.significance import song_sign_flip

INFINITE = float("inf")


def corpus(rng, songs_per_singer, styles, skew=8):
    """Songs of 100 to 600 notes; a singer's mean absolute error is their style, and that of all is the styles' mean."""
    singers = np.repeat(np.arange(len(styles)), songs_per_singer)
    note_counts = rng.integers(100, 600, size=len(singers)).astype(float)
    error_sums = note_counts * styles[singers] * rng.gamma(skew, 1 / skew, size=len(singers))
    return error_sums, note_counts, singers


def ratio_of_means_by_singer(error_sums, note_counts, singers):
    """The same estimate as a function of one array of song numbers a singer, for scipy."""
    groups = [np.flatnonzero(singers == singer) for singer in np.unique(singers)]

    def ratio(*numbers, axis=-1):
        def total(values):
            return sum(len(group) * values[n.astype(int)].mean(axis) for group, n in zip(groups, numbers, strict=True))

        return total(error_sums) / total(note_counts)

    return groups, ratio


def strata(singers):
    ones = np.ones(len(singers))
    return intervals.checked(ones, ones, np.array(singers))[2].tolist()


def test_a_case_by_hand():
    """Two songs of one singer: each resample is one of them, so half the resamples are 1 and half are 4."""
    interval = mae_interval(np.array([10, 40]), np.array([10, 10]), np.array([7, 7]))
    assert interval == (2.5, 1, 4)
    # Leaving out either gives 4 or 1, so U = (2 - 1) * (2.5 - those) = -1.5 or 1.5; divided by n = 2.
    influence = intervals._influence(np.array([10.0, 40.0]), np.array([10.0, 10.0]), np.array([0, 0]))
    np.testing.assert_allclose(influence, [-0.75, 0.75])


def test_the_bca_ends_by_hand():
    """Estimate 42 of 0 ... 100 has a bias of z(0.42 + 0.005 / 1.01); influences -1, -1, 2 an acceleration of 0.0680."""
    resampled = np.arange(101.0)
    bias = stats.norm.ppf(42.5 / 101)
    acceleration = (-1 - 1 + 8) / (6 * (1 + 1 + 4) ** 1.5)
    assert acceleration == pytest.approx(0.0680, abs=1e-4)
    z = bias + np.array([-1.959964, 1.959964])
    expected = 100 * stats.norm.cdf(bias + z / (1 - acceleration * z))
    interval = intervals._bca(42.0, resampled, np.array([-1.0, -1.0, 2.0]), 0.95)
    np.testing.assert_allclose(interval[1:], expected, rtol=1e-5)


@pytest.mark.parametrize("songs_per_singer", [(12,), (2, 2, 2), (3, 9, 5, 2)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_scipy_makes_the_same_interval_of_the_same_resamples(rng, songs_per_singer, confidence):
    """Scipy takes a sample a stratum, and its acceleration is that of several samples."""
    styles = rng.uniform(5, 15, len(songs_per_singer))
    error_sums, note_counts, singers = corpus(rng, songs_per_singer, styles, skew=1)
    groups, ratio = ratio_of_means_by_singer(error_sums, note_counts, singers)
    by_scipy = stats.bootstrap(groups, ratio, vectorized=True, n_resamples=999, confidence_level=confidence, rng=rng)
    influence = intervals._influence(error_sums, note_counts, singers)
    estimate = error_sums.sum() / note_counts.sum()
    ours = intervals._bca(estimate, by_scipy.bootstrap_distribution, influence, confidence)
    np.testing.assert_allclose(ours[1:], by_scipy.confidence_interval, rtol=1e-12)


@pytest.mark.parametrize("skew", [1, 8])
def test_scipy_makes_nearly_the_same_interval_of_its_own_resamples(rng, skew):
    """One singer, many songs, so that drawing n - 1 of n hardly differs from drawing n."""
    error_sums, note_counts, singers = corpus(rng, [300], np.array([10.0]), skew)
    by_scipy = stats.bootstrap(
        (error_sums, note_counts),
        lambda sums, counts, axis=-1: sums.sum(axis) / counts.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=9999,
        rng=rng,
    )
    ours = mae_interval(error_sums, note_counts, singers, resamples=9999)
    width = ours.high - ours.low
    np.testing.assert_allclose(ours[1:], by_scipy.confidence_interval, atol=0.04 * width)


@pytest.mark.parametrize("songs_per_singer", [2, 3, 8])
def test_the_resamples_have_the_textbook_variance(rng, songs_per_singer):
    """Equal note counts make the estimate a stratified mean, whose variance has an unbiased formula."""
    singers = np.repeat(np.arange(30), songs_per_singer)
    errors = rng.gamma(4, 2, len(singers))
    by_singer = errors.reshape(30, songs_per_singer)
    textbook = np.sqrt((by_singer.var(axis=1, ddof=1) / songs_per_singer).sum()) / 30
    ones = np.ones(len(singers))
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert smallest_effect(errors, 0 * ones, ones, singers) == pytest.approx(z * textbook, rel=1e-9)
    interval = mae_interval(errors, ones, singers, confidence=0.9, resamples=9999)
    assert interval.high - interval.low == pytest.approx(2 * stats.norm.ppf(0.95) * textbook, rel=0.05)


@pytest.mark.parametrize(
    ("songs_per_singer", "singers", "lowest"),
    # With few songs a singer, the normal distribution is too narrow by what Student's would add.
    [(8, 6, 0.9), (30, 1, 0.9), (1, 25, 0.9), (2, 10, 0.86)],
)
def test_the_interval_covers_the_truth(rng, songs_per_singer, singers, lowest):
    styles = rng.uniform(8, 12, singers)
    covered = 0
    for seed in range(300):
        interval = mae_interval(*corpus(rng, songs_per_singer, styles), resamples=500, seed=seed)
        covered += interval.low <= styles.mean() <= interval.high
    assert lowest <= covered / 300 <= 0.99


def test_the_interval_of_no_difference_covers_it_and_the_test_seldom_rejects(rng):
    """Two arms of the same quality: 0 is mostly inside, and 5 % of the p-values are at most 0.05."""
    covered, rejected = 0, 0
    for seed in range(300):
        error_sums, note_counts, singers = corpus(rng, 4, np.full(6, 10.0))
        a, b = error_sums * rng.gamma(50, 0.02, len(singers)), error_sums * rng.gamma(50, 0.02, len(singers))
        interval = difference_interval(a, b, note_counts, singers, resamples=500, seed=seed)
        covered += interval.low <= 0 <= interval.high
        rejected += song_sign_flip(a, b, note_counts, resamples=199, seed=seed) <= 0.05
    assert 0.9 <= covered / 300 <= 0.99
    assert 0.02 <= rejected / 300 <= 0.09


def test_a_pairs_interval_is_that_of_its_differences(rng):
    a, note_counts, singers = corpus(rng, 5, np.array([5.0, 10.0, 20.0]))
    b = 0.9 * a + rng.normal(size=len(a))
    paired = difference_interval(a, b, note_counts, singers, seed=3)
    assert paired == mae_interval(a - b, note_counts, singers, seed=3)
    assert paired.estimate == pytest.approx(mae_interval(a, note_counts, singers)[0] * 0.1, rel=0.05)
    alone = [mae_interval(sums, note_counts, singers) for sums in (a, b)]
    assert paired.high - paired.low < 0.2 * (alone[0].high - alone[0].low)  # the songs' own differences cancel
    other_way = difference_interval(b, a, note_counts, singers, seed=3)
    np.testing.assert_allclose(other_way, [-paired.estimate, -paired.high, -paired.low], rtol=1e-9)


def test_singers_are_strata(rng):
    """Singers who differ widen the interval only if the songs are taken for those of one singer."""
    error_sums, note_counts, singers = corpus(rng, 10, np.array([2.0, 20.0]), skew=100)
    error_sums, note_counts = error_sums / note_counts, np.ones(20)  # or songs' lengths would move the estimate, too
    nested = mae_interval(error_sums, note_counts, singers)
    mixed = mae_interval(error_sums, note_counts, np.zeros(20))
    assert nested.estimate == mixed.estimate
    assert nested.high - nested.low < 0.3 * (mixed.high - mixed.low)
    names = np.array(["b", "a"])[singers]
    assert mae_interval(error_sums, note_counts, names) == pytest.approx(nested, rel=0.02)


def test_singers_of_one_song_are_pooled():
    assert strata([5, 5, 8, 8]) == [0, 0, 1, 1]
    assert strata([5, 6, 8, 8, 7]) == [0, 0, 1, 1, 0]
    assert strata([5, 6]) == [0, 0]
    assert strata([5, 5, 5, 6, 7, 7]) == [1, 1, 1, 0, 0, 0]  # one alone joins the singer with the fewest songs
    assert strata([5, 7, 7]) == [0, 0, 0]
    assert strata([5]) == [0]


def test_a_seed_gives_the_same_interval_again(rng):
    songs = corpus(rng, 6, np.array([5.0, 10.0]))
    assert mae_interval(*songs, seed=1) == mae_interval(*songs, seed=1) != mae_interval(*songs, seed=2)


def test_more_confidence_is_a_wider_interval(rng):
    songs = corpus(rng, 6, np.array([5.0, 10.0]))
    narrow, wide = mae_interval(*songs, confidence=0.8), mae_interval(*songs, confidence=0.99)
    assert wide.low < narrow.low < narrow.estimate < narrow.high < wide.high


def test_one_song_gives_no_interval():
    one = np.array([12.0]), np.array([4]), np.array([1])
    assert mae_interval(*one) == (3, -INFINITE, INFINITE)
    assert difference_interval(one[0], np.array([8.0]), *one[1:]) == (1, -INFINITE, INFINITE)
    assert song_sign_flip(one[0], np.array([8.0]), one[1]) == 1
    assert smallest_effect(one[0], np.array([8.0]), *one[1:]) == INFINITE
    assert verdict(Interval(1, -INFINITE, INFINITE), 1, no_difference=5) == OPEN


@pytest.mark.parametrize("songs", [2, 9, 40])
def test_identical_arms(rng, songs):
    error_sums, note_counts, singers = corpus(rng, songs, np.array([5.0, 10.0]))
    difference = difference_interval(error_sums, error_sums, note_counts, singers)
    p = song_sign_flip(error_sums, error_sums, note_counts)
    assert (difference, p) == ((0, 0, 0), 1)
    assert smallest_effect(error_sums, error_sums, note_counts, singers) == 0
    assert verdict(difference, p, no_difference=0) == OPEN


def test_songs_of_the_same_error_leave_no_doubt(rng):
    note_counts = rng.integers(1, 99, 12)
    interval = mae_interval(note_counts * 0.1, note_counts, np.arange(12) % 3)
    assert interval == pytest.approx((0.1, 0.1, 0.1))


@given(
    songs=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 1000), st.integers(0, 4)), min_size=1, max_size=15)
)
def test_every_corpus_has_an_interval(songs):
    error_sums, note_counts, singers = (np.array(column) for column in zip(*songs, strict=True))
    interval = mae_interval(error_sums, note_counts, singers, resamples=50)
    assert interval.low <= interval.high
    if len(songs) > 1:
        per_song = error_sums / note_counts
        assert per_song.min() * (1 - 1e-9) <= interval.low <= interval.high <= per_song.max() * (1 + 1e-9)


@pytest.mark.parametrize(
    ("error_sums", "note_counts", "singers", "message"),
    [
        ([], [], [], "do not fit together"),
        ([1, 2], [1], [1, 2], "do not fit together"),
        ([1, 2], [1, 2], [1], "do not fit together"),
        ([[1, 2]], [[1, 2]], [[1, 2]], "do not fit together"),
        ([1, np.nan], [1, 2], [1, 2], "must be finite"),
        ([1, 2], [1, 0], [1, 2], "note counts positive"),
        ([1, 2], [1, np.inf], [1, 2], "note counts positive"),
    ],
)
def test_songs_that_cannot_be_are_refused(error_sums, note_counts, singers, message):
    one, other, counts, names = np.array(error_sums), np.zeros_like(error_sums), np.array(note_counts), singers
    for attempt in (
        partial(mae_interval, one, counts, names),
        partial(difference_interval, one, other, counts, names),
        partial(smallest_effect, one, other, counts, names),
    ):
        with pytest.raises(ValueError, match=message):
            attempt()


def test_arms_of_other_songs_are_refused():
    one, two = np.ones(1), np.ones(2)
    for attempt in (difference_interval, smallest_effect):
        with pytest.raises(ValueError, match="the arms have"):
            attempt(one, two, two, two)
    with pytest.raises(ValueError, match="the arms have"):
        song_sign_flip(two, one, two)
    with pytest.raises(ValueError, match="do not fit together"):
        song_sign_flip(two, two, one)


@pytest.mark.parametrize("confidence", [0, 1, 95, np.nan])
def test_confidence_is_a_fraction(confidence):
    with pytest.raises(ValueError, match="not between 0 and 1"):
        mae_interval(np.ones(2), np.ones(2), np.ones(2), confidence=confidence)


def test_unsigned_counts_do_not_wrap():
    a, b = np.array([1, 2], dtype=np.uint8), np.array([2, 4], dtype=np.uint8)
    assert difference_interval(a, b, np.array([1, 1]), np.array([0, 0])) == (-1.5, -2, -1)


def test_the_smallest_effect_is_found_as_often_as_promised(rng):
    error_sums, note_counts, singers = corpus(rng, 40, np.array([5.0, 10.0]))
    noise = rng.normal(0, 0.5, size=(400, len(singers))) * note_counts
    effect = smallest_effect(error_sums + noise[0], error_sums, note_counts, singers)
    standard_error = (noise.sum(axis=1) / note_counts.sum()).std()
    assert effect == pytest.approx(2.8016 * standard_error, rel=0.2)
    found = np.abs(noise.sum(axis=1) / note_counts.sum() + effect) > 1.96 * standard_error
    assert found.mean() == pytest.approx(0.8, abs=0.15)  # 0.15 for what 80 songs know of their own spread


def test_more_songs_show_smaller_effects(rng):
    a, note_counts, singers = corpus(rng, 4, np.array([5.0, 10.0]))
    b = a * rng.gamma(50, 0.02, len(a))
    once = smallest_effect(a, b, note_counts, singers)
    often = smallest_effect(*(np.tile(column, 100) for column in (a, b, note_counts, singers)))
    assert often == pytest.approx(once / 10 * np.sqrt(3 / 4), rel=0.01)  # 4 songs know only 3 deviations
    assert smallest_effect(a, b, note_counts, singers, power=0.9) > once
    assert smallest_effect(a, b, note_counts, singers, alpha=0.01) > once
    for bad in ({"alpha": 0}, {"power": 1}, {"alpha": np.nan}):
        with pytest.raises(ValueError, match="not between 0 and 1"):
            smallest_effect(a, b, note_counts, singers, **bad)
