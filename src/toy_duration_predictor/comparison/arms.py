"""The arms of a comparison: which names they may have, and which runs of them belong together."""

import re
from collections.abc import Collection, Mapping

from toy_duration_predictor.comparison.baselines import BASELINES
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.training.run_folder import FinishedRun

MODEL, CONTROL, ANONYMOUS = "model_b", "model_a", "model_b_anonymous"


def check_names(names: Mapping[str, str | None]) -> None:
    """Raises InputError where the names of runs by experiment are missing or taken: the report tells arms by them."""
    first: dict[str, str] = {}
    for experiment, name in names.items():
        if name is None:
            raise InputError(f"experiment={experiment} has no name; give its YAML a line 'name: {experiment}'.")
        if name in first:
            raise InputError(
                f"experiment={experiment} and experiment={first[name]} have the same name, {name}; give each a line "
                f"'name: ...' of its own."
            )
        first[name] = experiment
    check_arms(first)


def check_arms(arms: Collection[str]) -> None:
    """Raises InputError if an arm has the name of a baseline, or one like that of a question, or if none is Model B."""
    for arm in arms:
        if arm in BASELINES or re.fullmatch(r"Q\d+", arm):
            raise InputError(
                f"An arm has the name '{arm}', by which the report calls a baseline or a question; give its experiment "
                f"another name."
            )
    if MODEL not in arms:
        raise InputError(f"No arm among {', '.join(sorted(arms))} has the name {MODEL}; the questions are about it.")


def runs_by_arm(runs: list[FinishedRun]) -> dict[str, list[FinishedRun]]:
    """Returns the runs of each arm in the order of their repetitions.

    Raises:
        InputError: The arms have not been run with the same seeds and splits on the same songs, Model B is not among
            them, or an arm has a name that is taken.
    """
    check_arms({run.arm for run in runs})
    for key in ("data/fingerprint", "data/source"):
        if len(values := {str(run.metrics[key]) for run in runs}) > 1:
            raise InputError(
                f"These runs are on different songs ({key}: {', '.join(sorted(values))}); compare those of one table."
            )
    by_arm: dict[str, list[FinishedRun]] = {}
    for run in sorted(runs, key=lambda run: run.repetition):
        by_arm.setdefault(run.arm, []).append(run)
    wanted = [run.repetition for run in by_arm[MODEL]]
    if len(set(wanted)) < len(wanted):
        raise InputError(
            f"Several runs of {MODEL} have the same seed and split, and differ in settings or code; choose with "
            f"runs=PATTERN."
        )
    for arm, of_arm in by_arm.items():
        if [run.repetition for run in of_arm] != wanted:
            raise InputError(
                f"{arm} and {MODEL} have not been run with the same seeds and splits; choose with runs=PATTERN."
            )
        for run, other in zip(of_arm, by_arm[MODEL], strict=True):
            if set(run.predictions["row"].to_pylist()) != set(other.predictions["row"].to_pylist()):
                raise InputError(
                    f"{run.folder} and {other.folder} were not tested on the same songs; give both the same data.split."
                )
    return by_arm
