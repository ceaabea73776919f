"""The sections of the report on the verdicts: how often they are wrong where the answer is known."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from toy_duration_predictor.comparison.questions import LEVEL, OPEN, SAME, SUPPORTED, VERDICTS, WORSE
from toy_duration_predictor.comparison.reports.measures import NAMES
from toy_duration_predictor.comparison.reports.terms import terms
from toy_duration_predictor.comparison.reports.words import LAST, closer, counted, in_short, number, percent
from toy_duration_predictor.sections import Section

if TYPE_CHECKING:
    from toy_duration_predictor.comparison.power import Cell

TITLE = "Can the verdict on the singer be trusted?"


def sections(cells: "Sequence[Cell]", repetitions: int) -> list[Section]:
    """Returns all sections of a study with so many sets of songs of each size and effect."""
    of_measure: dict[str, list[Cell]] = {}
    for each in cells:
        of_measure.setdefault(each.measure, []).append(each)
    first = next(iter(of_measure))
    parts = [_in_short(first, of_measure[first], repetitions)]
    parts += [_verdicts(measure, some) for measure, some in of_measure.items()]
    parts.append(Section("How it was tried", remark=_methods(repetitions)))
    return [*parts, terms(parts)]


def _in_short(measure: str, cells: "Sequence[Cell]", repetitions: int) -> Section:
    """Returns the paragraph that a reader sees first: how often verdicts by one measure are wrong."""
    sentences = []
    for each in cells:
        songs = f"Of {counted(repetitions, 'set')} of {each.songs} songs"
        count = round(each.wrong.estimate * repetitions)
        if each.effect:
            sentences.append(
                f"{songs} with a singer effect of {each.effect:g}, {each.words.get(SUPPORTED, 0)} had the verdict "
                f"'{SUPPORTED}' on {NAMES[measure]}, and {count} a wrong one, '{SAME}' or '{WORSE}': {_wrong(each)}; "
                f"with the singer, {NAMES[measure]} of Model B are {closer(each.ms, 'ms')}."
            )
        else:
            sentences.append(
                f"{songs} whose singers are all the same person, {count} had the verdict '{SUPPORTED}' on "
                f"{NAMES[measure]}, which is wrong there: {_wrong(each)}."
            )
    sentences.append(f"That at most {percent(LEVEL)} of verdicts are wrong: {_judged(cells)}.")
    return in_short([*sentences, "In brackets is where the true share lies in 95 % of cases.", LAST])


def _judged(cells: "Sequence[Cell]") -> str:
    """Returns the verdict on the claim that verdicts are seldom wrong, whatever the effect and the size."""
    if any(each.wrong.low > LEVEL for each in cells):
        return WORSE
    return SUPPORTED if all(each.wrong.high <= LEVEL for each in cells) else OPEN


def _wrong(each: "Cell") -> str:
    return f"{percent(each.wrong.estimate)} ({100 * each.wrong.low:.0f} to {percent(each.wrong.high)})"


def _verdicts(measure: str, cells: "Sequence[Cell]") -> Section:
    rows = [
        (f"{each.effect:g}", str(each.songs), *(str(each.words.get(word, 0)) for word in VERDICTS), _wrong(each),
         f"{each.share:+.1%}", number(each.ms, "+"))
        for each in cells
    ]  # fmt: skip
    heads = ("singer effect", "songs", *VERDICTS, "wrong, 95 % interval", "gain, of copy", "gain, ms")
    return Section(f"Verdicts on Q3: {NAMES[measure]}", heads, rows, pictures=[_curve(cells)])


def _methods(repetitions: int) -> str:
    return (
        f"There are {counted(repetitions, 'set')} of songs of each size and effect; a tenth of the songs are test "
        f"songs. Model B is trained with and without the singer on each. With an effect of 0 all singers are the same "
        f"person, and '{SUPPORTED}' is wrong; otherwise '{SAME}' and '{WORSE}' are. Gains are what the singer takes "
        f"off the error. A set has one repetition, so that the test over repetitions is left out; a comparison needs "
        f"at least six of them, and is stricter. '{SAME}' is said where a known effect, planted in the same songs, was "
        f"found. Shares of wrong verdicts have 95 % intervals by Wilson's method."
    )


def _curve(cells: "Sequence[Cell]") -> Figure:
    """Draws the share of sets with the verdict *supported* against their effect, a line a number of songs."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for songs in dict.fromkeys(each.songs for each in cells):
        of_size = sorted((each.effect, each.supported) for each in cells if each.songs == songs)
        axes.plot(*zip(*of_size, strict=True), "o-", label=f"{songs} songs")
    axes.axhline(LEVEL, color="#888888", linewidth=1, linestyle="--")
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("singer effect")
    axes.set_ylabel("supported")
    axes.legend(frameon=False)
    return figure
