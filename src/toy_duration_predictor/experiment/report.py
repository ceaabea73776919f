"""The report of a comparison: verdicts first, then what they rest on."""

import re
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from toy_duration_predictor.experiment import figures
from toy_duration_predictor.experiment.evidence import SongErrors, mean_over_repetitions
from toy_duration_predictor.experiment.gather import MODEL, Comparison
from toy_duration_predictor.experiment.questions import CLAIMS, LEVEL, NO_DIFFERENCE, answer
from toy_duration_predictor.experiment.report_timing import timing_facts, timing_sections
from toy_duration_predictor.experiment.statistics import (
    Interval,
    difference_interval,
    mae_interval,
    smallest_effect,
    smallest_p,
)
from toy_duration_predictor.page import Section

# Ways to count an error: whether padding counts, and whether durations are clamped.
WAYS = ((False, False), (False, True), (True, False), (True, True))


def sections(comparison: Comparison) -> list[Section]:
    """Returns the report's parts."""
    return [
        _verdicts(comparison),
        _comparisons(comparison),
        _arms(comparison),
        _curves(comparison),
        _ablations(comparison),
        _metrics(comparison),
        *timing_sections(comparison),
        _methods(comparison),
    ]


def facts(comparison: Comparison) -> dict[str, Any]:
    """Returns the report's numbers, for `report.json`."""
    found = {
        "verdicts": {question: answer(comparison.parts, question) for question in _questions(comparison)},
        "parts": [
            part._asdict() | {"verdict": part.verdict.word, "difference": part.verdict.difference, "p": part.verdict.p}
            for part in comparison.parts
        ],
        "mae": {name: _mae(comparison, name) for name in comparison.errors},
        "ablations": {name: _difference(comparison, errors) for name, errors in comparison.ablations.items()},
        "published_metric": comparison.metrics,
        **timing_facts(comparison),
        "best_lookup": comparison.best_lookup,
        "fingerprint": comparison.runs[MODEL][0].metrics["data/fingerprint"],
        "runs": {arm: [str(run.folder) for run in runs] for arm, runs in comparison.runs.items()},
    }
    plain: dict[str, Any] = _plain(found)
    return plain


def _plain(value: Any) -> Any:
    """Returns a value as JSON has it: named tuples by their names, and nothing infinite."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _questions(comparison: Comparison) -> list[str]:
    return [question for question in CLAIMS if any(part.question == question for part in comparison.parts)]


def _mae(comparison: Comparison, name: str) -> Interval:
    songs = mean_over_repetitions(comparison.errors[name])
    return mae_interval(songs.error, songs.notes, songs.singer, resamples=comparison.resamples)


def _difference(comparison: Comparison, errors: list[SongErrors]) -> Interval:
    """Returns how much larger errors are than Model B's."""
    own, other = mean_over_repetitions(comparison.errors[MODEL]), mean_over_repetitions(errors)
    return difference_interval(other.error, own.error, own.notes, own.singer, resamples=comparison.resamples)


def _copying(comparison: Comparison) -> float:
    return mean_over_repetitions(comparison.errors["copy"]).mae


def _verdicts(comparison: Comparison) -> Section:
    rows = [(question, CLAIMS[question], answer(comparison.parts, question)) for question in _questions(comparison)]
    seeds = len(comparison.runs[MODEL])
    remark = f"Supported: every interval lies above 0, and every p-value is at most {LEVEL}. Refuted: an interval lies "
    remark += f"below 0, or within {NO_DIFFERENCE:.0%} of the error of copying. Inconclusive: anything else."
    if smallest_p(seeds) > LEVEL:
        remark += (
            f"\n\nWith {seeds} repetitions a sign-flip test over them cannot be below {smallest_p(seeds):.3g}, so "
            f"nothing can be supported here; run at least six."
        )
    return Section("The answers", ("", "claim", "verdict"), rows, remark)


def _comparisons(comparison: Comparison) -> Section:
    copying = _copying(comparison)
    rows = []
    for part in comparison.parts:
        d = part.verdict.difference
        share = f"{d.estimate / copying:+.1%}"
        rows.append(
            (part.question, part.rival, _signed(d), share, f"{part.p_songs:.2g}", f"{part.p_seeds:.2g}",
             f"{part.verdict.p:.2g}", part.verdict.word)
        )  # fmt: skip
    own = mean_over_repetitions(comparison.errors[MODEL])
    other = mean_over_repetitions(comparison.errors["copy"])
    least = smallest_effect(other.error, own.error, own.notes, own.singer)
    remark = (
        f"Differences are the rival's MAE minus Model B's, in ticks with 95 % intervals, and as a share of the error "
        f"of copying ({copying:.2f}). The p-value that counts is the larger of that over songs, after Holm's "
        f"correction for {len(rows)} comparisons, and that over repetitions. The smallest difference to copying that "
        f"{len(own.row)} songs could have shown with a power of 80 % is {least:.2f} ticks. Intervals from fewer than "
        f"about 20 songs cover a little less than they say: some 90 % where they say 95 %."
    )
    heads = ("", "rival", "difference, ticks", "of copying", "p, songs", "p, repetitions", "p that counts", "verdict")
    figure = _forest({f"{part.question}  {part.rival}": part.verdict.difference for part in comparison.parts}, copying)
    return Section("Model B and its rivals", heads, rows, remark, [figure])


def _arms(comparison: Comparison) -> Section:
    copying = _copying(comparison)
    rows = []
    for name in sorted(comparison.errors, key=lambda name: mean_over_repetitions(comparison.errors[name]).mae):
        interval = _mae(comparison, name)
        of_seeds = [each.mae for each in comparison.errors[name]]
        seeds = f"{min(of_seeds):.2f} to {max(of_seeds):.2f}" if name in comparison.runs else ""
        share = interval.estimate / copying
        within = f"{interval.low:.2f} to {interval.high:.2f}"
        rows.append((name, f"{interval.estimate:.2f}", within, f"{share:.3f}", f"{1 - share:+.3f}", seeds))
    remark = f"Of the lookups, {comparison.best_lookup} has the least error on validation songs: it is Q2's rival."
    heads = ("", "MAE, ticks", "95 % interval", "share of copying", "skill", "repetitions")
    return Section("Arms and baselines", heads, rows, remark)


def _curves(comparison: Comparison) -> Section:
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.add_subplot()
    for number, (arm, runs) in enumerate(comparison.runs.items()):
        for i, run in enumerate(runs):
            text = (run.folder / "train.log").read_text(encoding="utf-8")
            found = re.findall(r"epoch (\d+)/.*val/skill (-?[\d.]+)", text)
            if found:
                epochs, skill = np.array(found, dtype=float).T
                axes.plot(epochs, skill, color=f"C{number}", alpha=0.6, linewidth=1, label=arm if i == 0 else None)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("skill on validation songs")
    if axes.lines:
        axes.legend(frameon=False)
    remark = "Arms trained on original durations have no such curve: copying is perfect there."
    return Section("Learning curves", remark=remark, pictures=[figure])


def _ablations(comparison: Comparison) -> Section:
    copying = _copying(comparison)
    rows = []
    for name, errors in comparison.ablations.items():
        difference = _difference(comparison, errors)
        share = mean_over_repetitions(errors).mae / copying
        rows.append((name, f"{mean_over_repetitions(errors).mae:.2f}", f"{share:.3f}", _signed(difference)))
    remark = "What the trained Model B loses when something is taken from it, with 95 % intervals."
    remark += " Context is the number of notes and rests on either side."
    return Section("Ablations", ("", "MAE, ticks", "share of copying", "more than Model B, ticks"), rows, remark)


def _metrics(comparison: Comparison) -> Section:
    rows = []
    for arm, ways in comparison.metrics.items():
        shown = {(way.padding, way.clamp): f"{way.model:.2f} ({way.model / way.copying:.3f})" for way in ways}
        rows.append((arm, *(shown[way] for way in WAYS)))
    copying = {(way.padding, way.clamp): f"{way.copying:.2f}" for way in comparison.metrics[MODEL]}
    rows.append(("copying", *(copying[way] for way in WAYS)))
    remark = (
        "MAE in ticks in the first repetition, and as a share of that of copying: as counted here; with sung durations "
        "clamped to 0 to 1000 ticks; with the padding of windows as notes of 0 ticks; and with both, as published. "
        "Where sung durations are clamped, so are the quantized ones for copying, but predictions are not: a model "
        "pays for every long rest that it gets right. Copying is counted in Model B's windows; other arms may have "
        "windows of another length."
    )
    heads = ("", "as here", "clamped", "padded", "as published")
    return Section("What the published metric changes", heads, rows, remark)


def _methods(comparison: Comparison) -> Section:
    first = comparison.runs[MODEL][0]
    config, metrics = first.config, first.metrics
    seeds = [run.repetition for run in comparison.runs[MODEL]]
    songs = mean_over_repetitions(comparison.errors[MODEL])
    source = f"{metrics['data/source']}, fingerprint {metrics['data/fingerprint']}"
    rows = [
        ("songs", f"{len(comparison.table)} rows, {source}"),
        ("songs tested", f"{len(songs.row)} test songs of {len(np.unique(songs.singer))} singers"),
        ("repetitions", "; ".join(f"seed {seed}, split seed {of} {fold}".strip() for seed, of, fold in seeds)),
        ("intervals", f"BCa bootstrap, {comparison.resamples} resamples of songs within singers; see statistics.py"),
        ("tests", "two-sided sign-flip permutation tests over songs and over repetitions; Holm's correction"),
        ("network", ", ".join(f"{key} {value}" for key, value in config["model"].items())),
        ("training", ", ".join(f"{key} {value}" for key, value in config["training"].items())),
        ("code", f"commit {metrics['git/commit']}"),
        ("versions", ", ".join(f"{key[8:]} {value}" for key, value in metrics.items() if key.startswith("version/"))),
        ("training time", _seconds(comparison)),
    ]
    for arm, runs in comparison.runs.items():
        rows.append((f"runs of {arm}", ", ".join(run.folder.name for run in runs)))
    return Section("Methods and provenance", ("", ""), rows)


def _seconds(comparison: Comparison) -> str:
    return "; ".join(
        f"{arm}: {np.median([float(run.metrics['train/seconds']) for run in runs]):.0f} s a run (median)"
        for arm, runs in comparison.runs.items()
    )


def _signed(interval: Interval) -> str:
    return f"{interval.estimate:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})"


def _forest(differences: dict[str, Interval], copying: float) -> Figure:
    """Draws differences with their intervals, and the region of no practical difference."""
    figure = Figure(figsize=(7, 0.8 + 0.45 * len(differences)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvspan(-NO_DIFFERENCE * copying, NO_DIFFERENCE * copying, color="#dddddd", label="no practical difference")
    axes.axvline(0, color="#888888", linewidth=1)
    for place, interval in enumerate(differences.values()):
        axes.plot([interval.low, interval.high], [place, place], color=figures.PREDICTED, linewidth=2)
        axes.plot(interval.estimate, place, "o", color=figures.PREDICTED)
    axes.set_yticks(range(len(differences)), list(differences))
    axes.set_ylim(len(differences) - 0.5, -0.5)
    axes.set_xlabel("rival's MAE minus Model B's, ticks")
    axes.legend(frameon=False, loc="best")
    return figure
