"""The report of a comparison: verdicts first, then what they rest on. Nothing is computed here, only shown."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from toy_duration_predictor.comparison.reports.in_short import in_short, verdict
from toy_duration_predictor.comparison.reports.measures import (
    FORMS,
    NAMES,
    by_resolution,
    gaps,
    in_units,
    references,
    sensitivity,
    shown,
    summary,
)
from toy_duration_predictor.comparison.reports.terms import terms
from toy_duration_predictor.comparison.reports.timing import numbers, timing_sections
from toy_duration_predictor.comparison.reports.words import percent
from toy_duration_predictor.sections import Section, render_markdown, write_report
from toy_duration_predictor.training import figures

# Only for the types: the modules of these facts bring all the libraries that compute.
if TYPE_CHECKING:
    from toy_duration_predictor.comparison.facts import Comparison

TITLE = "Does a sequence model put a singer's own timing back?"

# Ends the name of a report's event file, so that another report replaces this file and no other.
SUFFIX = ".report"


def write_comparison(folder: Path, comparison: "Comparison") -> None:
    """Writes `report.html`, `report.md`, `report.json` and an event file for TensorBoard."""
    measures = comparison.questions
    sections = [
        in_short(comparison),
        summary(comparison),
        _verdicts(comparison),
        *(_rivals(comparison, measure) for measure in measures),
        *sensitivity(comparison),
        *(_errors(comparison, measure) for measure in measures),
        by_resolution(comparison),
        gaps(comparison),
        _curves(comparison),
        _ablations(comparison),
        *references(comparison),
        _published_metric(comparison),
        *timing_sections(comparison),
        _methods(comparison),
    ]
    sections.append(terms(sections))
    write_report(folder, TITLE, sections, plain(comparison))
    _write_events(folder, sections, comparison)


def plain(value: Any) -> Any:
    """Returns nested results as JSON has them: named tuples by their names, and None for what is not finite."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_events(folder: Path, sections: list[Section], comparison: "Comparison") -> None:
    """Writes the tables as text, the pictures, and the error of each arm and baseline; replaces an earlier report's."""
    # Imported here because it brings torch along, which nothing else in a report needs.
    from torch.utils.tensorboard import SummaryWriter

    for earlier in folder.glob(f"events.out.tfevents.*{SUFFIX}"):
        earlier.unlink(missing_ok=True)  # the same command, twice at once
    with SummaryWriter(str(folder), filename_suffix=SUFFIX) as writer:
        writer.add_text("report", render_markdown(TITLE, sections))
        for measure, of_measure in comparison.errors.items():
            for name, errors in of_measure.items():
                writer.add_scalar(f"{measure}/{name}", errors.mae.estimate)
        for section in sections:
            for number, picture in enumerate(section.pictures):
                writer.add_figure(f"{section.title}/{number}" if number else section.title, picture)


def _verdicts(comparison: "Comparison") -> Section:
    of, method = comparison.questions, comparison.method
    share = method["no_difference"]
    first = next(iter(of.values()))
    rows = [
        (question, answer.claim, *(verdict(comparison, measure, question) for measure in of))
        for question, answer in first.answers.items()
    ]
    copies = {measure: comparison.errors[measure]["copy"].units for measure in of}
    region = "; ".join(
        f"{in_units({unit: share * error for unit, error in units.items()})} of {NAMES[measure]}"
        for measure, units in copies.items()
    )
    remark = (
        f"Beside a verdict stands how much closer than each rival Model B is.\n\n"
        f"Supported: every interval lies above 0, and every p-value is at most {first.level}. Worse: an interval lies "
        f"below 0, and its p-value is at most {first.level}. No practical difference: an interval lies within "
        f"{percent(share)} of the error of the copy baseline, and a known effect of that size was found in the same "
        f"songs; no part is worse, and none is open. Not enough to tell: anything else.\n\n{percent(share)} of the "
        f"copy baseline's error is {region}. A listener notices from some {method['just_noticeable_ms']:g} ms on that "
        f"a tone of an even sequence is displaced, or from {percent(method['just_noticeable_share'], 1)} of the "
        f"interval where it is longer than 240 ms (Friberg and Sundberg, 1995)."
    )
    if first.smallest_p > first.level:
        remark += (
            f"\n\nWith {len(comparison.provenance.repetitions)} repetitions a sign-flip test over them cannot be below "
            f"{first.smallest_p:.3g}, so nothing can be supported here; run at least six."
        )
    return Section("The answers", ("", "claim", *(NAMES[measure] for measure in of)), rows, remark)


def _rivals(comparison: "Comparison", measure: str) -> Section:
    parts, copy = comparison.questions[measure].parts, comparison.errors[measure]["copy"].mae.estimate
    unit, form = comparison.unit, FORMS[comparison.unit]
    to_copy = next(part for part in parts if part.rival == "copy")
    rows = [
        (part.question, part.rival, shown(part.difference, f"+{form}"), f"{part.share_of_copy:+.1%}",
         *numbers(".2g", part.p_songs, part.p_repetitions, part.p), part.verdict)
        for part in parts
    ]  # fmt: skip
    remark = (
        f"A difference is the rival's mean absolute error minus Model B's, in {unit}, with its 95 % interval. Beside "
        f"it stands its share of the copy baseline's error ({copy:{form}}). The p-value that counts is the larger of "
        f"two. One is the p-value over songs, after Holm's correction for {len(rows)} comparisons. The other is the "
        f"p-value over repetitions. These {comparison.provenance.test_songs} songs show a difference to the copy "
        f"baseline with a power of 80 % if it is at least {to_copy.smallest_effect:{form}} {unit}. Intervals from "
        f"fewer than some 20 songs are a little too narrow: they hold the true value in some 90 % of cases."
    )
    heads = ("", "rival", f"difference, {unit}", "of copy", "p, songs", "p, repetitions", "p that counts", "verdict")
    title = f"Model B and its rivals: {NAMES[measure]}"
    return Section(title, heads, rows, remark, [_forest(comparison, measure)])


def _errors(comparison: "Comparison", measure: str) -> Section:
    unit, form = comparison.unit, FORMS[comparison.unit]
    every = comparison.errors[measure]
    rows = []
    for name, errors in sorted(every.items(), key=lambda item: item[1].mae.estimate):
        # Baselines have no seeds, so that their repetitions say nothing.
        is_arm = name in comparison.provenance.runs
        span = f"{min(errors.repetitions):{form}} to {max(errors.repetitions):{form}}" if is_arm else ""
        ticks = errors.units["ticks"] / every["copy"].units["ticks"]
        cells = (shown(errors.mae, form), f"{errors.share_of_copy:.3f}", f"{ticks:.3f}", in_units(errors.units), span)
        rows.append((name, *cells))
    remark = (
        f"Of the lookups, {comparison.best[measure].lookup} has the smallest error on the validation songs. So it is "
        f"Model B's rival in Q2."
    )
    heads = ("", f"error, {unit}", "share of copy", "the same in ticks", "in all units", f"repetitions, {unit}")
    return Section(f"Arms and baselines: {NAMES[measure]}", heads, rows, remark)


def _curves(comparison: "Comparison") -> Section:
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.add_subplot()
    for number, (arm, repetitions) in enumerate(comparison.learning_curves.items()):
        for i, curve in enumerate(repetitions):
            if curve.epochs:
                label = arm if i == 0 else None
                axes.plot(curve.epochs, curve.skill, ".-", color=f"C{number}", alpha=0.6, linewidth=1, label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("skill, validation songs")
    if axes.lines:
        axes.legend(frameon=False)
    remark = (
        "The skill on the validation songs after each epoch. Arms trained on sung durations have no curve. They "
        "validate on sung durations, which copying gets right."
    )
    return Section("Learning curves", remark=remark, pictures=[figure])


def _ablations(comparison: "Comparison") -> Section:
    form = FORMS[comparison.unit]
    rows = [
        (NAMES[measure], name, f"{errors.mae:{form}}", f"{errors.share_of_copy:.3f}",
         shown(errors.difference, f"+{form}"))
        for measure, of_measure in comparison.ablations.items()
        for name, errors in of_measure.items()
    ]  # fmt: skip
    remark = (
        f"What the trained Model B loses when something is taken from it, in {comparison.unit}, with 95 % intervals. "
        f"Context is the number of notes and rests that it sees on either side of the one that it predicts; such "
        f"durations are no path, and have no onsets."
    )
    return Section("Ablations", ("error of", "", "error", "share of copy", "more than Model B"), rows, remark)


def _published_metric(comparison: "Comparison") -> Section:
    metrics = comparison.published_metric
    rows = [(arm, *(f"{way.model:.2f} ({way.model / way.copy:.3f})" for way in ways)) for arm, ways in metrics.items()]
    rows.append(("copy", *numbers(".2f", *(way.copy for way in metrics["model_b"]))))
    remark = (
        "MAE of durations, ticks, in the first repetition. In brackets is its share of the copy baseline's. The "
        "columns count in four ways: as in the rest of this report; with sung durations clamped to 0 to 1000 ticks; "
        "with the padding of songs to whole windows as notes of 0 ticks; and with both, as published. The clamp "
        "applies to the copy baseline, too, but not to the predictions of a model. So a model pays for every long rest "
        "that it gets right."
    )
    heads = ("", "as here", "clamped", "padded", "as published")
    return Section("What the published metric changes", heads, rows, remark)


def _methods(comparison: "Comparison") -> Section:
    of = comparison.provenance
    rows = [
        ("songs", f"{of.songs} rows, {of.source}, fingerprint {of.fingerprint}"),
        ("songs tested", f"{of.test_songs} test songs of {of.test_singers} singers"),
        ("repetitions", "; ".join(f"seed {s}, split seed {split} {fold}".strip() for s, split, fold in of.repetitions)),
        ("intervals", f"BCa bootstrap, {comparison.method['resamples']} resamples of songs within singers"),
        ("tests", "two-sided sign-flip permutation tests over songs and over repetitions; Holm's correction"),
        ("flips", "all of up to 13 songs and of up to 16 repetitions; a random sample where there are more"),
        ("network", _listed(of.network)),
        ("training", _listed(of.training)),
        ("code", f"commit {of.commit}"),
        ("versions", _listed(of.versions)),
        ("training time", "; ".join(f"{arm}: {time:.0f} s a run (median)" for arm, time in of.seconds.items())),
    ]
    rows += [(f"runs of {arm}", ", ".join(Path(run).name for run in runs)) for arm, runs in of.runs.items()]
    return Section("Methods and provenance", ("", ""), rows)


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _forest(comparison: "Comparison", measure: str) -> Figure:
    """Draws differences with their intervals, and the region of no practical difference."""
    parts, region = comparison.questions[measure].parts, comparison.questions[measure].no_difference
    figure = Figure(figsize=(7, 0.8 + 0.45 * len(parts)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvspan(-region, region, color="#dddddd", label="no practical difference")
    axes.axvline(0, color="#888888", linewidth=1)
    for height, part in enumerate(parts):
        axes.plot([part.difference.low, part.difference.high], [height] * 2, color=figures.PREDICTED, linewidth=2)
        axes.plot(part.difference.estimate, height, "o", color=figures.PREDICTED)
    axes.set_yticks(range(len(parts)), [f"{part.question}  {part.rival}" for part in parts])
    axes.set_ylim(len(parts) - 0.5, -0.5)
    axes.set_xlabel(f"rival's error minus Model B's, {comparison.unit}")
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))  # above, where no interval is
    return figure
