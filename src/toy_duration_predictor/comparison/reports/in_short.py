"""A comparison in words: what was found in one paragraph, and each verdict with the numbers behind it."""

from typing import TYPE_CHECKING

from toy_duration_predictor.comparison.reports.measures import NAMES
from toy_duration_predictor.comparison.reports.words import (
    LAST,
    best_unit,
    brackets,
    closer,
    counted,
    number,
    percent,
    span,
    too_few,
)
from toy_duration_predictor.comparison.reports.words import in_short as paragraph
from toy_duration_predictor.sections import Section

if TYPE_CHECKING:
    from toy_duration_predictor.comparison.facts import Comparison

# Rivals as a sentence has them.
RIVALS = {
    "model_a": "Model A",
    "copy": "the score as it is",
    "model_b_anonymous": "Model B without the singer",
    "another singer": "Model B told another singer",
}


def in_short(comparison: "Comparison") -> Section:
    """Returns the paragraph that a reader sees first: the measure that is heard most, and each question's answer."""
    measure, answers = next(iter(comparison.questions.items()))
    errors, of, (factor, unit) = comparison.errors[measure], comparison.provenance, _unit(comparison, measure)
    copy, model = errors["copy"], errors["model_b"]
    songs, singers = counted(of.test_songs, "song"), counted(of.test_singers, "singer")
    names = RIVALS | {comparison.best[measure].lookup: f"the best lookup, {comparison.best[measure].lookup}"}
    sentences = [
        f"In {songs} by {singers}, {NAMES[measure]} lie {number(factor * copy.mae.estimate)} {unit} from where they "
        f"were sung, on average, if the score is kept as it is. With Model B they lie "
        f"{number(factor * model.mae.estimate)} {unit} off, {percent(model.share_of_copy)} of that."
    ]
    for question, answer in answers.answers.items():
        parts = [part for part in answers.parts if part.question == question]
        found = " and ".join(
            f"{closer(factor * part.difference.estimate, unit)} than {names.get(part.rival, part.rival)} "
            f"({span(part.difference, factor)})"
            for part in parts
        )
        sentences.append(f"{answer.claim} ({question}): {answer.verdict}; Model B is {found}.")
    if answers.smallest_p > answers.level:
        sentences.append(too_few(len(of.repetitions), "repetition"))
    return paragraph([*sentences, brackets(comparison.method["just_noticeable_ms"]), LAST])


def verdict(comparison: "Comparison", measure: str, question: str) -> str:
    """Returns a question's verdict with the numbers behind it: how much closer Model B is than each rival."""
    answers, (factor, unit) = comparison.questions[measure], _unit(comparison, measure)
    numbers = ", ".join(
        f"{part.rival} {number(factor * part.difference.estimate, '+')} {unit}"
        for part in answers.parts
        if part.question == question
    )
    return f"{answers.answers[question].verdict}: {numbers}"


def _unit(comparison: "Comparison", measure: str) -> tuple[float, str]:
    copy = comparison.errors[measure]["copy"]
    return best_unit(copy.units, copy.mae.estimate, comparison.unit)
