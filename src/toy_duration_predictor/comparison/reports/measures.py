"""The report's sections on what is measured: onsets first, then the intervals between them, then durations."""

from typing import TYPE_CHECKING

from toy_duration_predictor.comparison.reports.words import percent
from toy_duration_predictor.sections import Section

if TYPE_CHECKING:
    from toy_duration_predictor.comparison.facts import Comparison
    from toy_duration_predictor.comparison.intervals import Interval

NAMES = {
    "onset": "onsets",
    "ioi": "inter-onset intervals",
    "duration": "durations",
    "notes": "durations of notes",
    "rests": "durations of rests",
}
# Digits after the point.
FORMS = {"beats": ".4f", "ms": ".1f", "ticks": ".2f"}

CARRIED = (
    "The durations of these songs are carried values of the quantizer, not sung durations. Their running totals are no "
    "onsets. So neither onsets nor inter-onset intervals have errors here; tdp audit TABLE --repair OUT recovers the "
    "sung durations."
)


def shown(interval: "Interval", form: str) -> str:
    """Returns an estimate and its interval, each in this format, such as `.2f`."""
    return f"{interval.estimate:{form}} ({interval.low:{form}} to {interval.high:{form}})"


def in_units(units: dict[str, float]) -> str:
    """Returns an error in all units that are known."""
    return ", ".join(f"{value:{FORMS[unit]}} {unit}" for unit, value in units.items())


def summary(comparison: "Comparison") -> Section:
    """Returns the section that a reader sees first."""
    rows = []
    for measure, errors in comparison.errors.items():
        best = comparison.best["duration" if measure in ("notes", "rests") else measure]
        lookup, trees, model = (errors[name] for name in (*best, "model_b"))
        shares = (f"{each.share_of_copy:.3f}" for each in (lookup, trees, model))
        rows.append((NAMES[measure], in_units(errors["copy"].units), in_units(model.units), *shares))
    remark = (
        f"Mean absolute errors on the test songs. The last columns are shares of the copy baseline's error, in "
        f"{comparison.unit}, of the best lookup, the best trees and Model B. In this unit errors decide: a tick is "
        f"another length in files of another resolution. Baselines predict onsets and durations separately."
    )
    if comparison.carried:
        remark += f"\n\n{CARRIED}"
    if "ms" not in comparison.errors["duration"]["copy"].units:
        remark += "\n\nThe resolution or the tempo of some test songs is not known, so that errors are not known in ms."
    heads = ("error of", "copy", "Model B", "best lookup, of copy", "best trees, of copy", "Model B, of copy")
    return Section("The timing", heads, rows, remark)


def by_resolution(comparison: "Comparison") -> Section:
    """Returns the section with a row a measure and resolution."""
    rows = []
    for measure, resolutions in comparison.by_resolution.items():
        names = (*comparison.best[measure], "model_b")
        rows += [
            (NAMES[measure], str(of.ticks_per_beat), str(of.songs), f"{of.copy:.2f}",
             *(f"{of.shares[name]:.3f}" for name in names))
            for of in resolutions
        ]  # fmt: skip
    title = "By resolution"
    if not rows:
        return Section(title, remark="The songs table does not know the resolution of its songs (ticks_per_beat).")
    heads = ("error of", "ticks per beat", "songs", "copy, ticks", "best lookup", "best trees", "Model B")
    remark = "Shares of the copy baseline's error. In ticks, files of high resolution weigh most."
    return Section(title, heads, rows, remark)


def gaps(comparison: "Comparison") -> Section:
    """Returns the section with and without short rests."""
    title, found = "Without rests under 0.3 s", comparison.gaps
    if found is None:
        return Section(
            title,
            remark="This view needs to know resolution, tempo and sung durations (ticks_per_beat, tempo), and this "
            "table does not.",
        )
    rows = []
    for measure, shares in found.shares.items():
        names = (*comparison.best[measure], "model_b")
        cells = (f"{shares[name].with_short_rests:.3f} / {shares[name].without:.3f}" for name in names)
        rows.append((NAMES[measure], f"{found.copy[measure]:.1f}", *cells))
    remark = (
        f"Shares of the copy baseline's error: with short rests / without. Annotators leave tiny rests between notes, "
        f"and restoring them restores no timing that is heard. Here each rest under 0.3 s is given to the note after "
        f"it, in quantized, sung and predicted durations alike; {percent(found.short)} of the rests of the first "
        f"repetition's test songs are so short. {found.songs} test songs, whose resolution and tempo are known. All "
        f"were predicted from songs with short rests, which tell something of when notes begin; to take that away, "
        f"train on a table prepared without them (tdp prepare DIR --shortest-rest 0.3s)."
    )
    heads = ("error of", "copy without, ms", "best lookup", "best trees", "Model B")
    return Section(title, heads, rows, remark)


def sensitivity(comparison: "Comparison") -> list[Section]:
    """Returns the section on planted effects, where one was looked for."""
    form = FORMS[comparison.unit]
    rows = [
        (NAMES[measure], f"{of.size:{form}}", f"{of.worth:{form}}", shown(of.difference, f"+{form}"), f"{of.p:.2g}",
         of.verdict)
        for measure, of in comparison.sensitivity.items()
    ]  # fmt: skip
    if not rows:
        return []
    remark = (
        f"A known effect was planted in the same songs: every second onset within a phrase is moved by a constant of "
        f"its singer, which makes the singer worth just the size of no practical difference. All in {comparison.unit}. "
        f"Model B was trained on them with and without the singer, with the same seeds and splits. Only where it finds "
        f"the effect ('supported') does it mean something that none is found in the songs themselves."
    )
    heads = ("error of", "onsets moved by", "worth", "gained by the singer", "p", "verdict")
    return [Section("Would an effect have been found?", heads, rows, remark)]


def references(comparison: "Comparison") -> list[Section]:
    """Returns the section on reference songs, where Model B reads a style."""
    if comparison.references is None:
        return []
    form = FORMS[comparison.unit]
    rows = [
        (part, name, *(f"{error:{form}} ({error / first[measure]:.3f})" for measure, error in errors.items()))
        for part, known in comparison.references.items()
        for first in [next(iter(known.values()))]
        for name, errors in known.items()
    ]
    remark = (
        f"Model B in the first repetition, told nothing of the singer, or the style of other test songs by the singer, "
        f"or of the song's own first half. Errors in {comparison.unit}, and their shares of the first row's. With "
        f"data.split=singers no training has heard these singers."
    )
    heads = ("of", "known of the singer", *(NAMES[measure] for measure in comparison.questions))
    return [Section("A singer from reference songs", heads, rows, remark)]
