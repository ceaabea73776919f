"""What songs tell of their singer, against singers of known style."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from toy_duration_predictor.data.batches import Songs
from toy_duration_predictor.data.simulate import Style, simulate_songs, singer_styles
from toy_duration_predictor.data.style import FEATURES, References, StylePrior, Sums, style_sums

SINGERS = list(range(1, 19))


@pytest.fixture(scope="module")
def songs():
    return Songs(simulate_songs(songs=180), SINGERS)


@pytest.fixture(scope="module")
def references(songs):
    return songs.references(np.arange(180), songs.sung)


def whole(songs, row):
    notes = songs.quantized.song(row), songs.sung.song(row), float(songs.step[row]), songs.rest.song(row) == 1
    return style_sums(*notes, np.array([0]))


def test_styles_are_those_that_the_singers_were_made_with(references):
    """Articulation, unevenness and bias of 18 singers come back from ten songs of each."""
    true, found = np.array(singer_styles(0, 1.0)), references.of_singers(18)
    # Articulation and how late onsets are of notes of 3 to 4 steps, unevenness of notes up to 2 steps.
    for feature, name in ((7, "articulation"), (10, "bias"), (6, "unevenness")):
        parameter = true[:, Style._fields.index(name)]
        assert spearmanr(found[:, feature], parameter).statistic > 0.5


def test_parts_add_up_to_the_song(songs):
    notes = songs.quantized.song(0), songs.sung.song(0), float(songs.step[0]), songs.rest.song(0) == 1
    parts, song = style_sums(*notes, np.arange(0, len(notes[0]), 32)), whole(songs, 0)
    for part, all_of_it in zip(parts, song, strict=True):
        np.testing.assert_allclose(part.sum(0), all_of_it[0])


def test_the_same_performance_at_another_resolution_has_the_same_style(songs):
    quantized, sung, rest = songs.quantized.song(0), songs.sung.song(0), songs.rest.song(0) == 1
    one, other = (
        style_sums(by * quantized, by * sung, by * float(songs.step[0]), rest, np.array([0])) for by in (1, 8)
    )
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(ours, theirs)


def test_what_says_nothing_is_a_style_of_0(songs, references):
    nothing = Sums(np.zeros(FEATURES), np.zeros(FEATURES))
    assert not references.prior.style(nothing).any()
    rests = style_sums(np.array([15, 30]), np.array([15, 30]), 15, np.array([True, True]), np.array([0]))
    assert not references.prior.style(rests).any()
    known = np.arange(FEATURES, dtype=np.float32)
    np.testing.assert_array_equal(references.prior.so_far(nothing, known), known)


def test_more_songs_are_shrunk_less(songs, references):
    sums = whole(songs, 0)
    one, many = (references.prior.style(Sums(sums.notes * times, sums.total * times)) for times in (1, 1000))
    assert (np.abs(one) <= np.abs(many) + 1e-6).all()
    prior = references.prior
    with_notes = sums.notes[0] > 100
    own = (sums.total / np.maximum(sums.notes, 1) - prior.mean) / prior.scale
    np.testing.assert_allclose(many[0][with_notes], own[0][with_notes], rtol=0.35, atol=0.05)


def test_weights_follow_what_singers_share(songs):
    """A feature that is a singer's own is hardly shrunk, and one that is chance is shrunk to nothing."""
    rng = np.random.default_rng(0)
    singer = np.repeat(np.arange(20), 10)
    own = rng.normal(size=20)[singer]
    notes = np.full((200, 2), 50.0)
    mean = np.stack([own + 0.01 * rng.normal(size=200), rng.normal(size=200)], axis=1)
    prior = StylePrior.fit(Sums(notes, notes * mean), Sums(notes / 2, notes / 2 * mean), singer)
    assert prior.weight[0] <= 10 < 1000 < prior.weight[1]
    # Both halves of these songs are alike.
    assert (prior.weight_in_song <= 10).all()


def test_a_window_is_told_nothing_of_its_own_song_but_its_beginning(songs):
    notes = songs.quantized.song(0), songs.sung.song(0), float(songs.step[0]), songs.rest.song(0) == 1
    alone = References([style_sums(*notes, np.arange(0, len(notes[0]), 32))], np.array([0]))
    for seed in range(20):
        assert not alone.draw(0, 31, np.random.default_rng(seed)).any()
        # The parts before the window alone.
        told = alone.draw(0, 100, np.random.default_rng(seed))
        before = Sums(*(part[3] for part in alone.before[0]))
        assert not told.any() or np.array_equal(told, alone.prior.so_far(before, np.zeros(FEATURES)))
    np.testing.assert_allclose(alone.before[0].notes[3], style_sums(*notes, np.array([0, 96])).notes[0])
