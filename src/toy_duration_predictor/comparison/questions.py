"""The experiment's questions, as comparisons of errors on the same test songs; `QUESTIONS` has them.

Each question is asked of each measure by itself. It has one part or several, each a comparison with a rival and with
the verdict of `verdict`; `answer` puts them together. A part's p-value is the larger of two: the p-value over songs,
corrected for the number of parts by Holm's method, and the p-value over repetitions, which with fewer than six cannot
be below 0.05.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from toy_duration_predictor.comparison.ablation import ANOTHER
from toy_duration_predictor.comparison.arms import ANONYMOUS, CONTROL, MODEL
from toy_duration_predictor.comparison.evidence import SongErrors, share, tests_against
from toy_duration_predictor.comparison.intervals import Interval
from toy_duration_predictor.comparison.significance import smallest_p
from toy_duration_predictor.errors import InputError

LEVEL = 0.05

# No practical difference: less than this share of the error of the copy baseline. That is some tenths of a millisecond
# a note, and so far below what can be heard: a single tone in an even sequence is heard to be displaced from some 6 ms
# on, 2.5 % of intervals above 240 ms (Friberg and Sundberg 1995, Time discrimination in a monotonic, isochronous
# sequence, JASA 98).
NO_DIFFERENCE = 0.01
# The figures of that study.
JUST_NOTICEABLE_MS, JUST_NOTICEABLE_SHARE = 6.0, 0.025

SUPPORTED, WORSE = "supported", "worse"
SAME, OPEN = "no practical difference", "not enough to tell"
VERDICTS = (SUPPORTED, WORSE, SAME, OPEN)

COPY, BEST_LOOKUP = "copy", "best lookup"

# By question: its claim, and the rivals that Model B is compared with. Any further arm has a question of its own.
QUESTIONS = {
    "Q1": ("Model B beats Model A on quantized input", [CONTROL]),
    "Q2": ("Model B beats the copy baseline, and beats the lookups", [COPY, BEST_LOOKUP]),
    "Q3": ("The singer's identity helps", [ANONYMOUS, ANOTHER]),
}


class Part(NamedTuple):
    """A comparison of an arm with a rival, to answer a question. Errors are in the unit that decides.

    Attributes:
        difference: The rival's MAE minus the arm's: positive where the claim holds.
        share_of_copy: The same over the error of the copy baseline.
        p_songs: Sign-flip test over songs, not corrected.
        p_repetitions: Sign-flip test over repetitions.
        p: What counts: the larger of the two, the first one corrected.
        smallest_effect: The smallest difference that these songs would show with a power of 80 %.
    """

    arm: str
    rival: str
    question: str
    difference: Interval
    share_of_copy: float
    p_songs: float
    p_repetitions: float
    p: float
    smallest_effect: float
    verdict: str


class Answer(NamedTuple):
    """The verdict on a question's claim."""

    claim: str
    verdict: str


class Answers(NamedTuple):
    """The answers by question, by one measure, and the comparisons and rules that they rest on.

    Attributes:
        no_difference: Up to where a difference means nothing in practice, in the unit that decides.
        smallest_p: The smallest p-value that so many repetitions can give.
    """

    level: float
    no_difference: float
    smallest_p: float
    answers: dict[str, Answer]
    parts: list[Part]


def judge(
    errors: Mapping[str, SongErrors], arms: Iterable[str], best_lookup: str, resamples: int, sensitive: bool = False
) -> Answers:
    """Compares Model B with its rivals, and answers the questions.

    Args:
        errors: Of arms, baselines and ablations, averaged over the repetitions, by one measure.
        arms: Which of these are arms.
        best_lookup: Which is the best lookup.
        resamples: Of the bootstrap.
        sensitive: As of `verdict`.
    """
    known = {MODEL, *(rival for _, rivals in QUESTIONS.values() for rival in rivals)}
    questions = QUESTIONS | {arm: (f"Model B beats {arm}", [arm]) for arm in arms if arm not in known}
    asked = {rival: question for question, (_, rivals) in questions.items() for rival in rivals}
    rivals = {best_lookup if rival == BEST_LOOKUP else rival: question for rival, question in asked.items()}
    # Not every comparison has every arm, and a model of a single singer cannot be told another one.
    rivals = {rival: question for rival, question in rivals.items() if rival in errors}
    model, copy = errors[MODEL], errors[COPY].mae
    compared = {name: errors[name] for name in (MODEL, *rivals)}
    tests = tests_against(MODEL, compared, resamples)
    parts = [
        Part(
            arm=MODEL,
            rival=rival,
            question=rivals[rival],
            share_of_copy=share(test.difference.estimate, copy),
            verdict=verdict(test.difference, test.p, NO_DIFFERENCE * copy, sensitive),
            **test._asdict(),
        )
        for rival, test in tests.items()
    ]
    answers = {
        question: Answer(questions[question][0], answer(parts, question)) for question in dict.fromkeys(rivals.values())
    }
    return Answers(LEVEL, NO_DIFFERENCE * copy, smallest_p(len(model.repetitions)), answers, parts)


def within(difference: Interval, no_difference: float) -> bool:
    """Returns whether a whole interval lies within `no_difference` of 0, both ends included."""
    return -no_difference <= difference.low and difference.high <= no_difference


def verdict(difference: Interval, p: float, no_difference: float, sensitive: bool = False, level: float = LEVEL) -> str:
    """Returns what a difference says of the claim that it is positive: one of `VERDICTS`.

    The first of these rules that holds decides:

    1. Where the whole interval lies within `no_difference` of 0, it is *no practical difference* if `sensitive`, and
       else *not enough to tell*. That is so even of an interval above 0 with a small p-value: a difference too small to
       matter does not support the claim.
    2. *supported* if the whole interval lies above 0, and *worse* if it lies below; in either case if `p` is at most
       `level`.
    3. *not enough to tell* otherwise.

    Args:
        difference: Positive if the claim holds.
        p: Two-sided p-value of the difference, adjusted if the claim is one of several.
        no_difference: Up to where a difference means nothing in practice, in the same unit.
        sensitive: Whether a known effect of that size has been found by the same means (see `sensitivity`): only then
            does it mean something that none is found.
        level: Of the test.

    Raises:
        InputError: `no_difference` is negative or not a number.
        ValueError: The interval's ends are in the wrong order, or `p` is not between 0 and 1.
    """
    if not no_difference >= 0:
        raise InputError(f"no_difference={no_difference} cannot be used; give a number from 0 up.")
    if not difference.low <= difference.high or not 0 <= p <= 1:
        raise ValueError(f"{difference} is not in order, or p={p} is not between 0 and 1")
    if within(difference, no_difference):
        return SAME if sensitive else OPEN
    if p <= level and (difference.low > 0 or difference.high < 0):
        return SUPPORTED if difference.low > 0 else WORSE
    return OPEN


def answer(parts: Iterable[Part], question: str) -> str:
    """Returns the verdict on a question, whose claim is that all of its parts hold.

    *supported* if all parts are, and *worse* if any part is. Otherwise a part that cannot be told leaves the question
    open: it may turn out to be worse. What remains is *no practical difference*: no part is worse, and in one or more
    the claim comes to nothing.
    """
    words = {part.verdict for part in parts if part.question == question}
    return next(word for word in (WORSE, OPEN, SAME, SUPPORTED) if word in words)
