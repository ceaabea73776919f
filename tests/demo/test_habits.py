import numpy as np
import pytest

from toy_duration_predictor.demo.habits import FEWEST_PHRASE_ENDS, Habits, apart, habits, in_words, phrase_ends

# Two phrases of three notes, with a rest of half a second between them.
SCORE = np.array([[0.0, 0.5], [0.5, 1.0], [1.0, 1.5], [2.0, 2.5], [2.5, 3.0], [3.0, 3.5]])


def test_what_was_put_in_is_found():
    sung = SCORE + 0.02  # 20 ms late
    sung[:, 1] -= 0.1  # 80 % of what is written
    sung[[2, 5], 1] += 0.15  # but at the ends of phrases, 50 ms more
    found = habits(SCORE, sung[None])
    assert (found.late, found.sounded, found.held) == pytest.approx((20, 0.8, 50))


def test_medians_are_of_all_takes():
    takes = np.stack([SCORE + by for by in (0.01, 0.03, -0.005)])
    assert habits(SCORE, takes).late == pytest.approx(10)
    assert habits(SCORE, takes[::-1]) == habits(SCORE, takes)


def test_phrases_end_before_rests_that_can_be_heard_and_at_the_end():
    assert phrase_ends(SCORE).tolist() == [False, False, True, False, False, True]
    tiny = SCORE.copy()
    tiny[2, 1] = 1.75  # leaves a rest of a quarter of a second
    assert phrase_ends(tiny).sum() == 1 < FEWEST_PHRASE_ENDS
    assert habits(tiny, tiny[None]).held is None


@pytest.mark.parametrize("by", [-0.03, 0.0, 0.007])
def test_how_far_apart(by):
    assert apart(SCORE, SCORE + by) == pytest.approx(1000 * abs(by))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Habits(-7.6, 1.04, 0.2), ["8 ms early", "104 %", "keeps the length of the last notes"]),
        (Habits(0.4, 1.0, None), ["on time", "100 %"]),
        (Habits(12.0, 0.876, 31.0), ["12 ms late", "88 %", "lengthens the last notes of phrases by 31 ms"]),
    ],
)
def test_words(found, words):
    parts = in_words(found).split(", ")
    assert len(parts) == len(words)
    for part, word in zip(parts, words, strict=True):
        assert word in part
