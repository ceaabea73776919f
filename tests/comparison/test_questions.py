import numpy as np
import pytest

from toy_duration_predictor.comparison.arms import check_names
from toy_duration_predictor.comparison.evidence import SongErrors, averaged
from toy_duration_predictor.comparison.intervals import Interval, difference_interval, smallest_effect
from toy_duration_predictor.comparison.questions import OPEN, SAME, Part, answer, judge, verdict
from toy_duration_predictor.comparison.significance import holm, seed_sign_flip, smallest_p, song_sign_flip
from toy_duration_predictor.errors import InputError

INFINITE = float("inf")


def errors(mae, rng, songs=40):
    """Errors of songs by four singers, about a mean, in ticks."""
    notes = np.full(songs, 100)
    return SongErrors(np.arange(songs), np.arange(songs) % 4, notes, notes * (mae + rng.normal(0, 0.3, songs)))


def judged(rng, seeds=6, copy=10.0, **maes):
    """Returns the answers where Model B has an error of 8 ticks, the copy baseline 10, and others what is given."""
    maes = {"model_b": 8.0, "copy": copy, "value": 9.9, **maes}
    evidence = {name: averaged([errors(mae, rng) for _ in range(seeds)]) for name, mae in maes.items()}
    arms = [name for name in maes if name not in ("copy", "value", "another singer")]
    return evidence, judge(evidence, arms, "value", resamples=500)


def part(answers, rival):
    return next(each for each in answers.parts if each.rival == rival)


@pytest.mark.parametrize(
    ("seeds", "rival", "word"),
    [
        (6, 9.0, "supported"),
        (20, 9.0, "supported"),  # as of four seeds on five folds
        (5, 9.0, "not enough to tell"),  # a sign-flip test over five seeds cannot be below 1/16
        (6, 7.0, "worse"),
    ],
)
def test_a_clear_difference(rng, seeds, rival, word):
    _, answers = judged(rng, seeds, model_a=rival)
    found = part(answers, "model_a")
    assert found.verdict == answers.answers["Q1"].verdict == word
    assert found.difference.estimate == pytest.approx(rival - 8, abs=0.2)
    assert found.share_of_copy == pytest.approx((rival - 8) / 10, abs=0.02)
    assert answers.smallest_p == smallest_p(seeds)


def test_a_part_is_made_of_the_statistics_of_its_errors(rng):
    evidence, answers = judged(rng)
    found, own, other = part(answers, "copy"), evidence["model_b"], evidence["copy"]
    songs = other.error, own.error, own.notes
    assert found.difference == difference_interval(*songs, own.singer, resamples=500)
    assert found.p_songs == song_sign_flip(*songs)
    assert found.p_repetitions == seed_sign_flip(np.array(other.repetitions) - own.repetitions)
    assert found.smallest_effect == smallest_effect(*songs, own.singer)


@pytest.mark.parametrize(("sensitive", "word"), [(True, "no practical difference"), (False, "not enough to tell")])
def test_no_practical_difference_is_said_where_one_would_have_been_found(rng, sensitive, word):
    evidence, _ = judged(rng)
    model = evidence["model_b"]
    noise = rng.normal(0, 0.1, (6, len(model.error)))
    evidence["model_b_anonymous"] = averaged([model._replace(error=model.error + each) for each in noise])
    answers = judge(evidence, ["model_b", "model_b_anonymous"], "value", resamples=500, sensitive=sensitive)
    assert answers.answers["Q3"].verdict == word
    assert answers.no_difference == pytest.approx(0.01 * evidence["copy"].mae)


def test_the_questions_and_their_rivals(rng):
    """Each is asked where its rivals are there, and a further arm has a question of its own."""
    _, answers = judged(rng)
    assert [(each.question, each.rival) for each in answers.parts] == [("Q2", "copy"), ("Q2", "value")]
    everything = {"model_a": 9.0, "model_b_anonymous": 8.5, "another singer": 8.6, "mine": 7.0, "best": 9.5}
    _, answers = judged(rng, **everything)
    asked = [(each.question, each.rival) for each in answers.parts]
    assert asked == [
        ("Q1", "model_a"),
        ("Q2", "copy"),
        ("Q2", "value"),
        ("Q3", "model_b_anonymous"),
        ("Q3", "another singer"),
        ("mine", "mine"),
        ("best", "best"),
    ]
    assert answers.answers["mine"] == ("Model B beats mine", "worse")
    assert answers.answers["best"] == ("Model B beats best", "supported")


def test_more_comparisons_need_more_evidence(rng):
    """Holm's correction is over all rivals that are there; with twelve repetitions it decides."""
    evidence, alone = judged(rng, seeds=12, model_a=8.04)
    crowd = evidence | {f"arm{i}": evidence["model_a"] for i in range(5)}
    crowded = judge(crowd, [name for name in crowd if name not in ("copy", "value")], "value", resamples=500)
    assert len(crowded.parts) == len(alone.parts) + 5
    assert part(crowded, "model_a").p_songs == part(alone, "model_a").p_songs
    assert part(crowded, "model_a").p > part(alone, "model_a").p
    for answers in (alone, crowded):
        corrected = holm({each.rival: each.p_songs for each in answers.parts})
        assert all(each.p == max(corrected[each.rival], each.p_repetitions) for each in answers.parts)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["supported"], "supported"),
        (["supported", "supported"], "supported"),
        (["supported", "not enough to tell"], "not enough to tell"),
        (["supported", "worse"], "worse"),
        (["not enough to tell", "worse"], "worse"),
        (["no practical difference"], "no practical difference"),
        (["no practical difference", "supported"], "no practical difference"),
        (["no practical difference", "not enough to tell"], "not enough to tell"),
        (["no practical difference", "worse"], "worse"),
    ],
)
def test_an_answer_needs_all_its_parts(words, expected):
    def of(question, word):
        return Part("model_b", "r", question, Interval(0, 0, 0), 0.0, 1.0, 1.0, 1.0, 1.0, word)

    parts = [*(of("Q2", word) for word in words), of("Q1", "worse")]
    assert answer(parts, "Q2") == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"model_b": "model_b", "mine": None}, "experiment=mine has no name; give its YAML a line 'name: mine'"),
        (
            {"model_b": "model_b", "mine": "model_b"},
            "experiment=mine and experiment=model_b have the same name, model_b",
        ),
        ({"model_b": "model_b", "mine": "boosting"}, "the name 'boosting', by which the report calls a baseline"),
        ({"model_b": "model_b", "mine": "Q4"}, "the name 'Q4', by which"),
        ({"model_b": "other"}, "the name model_b; the questions are about it"),
    ],
)
def test_names_that_cannot_be_told_apart(names, message):
    with pytest.raises(InputError, match=message):
        check_names(names)
    check_names({"model_b": "model_b", "mine": "mine"})


@pytest.mark.parametrize(
    ("low", "high", "p", "no_difference", "word"),
    [
        (0.5, 1.5, 0.01, 0.1, "supported"),
        (0.5, 1.5, 0.05, 0.1, "supported"),  # alpha itself is small enough
        (0.05, 1.5, 0.01, 0.1, "supported"),  # partly within the region of no difference
        (0.5, 1.5, 0.06, 0.1, OPEN),  # the test does not agree with the interval
        (0.0, 1.5, 0.01, 0.1, OPEN),  # 0 is not above 0
        (-0.5, 1.5, 0.01, 0.1, OPEN),
        (-1.5, 0.05, 0.01, 0.1, OPEN),
        (-1.5, 0.0, 0.01, 0.1, OPEN),  # 0 is not below 0
        (-1.5, -0.5, 0.01, 0.1, "worse"),
        (-1.5, -0.05, 0.01, 0.1, "worse"),  # partly within the region of no difference
        (-1.5, -0.5, 0.06, 0.1, OPEN),
        (-0.1, 0.1, 0.9, 0.1, SAME),  # the region's ends belong to it
        (-0.1, 0.11, 0.9, 0.1, OPEN),
        (0.02, 0.08, 0.001, 0.1, SAME),  # sure, and too small to matter
        (-0.08, -0.02, 0.001, 0.1, SAME),
        (0.02, 0.08, 0.001, 0.0, "supported"),
        (-INFINITE, INFINITE, 1.0, 0.1, OPEN),
    ],
)
def test_the_rule(low, high, p, no_difference, word):
    difference = Interval((low + high) / 2, low, high)
    assert verdict(difference, p, no_difference, sensitive=True) == word
    # Where no known effect was found, nothing can be said of none.
    assert verdict(difference, p, no_difference) == (OPEN if word == SAME else word)


def test_alpha_is_a_choice():
    assert verdict(Interval(1, 0.5, 1.5), 0.05, 0.1, level=0.01) == OPEN
    assert verdict(Interval(1, 0.5, 1.5), 0.2, 0.1, level=0.2) == "supported"


@pytest.mark.parametrize("no_difference", [-0.1, np.nan])
def test_a_region_is_not_negative(no_difference):
    with pytest.raises(InputError, match="give a number from 0 up"):
        verdict(Interval(1, 0.5, 1.5), 0.01, no_difference)


@pytest.mark.parametrize(
    ("low", "high", "p"), [(2, 1, 0.5), (np.nan, 1, 0.5), (0, 1, -0.1), (0, 1, 1.1), (0, 1, np.nan)]
)
def test_a_verdict_wants_an_interval_and_a_p_value(low, high, p):
    with pytest.raises(ValueError, match="in order"):
        verdict(Interval(1, low, high), p, 0.1)
