"""The report in words: what was found in one paragraph, in ms where they are known, and what its terms mean."""

from typing import TYPE_CHECKING

from toy_duration_predictor.comparison.report_measures import NAMES
from toy_duration_predictor.comparison.terms import TERMS
from toy_duration_predictor.sections import Section

if TYPE_CHECKING:
    from toy_duration_predictor.comparison.facts import Comparison
    from toy_duration_predictor.comparison.questions import Part

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
    songs, singers = _counted(of.test_songs, "song"), _counted(of.test_singers, "singer")
    names = RIVALS | {comparison.best[measure].lookup: f"the best lookup, {comparison.best[measure].lookup}"}
    sentences = [
        f"In {songs} by {singers}, {NAMES[measure]} lie {_number(factor * copy.mae.estimate)} {unit} from where they "
        f"were sung, on average, if the score is kept as it is. With Model B they lie "
        f"{_number(factor * model.mae.estimate)} {unit} off, {model.share_of_copy:.0%} of that."
    ]
    for question, answer in answers.answers.items():
        parts = [part for part in answers.parts if part.question == question]
        found = " and ".join(
            f"{_closer(factor * part.difference.estimate, unit)} than {names.get(part.rival, part.rival)} "
            f"({_span(part, factor)})"
            for part in parts
        )
        sentences.append(f"{answer.claim} ({question}): {answer.verdict}; Model B is {found}.")
    if answers.smallest_p > answers.level:
        sentences.append(
            f"With {_counted(len(of.repetitions), 'repetition')} nothing can be supported; run at least six."
        )
    sentences.append(
        f"In brackets is where the true difference lies in 95 % of cases; a listener notices some "
        f"{comparison.method['just_noticeable_ms']:g} ms. The last section says what each word means."
    )
    return Section("In short", remark=" ".join(sentences))


def verdict(comparison: "Comparison", measure: str, question: str) -> str:
    """Returns a question's verdict with the numbers behind it: how much closer Model B is than each rival."""
    answers, (factor, unit) = comparison.questions[measure], _unit(comparison, measure)
    numbers = ", ".join(
        f"{part.rival} {_number(factor * part.difference.estimate, '+')} {unit}"
        for part in answers.parts
        if part.question == question
    )
    return f"{answers.answers[question].verdict}: {numbers}"


def terms() -> Section:
    """Returns the section that explains every word."""
    return Section("What the words mean", ("", ""), list(TERMS.items()))


def _unit(comparison: "Comparison", measure: str) -> tuple[float, str]:
    """Returns what an error is multiplied by to have it in the unit that a reader knows best, and that unit.

    Errors that decide are in beats where these are known. As songs differ in tempo, a difference of errors is given in
    ms by the ratio that the copy baseline's error has in both units.
    """
    copy = comparison.errors[measure]["copy"]
    if "ms" in copy.units and copy.mae.estimate:
        return copy.units["ms"] / copy.mae.estimate, "ms"
    return 1.0, comparison.unit


def _number(value: float, sign: str = "") -> str:
    """Returns a number with two digits that mean something, as far as hundredths of a ms or beat.

    >>> _number(20.13), _number(-0.034, "+")
    ('20.1', '-0.03')
    """
    return f"{value:{sign}.{1 if abs(value) >= 1 else 2}f}"


def _closer(value: float, unit: str) -> str:
    return f"{_number(abs(value))} {unit} {'closer' if value >= 0 else 'further off'}"


def _span(part: "Part", factor: float) -> str:
    return f"{_number(factor * part.difference.low)} to {_number(factor * part.difference.high)}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
