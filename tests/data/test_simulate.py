import numpy as np
import pytest

from tests.conftest import flat
from toy_duration_predictor.data.quantize import quantize
from toy_duration_predictor.data.simulate import MEAN_STYLE, SINGERS, simulate_songs, singer_styles
from toy_duration_predictor.data.songs import fingerprint, validate_songs


@pytest.fixture(scope="module")
def corpus():
    return simulate_songs()


def test_the_corpus_is_a_valid_table_of_18_singers(corpus):
    checked = validate_songs(corpus)
    assert sorted(set(checked["singer_id"])) == list(range(1, 19))
    assert set(checked["ticks_per_beat"]) == {120, 480, 960}
    assert set(checked.column_names) == set(corpus.column_names)


def test_it_follows_from_the_seed(corpus):
    again = simulate_songs()
    assert fingerprint(validate_songs(again)) == fingerprint(validate_songs(corpus))
    assert fingerprint(validate_songs(simulate_songs(seed=1))) != fingerprint(validate_songs(corpus))


def test_two_singers_sing_each_score(corpus):
    for row in range(0, len(corpus), 2):
        one, other = corpus[row], corpus[row + 1]
        assert one["song_id"] == other["song_id"]
        assert one["singer_id"] != other["singer_id"]
        assert one["pitch"] == other["pitch"]
        assert one["durations"] != other["durations"]


def test_the_same_performances_against_their_scores(corpus):
    scores = simulate_songs(against="score")
    assert scores["durations"][:] == corpus["durations"][:]
    for row in range(0, 40, 2):
        one, other = scores[row], scores[row + 1]
        # Two singers have one score, at the resolutions of their performances.
        in_steps = [np.array(each["quantized_durations"]) / (each["ticks_per_beat"] // 8) for each in (one, other)]
        assert np.array_equal(*in_steps)
        assert not np.mod(in_steps[0], 1).any()
        rests = in_steps[0][1::2]
        # Rests are written at the ends of the 13 to 21 phrases, the last one excepted.
        assert 12 <= (rests > 0).sum() <= 20
        late = np.cumsum(np.array(one["durations"]) - one["quantized_durations"])
        assert np.abs(late).max() < 2 * one["ticks_per_beat"]


def test_notes_and_rests_take_turns(corpus):
    for pitch in corpus["pitch"][:20]:
        assert all(pitch[::2])
        assert not any(pitch[1::2])


def test_quantized_durations_are_the_sung_ones_quantized(corpus):
    for row in corpus.select(range(10)):
        step = row["ticks_per_beat"] // 8
        assert quantize(np.array(row["durations"]), step).tolist() == row["quantized_durations"]


def test_it_resembles_real_songs(corpus):
    """The real figures are those of 160 real songs; a copy error of 12.63 ticks, a third of all durations 0."""
    sung, quantized = flat(corpus["durations"]), flat(corpus["quantized_durations"])
    assert np.abs(sung - quantized).mean() == pytest.approx(12.63, rel=0.1)
    assert (quantized == 0).mean() == pytest.approx(0.329, abs=0.03)
    assert sung.min() >= 1


def test_no_singer_effect_makes_all_singers_the_same():
    assert set(singer_styles(seed=3, singer_effect=0)) == {MEAN_STYLE}
    assert len(set(singer_styles(seed=3, singer_effect=1))) == SINGERS


@pytest.mark.parametrize("parameter", MEAN_STYLE._fields)
def test_a_larger_effect_spreads_the_singers(parameter):
    spread = [np.std([getattr(s, parameter) for s in singer_styles(0, effect)]) for effect in (0, 0.5, 1, 2)]
    assert spread == sorted(spread)
    assert spread[0] == pytest.approx(0, abs=1e-12)


def test_articulation_is_what_a_singer_leaves_out():
    """The singer with the highest articulation rests longest between legato notes."""
    corpus = simulate_songs(songs=90, singer_effect=2)
    styles = singer_styles(0, 2)
    order = np.argsort([style.articulation for style in styles])
    median_rest = [
        np.median(
            flat([np.array(r["durations"][1::2]) / r["ticks_per_beat"] for r in corpus if r["singer_id"] == i + 1])
        )
        for i in (order[0], order[-1])
    ]
    assert median_rest[1] > 1.5 * median_rest[0]
