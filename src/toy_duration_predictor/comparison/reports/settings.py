"""What the reports of sweeps and of searches have in common: the error of the best settings, in words."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from toy_duration_predictor.comparison.reports.words import number, percent

# What errors are of, and the skill that belongs to them, by the metric that runs are compared by.
KNOWN = {
    "val/quantized_mae": ("durations", "val/quantized_skill"),
    "val/quantized_onset_mae": ("onsets", "val/quantized_onset_skill"),
}

REPORT_ONCE = "The settings were chosen by these songs; report once what scripts/compare.py says of test songs."


def best_metric(metric: str, runs: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Returns the metric in ms, if all runs have it so, or as it is; and its unit, after a space."""
    if metric not in KNOWN:
        return metric, ""
    return (f"{metric}_ms", " ms") if all(f"{metric}_ms" in run for run in runs) else (metric, " ticks")


def error(metric: str, runs: Sequence[Mapping[str, Any]]) -> str:
    """Returns the mean error of runs on their validation songs, in words.

    Args:
        metric: The metric that runs are compared by.
        runs: The `metrics.json` of each; at least one.
    """
    if metric not in KNOWN:
        return f"{metric} is {statistics.fmean(run[metric] for run in runs):.4g}"
    (of, skill), (shown, unit), share = KNOWN[metric], best_metric(metric, runs), ""
    if all(skill in run for run in runs):
        share = f", {percent(1 - statistics.fmean(run[skill] for run in runs))} of the copy's error"
    off = number(statistics.fmean(run[shown] for run in runs))
    return f"{of} of the validation songs are {off}{unit} from what was sung, on average{share}"


def better(difference: float, unit: str) -> str:
    """Returns by how much something is better; worse, if the difference is below 0.

    >>> better(0.25, " ms")
    '0.25 ms better'
    """
    return f"{number(abs(difference))}{unit} {'better' if difference >= 0 else 'worse'}"
