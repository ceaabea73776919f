"""The experiment's questions, as comparisons of errors on the same test songs.

| question | claim | rivals of Model B |
| --- | --- | --- |
| Q1 | Model B beats Model A on quantized input | Model A |
| Q2 | Model B beats the copy baseline, and beats the lookups | copy; the lookup that was best on validation songs |
| Q3 | The singer's identity helps | Model B trained without it; Model B told another singer |
| ARM | Model B beats ARM | any further arm, in a question of its own |

A question of two parts is *supported* if both are, *refuted* if either is, and else *inconclusive*. Each part has the
verdict of `statistics.verdict`. Its p-value is the larger of two: the p-value over songs, corrected for the number of
parts by Holm's method, and the p-value over repetitions, which with fewer than six cannot be below 0.05.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from toy_duration_predictor.experiment.ablation import ANOTHER
from toy_duration_predictor.experiment.arms import ANONYMOUS, CONTROL, MODEL
from toy_duration_predictor.experiment.evidence import SongErrors, mean_over_repetitions
from toy_duration_predictor.experiment.statistics import (
    Interval,
    difference_interval,
    holm,
    seed_sign_flip,
    smallest_effect,
    smallest_p,
    song_sign_flip,
    verdict,
)

LEVEL = 0.05

# No practical difference: less than this share of the error of the copy baseline.
NO_DIFFERENCE = 0.01

SUPPORTED, REFUTED, INCONCLUSIVE = "supported", "refuted", "inconclusive"

COPY, BEST_LOOKUP = "copy", "best lookup"


class Rivalry(NamedTuple):
    """What is compared with what: the errors of `arm` and of its `rival`, to answer a `question`."""

    arm: str
    rival: str
    question: str


RIVALRIES = (
    Rivalry(MODEL, CONTROL, "Q1"),
    Rivalry(MODEL, COPY, "Q2"),
    Rivalry(MODEL, BEST_LOOKUP, "Q2"),
    Rivalry(MODEL, ANONYMOUS, "Q3"),
    Rivalry(MODEL, ANOTHER, "Q3"),
)

CLAIMS = {
    "Q1": "Model B beats Model A on quantized input",
    "Q2": "Model B beats the copy baseline, and beats the lookups",
    "Q3": "The singer's identity helps",
}


class Part(NamedTuple):
    """A comparison of an arm with a rival.

    Attributes:
        question: Which question it belongs to.
        arm: The arm that the claim is about.
        rival: What it is compared with.
        difference: The rival's MAE minus the arm's, ticks: positive where the claim holds.
        share_of_copy: The same over the error of the copy baseline.
        p_songs: Sign-flip test over songs, not corrected.
        p_repetitions: Sign-flip test over repetitions.
        p: What counts: the larger of the two, the first one corrected.
        verdict: `SUPPORTED`, `REFUTED` or `INCONCLUSIVE`.
    """

    question: str
    arm: str
    rival: str
    difference: Interval
    share_of_copy: float
    p_songs: float
    p_repetitions: float
    p: float
    verdict: str


class Answer(NamedTuple):
    """A question's claim, and the verdict on it."""

    claim: str
    verdict: str


class Answers(NamedTuple):
    """The answers to all questions, and what they rest on.

    Attributes:
        level: Of the tests.
        no_difference: Share of the copy baseline's error below which a difference does not matter.
        smallest_p: The smallest p-value that so many repetitions can give.
        smallest_effect: The smallest difference to the copy baseline that these songs would show with a power of 80 %,
            ticks.
        answers: By question.
        parts: The comparisons.
    """

    level: float
    no_difference: float
    smallest_p: float
    smallest_effect: float
    answers: dict[str, Answer]
    parts: list[Part]


def rivalries(arms: Iterable[str], best_lookup: str) -> list[Rivalry]:
    """Returns all rivalries: the table above with the best lookup's name, and one for each further arm."""
    in_table = {MODEL, *(each.rival for each in RIVALRIES)}
    further = [Rivalry(MODEL, arm, arm) for arm in arms if arm not in in_table]
    return [each._replace(rival=best_lookup) if each.rival == BEST_LOOKUP else each for each in (*RIVALRIES, *further)]


def judge(errors: Mapping[str, list[SongErrors]], rivals: Iterable[Rivalry], resamples: int) -> Answers:
    """Compares arms with their rivals, and answers the questions.

    Args:
        errors: Of arms, baselines and ablations, in each repetition; the copy baseline's among them.
        rivals: What is compared. A rivalry without errors is left out: not every comparison has every arm.
        resamples: Of the bootstrap.
    """
    rivals = [each for each in rivals if each.rival in errors]
    copy = mean_over_repetitions(errors[COPY])
    differences, p_songs, p_repetitions = {}, {}, {}
    for arm, rival, question in rivals:
        key = f"{question} {rival}"
        own, other = mean_over_repetitions(errors[arm]), mean_over_repetitions(errors[rival])
        differences[key] = difference_interval(other.error, own.error, own.notes, own.singer, resamples=resamples)
        p_songs[key] = song_sign_flip(other.error, own.error, own.notes)
        of_repetitions = [a.mae - b.mae for a, b in zip(errors[rival], errors[arm], strict=True)]
        p_repetitions[key] = seed_sign_flip(np.array(of_repetitions))
    corrected = holm(p_songs)
    parts = []
    for arm, rival, question in rivals:
        key = f"{question} {rival}"
        p = max(corrected[key], p_repetitions[key])
        word = verdict(differences[key], p, NO_DIFFERENCE * copy.mae, LEVEL).word
        share = differences[key].estimate / copy.mae
        parts.append(Part(question, arm, rival, differences[key], share, p_songs[key], p_repetitions[key], p, word))
    asked = dict.fromkeys(part.question for part in parts)
    own = mean_over_repetitions(errors[MODEL])
    return Answers(
        level=LEVEL,
        no_difference=NO_DIFFERENCE,
        smallest_p=smallest_p(len(errors[MODEL])),
        smallest_effect=smallest_effect(copy.error, own.error, own.notes, own.singer),
        answers={
            question: Answer(CLAIMS.get(question, f"Model B beats {question}"), answer(parts, question))
            for question in asked
        },
        parts=parts,
    )


def answer(parts: Iterable[Part], question: str) -> str:
    """Returns the verdict on a question from the verdicts on its parts."""
    words = {part.verdict for part in parts if part.question == question}
    if REFUTED in words:
        return REFUTED
    return SUPPORTED if words == {SUPPORTED} else INCONCLUSIVE
