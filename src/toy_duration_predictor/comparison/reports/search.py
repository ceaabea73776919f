"""The report of a search: its trials, the best settings as a command, and what mattered."""

import shlex
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import optuna
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization.matplotlib import plot_parallel_coordinate, plot_param_importances
from rich.console import Console

from toy_duration_predictor.comparison.config import SearchConfig
from toy_duration_predictor.comparison.questions import OPEN
from toy_duration_predictor.comparison.reports.settings import KNOWN, REPORT_ONCE, best_metric, better, error
from toy_duration_predictor.comparison.reports.terms import terms
from toy_duration_predictor.comparison.reports.words import counted, in_short
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.sections import Section, render_text, write_report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STATES = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
KILLED = "its process was killed each time."


def write_search(folder: Path, study: optuna.Study, trials: Sequence[FrozenTrial], settings: SearchConfig) -> None:
    """Shows the report of a search, and writes it into the search's folder.

    Raises:
        InputError: No trial has finished.
    """
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    best = sorted(study.best_trials, key=lambda trial: trial.values[0]) if finished else []
    title = f"Search {settings.name}, {len(trials)} trials"
    parts = [_in_short(finished, best, settings), _trials(trials, best, settings)]
    pictures = _pictures(study, finished, settings)
    facts = {
        "objectives": list(settings.objectives),
        "best": [trial.number for trial in best],
        "trials": [
            {
                "number": trial.number,
                "state": STATES[trial.state],
                "params": trial.params,
                "values": trial.values,
                **trial.user_attrs,
            }
            for trial in trials
        ],
    }
    write_report(folder, title, [*parts, *pictures, terms(parts)], facts)
    console = Console()
    console.print(render_text(title, parts))
    console.print(f"Report: {folder / 'report.html'}", soft_wrap=True, highlight=False, markup=False)
    if not finished:
        raise InputError(f"No trial of {settings.name} has finished; the report has the reasons.")


def _in_short(finished: Sequence[FrozenTrial], best: Sequence[FrozenTrial], settings: SearchConfig) -> Section:
    """Returns the paragraph that a reader sees first: the best settings by the first objective, and if that is sure."""
    objective = settings.objectives[0]
    if not finished:
        return in_short(["No trial has finished, so that there are no best settings."])
    first, *others = sorted(finished, key=lambda trial: trial.values[0])
    runs = [{objective: trial.values[0], **trial.user_attrs["metrics"]} for trial in (first, *others)]
    named = " ".join(f"{key}={_text(value)}" for key, value in first.params.items())
    sentences = [
        f"Of {counted(len(finished), 'finished trial')}, the best by {objective} is number {first.number}, {named}: "
        f"{error(objective, runs[:1])}."
    ]
    if others and objective in KNOWN:
        metric, unit = best_metric(objective, runs)
        difference = better(runs[1][metric] - runs[0][metric], unit)
        sentences.append(
            f"It is better than the next best, number {others[0].number}: {OPEN}; it is {difference}, and each was "
            f"trained once."
        )
    if len(best) > 1:
        sentences.append(f"By both objectives, {len(best)} trials are beaten by no other.")
    return in_short([*sentences, REPORT_ONCE])


def _trials(trials: Sequence[FrozenTrial], best: Sequence[FrozenTrial], settings: SearchConfig) -> Section:
    keys = list(dict.fromkeys(key for trial in trials for key in trial.params))
    numbers = {trial.number for trial in best}
    rows, remarks = [], []
    for trial in trials:
        settled = [_text(trial.params.get(key, "")) for key in keys]
        values = [_text(value) for value in trial.values or [""] * len(settings.objectives)]
        seconds = f"{trial.user_attrs['seconds']:.0f}" if "seconds" in trial.user_attrs else ""
        mark = "best" if trial.number in numbers else ""
        rows.append((str(trial.number), *settled, *values, seconds, STATES[trial.state], mark))
        if trial.state == TrialState.FAIL:
            remarks.append(f"Trial {trial.number} failed: {trial.user_attrs.get('reason', KILLED)}")
    if best:
        overrides = [*settings.each, *(f"{key}={value}" for key, value in best[0].params.items())]
        remarks.append(f"The settings of trial {best[0].number} for a command: {shlex.join(overrides)}")
    if len(settings.objectives) > 1:
        remarks.append("A trial is among the best if none is better by both objectives.")
    heads = ("trial", *(key.rpartition(".")[2] for key in keys), *settings.objectives, "seconds", "state", "")
    return Section("Trials", heads, rows, "\n\n".join(remarks))


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _pictures(study: optuna.Study, finished: Sequence[FrozenTrial], settings: SearchConfig) -> list[Section]:
    """Returns what Optuna draws of each objective; nothing where all trials are alike, or there is one."""
    parts = []
    for number, name in enumerate(settings.objectives):
        if len({trial.values[number] for trial in finished}) < 2:
            continue
        drawn = [_drawn(draw, study, number, name) for draw in (plot_param_importances, plot_parallel_coordinate)]
        parts.append(Section(f"What mattered for {name}", remark="By all finished trials.", pictures=drawn))
    return parts


def _drawn(draw: Callable[..., Any], study: optuna.Study, number: int, name: str) -> "Figure":
    # Optuna calls its drawing experimental, and sets a style for all pictures that are drawn later.
    with warnings.catch_warnings(), plt.rc_context():
        warnings.simplefilter("ignore")
        figure: Figure = draw(study, target=lambda trial: trial.values[number], target_name=name).figure
    plt.close(figure)  # pyplot would keep it
    return figure
