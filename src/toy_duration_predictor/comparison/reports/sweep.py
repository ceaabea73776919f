"""The report of a sweep: its trials, the means over repetitions, and which settings are the best.

Errors are compared only where they are errors of the same thing: the same validation songs, and the same kind of input.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from omegaconf import OmegaConf
from rich.console import Console

from toy_duration_predictor.comparison.questions import LEVEL, OPEN, SUPPORTED
from toy_duration_predictor.comparison.reports.settings import REPORT_ONCE, best_metric, better, error
from toy_duration_predictor.comparison.reports.terms import terms
from toy_duration_predictor.comparison.reports.words import counted, too_few
from toy_duration_predictor.comparison.reports.words import in_short as paragraph
from toy_duration_predictor.comparison.significance import holm, seed_sign_flip, smallest_p
from toy_duration_predictor.comparison.sweep import Trial
from toy_duration_predictor.sections import Section, render_text, write_report

# Trials that differ in these alone repeat each other.
REPEATED = ("seed", "data.split", "data.split_seed")

# The settings that runs must share for a metric to mean the same in all of them.
SHARED = {
    "val/mae": ("data.pairing",),
    "val/skill": ("data.pairing",),
    "val/loss": ("data.pairing", "training.loss"),
}


class Candidate(NamedTuple):
    """Settings that were tried, and their finished trials."""

    settings: dict[str, str]
    trials: list[Trial]
    mean: float
    seconds: float


class Findings(NamedTuple):
    """What a sweep has found.

    Attributes:
        metric: The metric that decides.
        keys: The settings that differ between trials.
        candidates: What was tried, the best first.
        best: The best of them; None where there is nothing to compare, or it cannot be compared.
        remark: Why there is no best; or "".
    """

    metric: str
    keys: list[str]
    candidates: list[Candidate]
    best: Candidate | None
    remark: str


def find(trials: Sequence[Trial]) -> Findings:
    """Returns what the trials of a sweep have found."""
    metric = trials[0].optimize
    keys = _differing([trial.given for trial in trials])
    # A sweep over nothing but seeds compares these; any other takes them for repetitions.
    named = [key for key in keys if key not in REPEATED] or keys
    groups: dict[tuple[str, ...], list[Trial]] = {}
    for trial in trials:
        if metric in trial.metrics:
            groups.setdefault(tuple(trial.given.get(key, "") for key in named), []).append(trial)
    candidates = [
        Candidate(
            dict(zip(named, values, strict=True)),
            group,
            statistics.fmean(float(trial.metrics[metric]) for trial in group),
            statistics.fmean(float(trial.metrics["train/seconds"]) for trial in group),
        )
        for values, group in groups.items()
    ]
    candidates.sort(key=lambda candidate: -candidate.mean if metric.endswith("skill") else candidate.mean)
    remark = _not_comparable(metric, candidates)
    most = max((len(candidate.trials) for candidate in candidates), default=0)
    whole = [candidate for candidate in candidates if len(candidate.trials) == most]
    best = whole[0] if len(candidates) > 1 and not remark else None
    return Findings(metric, keys, candidates, best, remark)


def _differing(given: list[dict[str, str]]) -> list[str]:
    """Returns the keys whose values are not the same in all trials."""
    keys = dict.fromkeys(key for each in given for key in each)
    return [key for key in keys if len({each.get(key) for each in given}) > 1]


def _not_comparable(metric: str, candidates: list[Candidate]) -> str:
    """Returns why the errors of these runs cannot be compared: a sentence, or "" where they can."""
    trials = [trial for candidate in candidates for trial in candidate.trials]
    if not trials:
        return f"No trial has a {metric}."
    for key in SHARED.get(metric, ()):
        if len({str(OmegaConf.select(OmegaConf.create(trial.config), key)) for trial in trials}) > 1:
            return (
                f"No trial is the best: {metric} is not the same thing where {key} differs. The same command with "
                f"optimize=val/quantized_mae compares these runs, and trains none of them again."
            )
    songs = [{str(trial.metrics["data/validated"]) for trial in candidate.trials} for candidate in candidates]
    if any(each - max(songs, key=len) for each in songs):
        return "No trial is the best: the validation songs differ, and errors of other songs cannot be compared."
    return ""


def in_short(trials: Sequence[Trial], found: Findings) -> Section:
    """Returns the paragraph that a reader sees first: which settings are the best, and whether that can be told."""
    ended = sum(trial.state != "finished" for trial in trials)
    sentences = [f"{counted(ended, 'trial')} of {len(trials)} did not finish."] if ended else []
    best, metric = found.best, found.metric
    if best is None:
        sentences.append(found.remark or f"All trials have the same settings: {_error(found.candidates[0], metric)}.")
        return paragraph(sentences)
    times = f" (mean of {len(best.trials)} trials)" if len(best.trials) > 1 else ""
    sentences += [
        f"Of {len(found.candidates)} settings, the best by {metric} is {_named(best)}{times}: {_error(best, metric)}.",
        _than_the_next(found, best),
        REPORT_ONCE,
    ]
    return paragraph(sentences)


def _than_the_next(found: Findings, best: Candidate) -> str:
    """Returns the sentence on whether the best settings are better than the second best.

    By a sign-flip test over the repetitions that both have, corrected for the number of settings.
    """
    rivals = [each for each in found.candidates if each is not best and len(each.trials) == len(best.trials)]
    if not rivals:
        return "No other settings have as many finished trials."
    metric, unit = best_metric(found.metric, [trial.metrics for each in found.candidates for trial in each.trials])
    sign = -1 if found.metric.endswith("skill") else 1
    own = {_repetition(trial): float(trial.metrics[metric]) for trial in best.trials}
    differences = []
    for rival in rivals:
        other = {_repetition(trial): float(trial.metrics[metric]) for trial in rival.trials}
        differences.append([sign * (other[key] - own[key]) for key in own if key in other])
    if not all(differences):
        return "The settings were not tried with the same seeds and splits, so that they cannot be told apart."
    p = holm({str(number): seed_sign_flip(np.array(each)) for number, each in enumerate(differences)})["0"]
    times, ahead = len(differences[0]), statistics.fmean(differences[0])
    word = SUPPORTED if p <= LEVEL and ahead > 0 else OPEN
    few = "" if smallest_p(times) <= LEVEL else f" {too_few(times, 'repetition')}"
    return (
        f"It is better than the next best, {_named(rivals[0])}: {word}; it is {better(ahead, unit)} (p-value {p:.2g})."
        f"{few}"
    )


def _repetition(trial: Trial) -> tuple[str, ...]:
    return tuple(trial.given.get(key, "") for key in REPEATED)


def _named(candidate: Candidate) -> str:
    return " ".join(f"{key}={value}" for key, value in candidate.settings.items())


def _error(candidate: Candidate, metric: str) -> str:
    return error(metric, [trial.metrics for trial in candidate.trials])


def sections(trials: Sequence[Trial], found: Findings) -> list[Section]:
    """Returns the paragraph and the tables."""
    repeated = any(len(candidate.trials) > 1 for candidate in found.candidates)
    rows = [
        (
            str(trial.number),
            *(trial.given.get(key, "") for key in found.keys),
            _number(trial.metrics.get(found.metric)),
            _number(trial.metrics.get("train/seconds"), 0),
            trial.state,
            "best" if not repeated and found.best and trial in found.best.trials else "",
        )
        for trial in trials
    ]
    reasons = [f"Trial {trial.number} failed: {trial.reason}" for trial in trials if trial.reason]
    heads = ("trial", *_short(found.keys), found.metric, "seconds", "state", "")
    parts = [
        in_short(trials, found),
        Section("Trials", heads, rows, "\n\n".join(reasons)),
    ]
    if repeated:
        means = [
            (
                *each.settings.values(),
                str(len(each.trials)),
                _number(each.mean),
                _number(_spread(each, found.metric)),
                _number(each.seconds, 0),
                "best" if each is found.best else "",
            )
            for each in found.candidates
        ]
        heads = (*_short(list(found.candidates[0].settings)), "trials", found.metric, "spread", "seconds", "")
        parts.append(Section("Means over repetitions", heads, means, _FEWER))
    return parts


# A remark below means.
_FEWER = "The spread is that of single trials. Settings with fewer finished trials than others are not called the best."


def _short(keys: list[str]) -> list[str]:
    """Returns the last parts of dotted keys, where these are enough to tell them apart."""
    last = [key.rpartition(".")[2] for key in keys]
    return [short if last.count(short) == 1 else key for key, short in zip(keys, last, strict=True)]


def _spread(candidate: Candidate, metric: str) -> float | None:
    values = [float(trial.metrics[metric]) for trial in candidate.trials]
    return statistics.stdev(values) if len(values) > 1 else None


def _number(value: float | int | str | None, digits: int = 3) -> str:
    return "" if value is None else f"{float(value):.{digits}f}"


def write_sweep(folder: Path, trials: Sequence[Trial]) -> None:
    """Shows the report of a sweep, and writes it into the sweep's folder."""
    found = find(trials)
    title, parts = f"Sweep of {len(trials)} trials", sections(trials, found)
    facts: dict[str, Any] = {
        "metric": found.metric,
        "best": found.best and {**found.best.settings, "mean": found.best.mean},
        "remark": found.remark,
        "trials": [{**trial._asdict(), "config": None} for trial in trials],
    }
    for trial in facts["trials"]:
        del trial["config"]
    write_report(folder, title, [*parts, terms(parts)], facts)
    console = Console()
    console.print(render_text(title, parts))
    console.print(f"Report: {folder / 'report.html'}", soft_wrap=True, highlight=False, markup=False)
