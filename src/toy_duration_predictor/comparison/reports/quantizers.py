"""The sections of the report on quantizers."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from toy_duration_predictor.comparison.quantizer_figures import FIGURES, TIMED
from toy_duration_predictor.comparison.questions import JUST_NOTICEABLE_MS, LEVEL, OPEN
from toy_duration_predictor.comparison.reports.measures import FORMS, NAMES, in_units, shown
from toy_duration_predictor.comparison.reports.terms import terms
from toy_duration_predictor.comparison.reports.words import (
    LAST,
    best_unit,
    brackets,
    closer,
    counted,
    in_short,
    number,
    span,
    too_few,
)
from toy_duration_predictor.comparison.significance import smallest_p
from toy_duration_predictor.data.quantizers import REFERENCE, WAYS
from toy_duration_predictor.sections import Section

if TYPE_CHECKING:
    from toy_duration_predictor.comparison.quantizer_questions import Judged
    from toy_duration_predictor.comparison.quantizers import Study

TITLE = "Does the regularization do what it is for, better than other quantizers?"

MOVED = [name for name, (unit, _) in FIGURES.items() if unit in ("ticks", "beats", "ms") and "grid" not in name]
REGULAR = [name for name in FIGURES if name not in MOVED]


def sections(study: "Study") -> list[Section]:
    """Returns all sections; those on Model B only where it was trained."""
    parts = [_in_short(study), _ways(study), _moved(study), _regular(study)]
    if (judged := study.judged) is not None:
        parts += [_answers(judged), _restored(judged), *(_matrix(judged, measure) for measure in judged.matrix)]
    return [*parts, terms(parts)]


def _in_short(study: "Study") -> Section:
    """Returns the paragraph that a reader sees first: how far ways move times, and the answer on onsets."""
    moved = {way: figures["times moved, ms"].estimate for way, figures in study.figures.items()}
    others = ", ".join(f"{way} by {number(ms)}" for way, ms in moved.items() if way not in (REFERENCE, *study.same))
    sentences = [
        f"In {counted(study.songs, 'song')} the published way to quantize, {REFERENCE}, moves the ends of notes and "
        f"rests by {number(moved[REFERENCE])} ms on average{f'; {others}' if others else ''}."
    ]
    if study.judged is None:
        return in_short([*sentences, "Nothing was trained, so that Q0 has no answer here.", LAST])
    judged = study.judged
    restored, compared = judged.restored["onset"][REFERENCE], judged.compared["onset"]
    factor, unit = best_unit(restored.copy, restored.copy[judged.unit], judged.unit)
    sentences.append(
        f"With Model B, onsets of {counted(judged.test_songs, 'test song')} lie {number(restored.model[unit])} {unit} "
        f"from where they were sung."
    )
    against: dict[str, list[str]] = {}
    for each in compared:
        difference = closer(factor * each.difference.estimate, unit)
        against.setdefault(each.verdict, []).append(
            f"{difference} than after {each.rival} ({span(each.difference, factor)})"
        )
    for word, found in against.items():
        sentences.append(f"The published way is better (Q0): {word}; after it, Model B is {' and '.join(found)}.")
    if compared:
        if smallest_p(judged.seeds) > LEVEL:
            sentences.append(too_few(judged.seeds, "seed"))
        sentences.append(brackets(JUST_NOTICEABLE_MS))
    return in_short([*sentences, LAST])


def _ways(study: "Study") -> Section:
    rows = [(name, WAYS[name].about, _remark(study, name)) for name in (*study.figures, *study.left_out)]
    remark = (
        f"{study.songs} songs. All ways are given the same sung durations, and errors are against these. Where a grid "
        f"does not divide a song's resolution, the song has more ticks per beat in that way's table, without rounding; "
        f"ticks in this report are always those in which it was sung."
    )
    return Section("Ways to quantize", ("way", "what it does", ""), rows, remark)


def _remark(study: "Study", name: str) -> str:
    if name in study.same:
        return f"the same as {study.same[name]} to the tick, and not trained again"
    return f"left out: {study.left_out[name]} is not installed" if name in study.left_out else ""


def _moved(study: "Study") -> Section:
    remark = (
        "Times are the ends of notes and rests, from the song's first onset on; drift is how far the song's end is "
        "moved. All without signs, means over songs of the mean of each song, with 95 % intervals over songs."
    )
    return Section("How far a way moves what was sung", ("way", *map(_head, MOVED)), _figures(study, MOVED), remark)


def _regular(study: "Study") -> Section:
    rows = [
        (*row, f"{study.speed[row[0]].notes_per_second:,.0f}", f"{study.speed[row[0]].ratio:.3g}")
        for row in _figures(study, REGULAR)
    ]
    heads = ("way", *map(_head, REGULAR), "notes and rests a second", f"times {REFERENCE}'s")
    remark = (
        "Emptied: the share of notes, and of rests, that become 0. Off the grid: the mean distance of times from the "
        "nearest line of the way's own grid, before and after. Entropy: of the distribution of a song's note lengths; "
        "less is more regular, and 1 bit less halves the number of equally common lengths. Speed: the best of three "
        f"passes over {TIMED} songs, in this run."
    )
    return Section("How regular the outcome is", heads, rows, remark)


def _head(figure: str) -> str:
    unit, _ = FIGURES[figure]
    return figure if unit in ("beats", "ms", "share") else f"{figure}, {unit}"


def _figures(study: "Study", names: Iterable[str]) -> list[tuple[str, ...]]:
    return [
        (way, *(shown(found[name], f".{FIGURES[name][1]}f") for name in names)) for way, found in study.figures.items()
    ]


def _answers(judged: "Judged") -> Section:
    form = FORMS[judged.unit]
    rows = [
        (NAMES[measure], each.rival, shown(each.difference, f"+{form}"), f"{each.p_songs:.2g}", f"{each.p:.2g}",
         each.verdict)
        for measure, of_measure in judged.compared.items()
        for each in of_measure
    ]  # fmt: skip
    regions = ", ".join(f"{NAMES[measure]} {of:{form}}" for measure, of in judged.no_difference.items())
    remark = (
        f"By how much Model B's error is larger on the other way's table than on {REFERENCE}'s, in {judged.unit}: "
        f"above 0, {REFERENCE} is better. Test songs: {judged.test_songs}; seeds: {judged.seeds}. p is the larger of "
        f"that over songs, corrected for the number of ways, and that over seeds, which is above 0.05 with fewer "
        f"than six seeds. An interval within 1 % of {REFERENCE}'s copy error ({regions}) is too small to matter; it, "
        f"too, is '{OPEN}', as no known effect of that size was planted here. A finer grid loses less by itself. So "
        f"what counts is a way on the same grid, or one whose outcome is as regular."
    )
    heads = ("error of", "against", f"difference, {judged.unit}", "p over songs", "p", f"{REFERENCE} is better")
    return Section("Q0: is the published way better than the others?", heads, rows, remark)


def _restored(judged: "Judged") -> Section:
    rows = [
        (NAMES[measure], way, in_units(each.copy), in_units(each.model), f"{each.share:.3f}")
        for measure, ways in judged.restored.items()
        for way, each in ways.items()
    ]
    heads = ("error of", "way", "copy", "Model B", "Model B, of copy")
    remark = (
        f"Mean absolute errors on the test songs, of copying a way's table and of Model B trained on it. Shares are in "
        f"{judged.unit}. A way that loses much has a low share where Model B puts much of it back; what counts is the "
        f"error that is left."
    )
    return Section("What is left of the timing", heads, rows, remark)


def _matrix(judged: "Judged", measure: str) -> Section:
    shares = judged.matrix[measure]
    rows = [(trained, *(f"{share:.3f}" for share in tested.values())) for trained, tested in shares.items()]
    remark = (
        "A row: the way of the training, first seed. A column: the way of the test, the same songs. Shares of copying "
        "the column's table; above 1, a model is worse than copying."
    )
    title = f"Trained on one way, tested on another: {NAMES[measure]}"
    return Section(title, ("trained on", *next(iter(shares.values()))), rows, remark)
