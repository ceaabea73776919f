import numpy as np
import pytest

from toy_duration_predictor.experiment.evidence import SongErrors
from toy_duration_predictor.experiment.questions import Part, answer, judge
from toy_duration_predictor.experiment.statistics import Interval, Verdict


def errors(mae, rng, songs=40):
    """Errors of songs by four singers, about a mean, in ticks."""
    notes = np.full(songs, 100)
    return SongErrors(np.arange(songs), np.arange(songs) % 4, notes, notes * (mae + rng.normal(0, 0.3, songs)))


def repetitions(mae, rng, seeds):
    return [errors(mae, rng) for _ in range(seeds)]


@pytest.mark.parametrize(
    ("seeds", "rival", "word"),
    [
        (6, 9.0, "supported"),
        (5, 9.0, "inconclusive"),  # a sign-flip test over five seeds cannot be below 1/16
        (6, 7.0, "refuted"),  # the rival is better
    ],
)
def test_a_clear_difference(rng, seeds, rival, word):
    model, other, copying = repetitions(8.0, rng, seeds), repetitions(rival, rng, seeds), errors(10.0, rng)
    (part,) = judge(model, [("Q1", "model_a", other)], copying, resamples=500)
    assert part.verdict.word == word
    assert part.verdict.difference.estimate == pytest.approx(rival - 8, abs=0.2)


def test_no_practical_difference_is_refuted(rng):
    model = repetitions(8.0, rng, 6)
    same = [each._replace(error=each.error + rng.normal(0, 0.1, len(each.error))) for each in model]
    (part,) = judge(model, [("Q3", "model_b_anonymous", same)], errors(10.0, rng), resamples=500)
    assert part.verdict.word == "refuted"


def test_more_comparisons_need_more_evidence(rng):
    model, other, copying = repetitions(8.0, rng, 6), repetitions(8.1, rng, 6), errors(10.0, rng)
    (alone,) = judge(model, [("Q1", "x", other)], copying, resamples=500)
    crowd = judge(model, [("Q1", f"x{i}", other) for i in range(5)], copying, resamples=500)
    assert all(part.verdict.p >= alone.verdict.p for part in crowd)
    assert crowd[0].p_songs == alone.p_songs


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["supported"], "supported"),
        (["supported", "supported"], "supported"),
        (["supported", "inconclusive"], "inconclusive"),
        (["supported", "refuted"], "refuted"),
        (["inconclusive", "refuted"], "refuted"),
    ],
)
def test_an_answer_needs_all_its_parts(words, expected):
    parts = [Part("Q2", "r", Verdict(word, Interval(0, 0, 0), 1.0), 1.0, 1.0) for word in words]
    others = [Part("Q1", "r", Verdict("refuted", Interval(0, 0, 0), 1.0), 1.0, 1.0)]
    assert answer([*parts, *others], "Q2") == expected
