"""From runs to an answer: trains what is missing, tests everything on the same songs, and writes the report."""

import glob
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from datasets import Dataset
from omegaconf import DictConfig, open_dict
from rich.progress import track

from toy_duration_predictor.data.songs import fingerprint
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.data.split import Split, split_rows
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.experiment.ablation import ablations
from toy_duration_predictor.experiment.baselines import LADDER, performances
from toy_duration_predictor.experiment.config import CompareConfig, Data, validated
from toy_duration_predictor.experiment.evidence import Run, SongErrors, mean_over_repetitions, read_run, song_errors
from toy_duration_predictor.experiment.questions import Part, judge
from toy_duration_predictor.experiment.run_folder import load_run
from toy_duration_predictor.experiment.terminal import console_log
from toy_duration_predictor.experiment.train import train, use_threads

log = logging.getLogger(__name__)

MODEL, CONTROL, ANONYMOUS = "model_b", "model_a", "model_b_anonymous"
LOOKUPS = ("value", "value_singer", "neighbours", "neighbours_singer")


class Comparison(NamedTuple):
    """Everything that a report is made of.

    Attributes:
        table: The songs.
        runs: The finished runs of each arm, one a repetition, in the same order of repetitions.
        errors: Test errors of each arm and baseline, one a repetition.
        baselines: Predictions of each baseline in the first repetition, like `predictions.parquet`.
        ablations: Test errors of Model B under each ablation, one a repetition.
        best_lookup: The lookup with the least error on the validation songs.
        parts: The comparisons that answer the questions.
        resamples: Of the bootstrap.
    """

    table: Dataset
    runs: dict[str, list[Run]]
    errors: dict[str, list[SongErrors]]
    baselines: dict[str, pa.Table]
    ablations: dict[str, list[SongErrors]]
    best_lookup: str
    parts: list[Part]
    resamples: int


def compare(config: DictConfig | dict[str, Any], compose: Callable[[list[str]], DictConfig]) -> Path:
    """Trains what is missing, compares, and writes `report.html`, `report.md` and `report.json`.

    Args:
        config: `conf/compare.yaml`, composed.
        compose: Composes `conf/train.yaml` with overrides.

    Returns:
        The report's folder.

    Raises:
        InputError: The configuration, the songs or the runs cannot be used.
        Interrupted: SIGINT or SIGTERM; the same call goes on.
    """
    from toy_duration_predictor.experiment.report import facts, sections
    from toy_duration_predictor.page import write_report

    settings = validated(config, CompareConfig)
    console_log()
    if settings.runs is None:
        runs = [read_run(folder) for folder in _train_missing(settings, compose)]
    else:
        runs = _finished_runs(settings.runs)
    use_threads(settings.trainer)
    comparison = gather(runs, settings.resamples)
    data = runs[0].metrics
    out = settings.out or settings.logs / "comparisons" / f"{data['data/source']}-{data['data/fingerprint']}"
    title = "Does a sequence model put a singer's own timing back?"
    write_report(out, title, sections(comparison), facts(comparison))
    log.info("Report: %s", out / "report.html")
    return out


def _finished_runs(pattern: str) -> list[Run]:
    """Reads the finished runs among the folders that fit a pattern."""
    folders = (Path(path) for path in sorted(glob.glob(pattern)))  # noqa: PTH207 (the pattern may be absolute)
    runs = [read_run(folder) for folder in folders if (folder / "metrics.json").is_file()]
    if not runs:
        raise InputError(f"runs={pattern}: no finished run fits this pattern.")
    return runs


def _train_missing(settings: CompareConfig, compose: Callable[[list[str]], DictConfig]) -> list[Path]:
    """Trains every arm in every repetition; a finished run is recognised. Returns their folders."""
    folders = []
    plan = [(repetition, arm) for repetition in range(settings.seeds) for arm in settings.arms]
    for repetition, arm in track(plan, "Runs"):
        run = compose([f"experiment={arm}", f"data={settings.data.source}", *settings.each])
        with open_dict(run):
            run.data.update(settings.data.options)
            run.trainer = settings.trainer.model_dump()
            run.logs = str(settings.logs)
            if settings.vary != "split":
                run.seed = repetition
            if settings.vary != "seed":
                run.data.split_seed += repetition
        folders.append(Path(str(train(run)["run/folder"])))
    return folders


def gather(runs: list[Run], resamples: int) -> Comparison:
    """Brings runs together with the baselines and ablations on their songs.

    Args:
        runs: Finished runs; the arms must have the same repetitions, and the same songs.
        resamples: Of the bootstrap.

    Raises:
        InputError: The runs do not belong together, or Model B is not among them.
    """
    by_arm = _by_arm(runs)
    first = by_arm[MODEL][0]
    data = Data.model_validate(first.config["data"])
    table = load_songs(data.source, **data.options)
    if fingerprint(table) != first.metrics["data/fingerprint"]:
        raise InputError(f"{first.folder} was trained on other songs than data.source={data.source} gives now.")

    splits = [split_rows(table, data.split, run.split_seed) for run in by_arm[MODEL]]
    errors = {arm: [song_errors(run.predictions) for run in of_arm] for arm, of_arm in by_arm.items()}
    baselines, on_validation = {}, {}
    for name in LADDER:
        made = {run.split_seed: _baseline(name, table, split) for run, split in zip(by_arm[MODEL], splits, strict=True)}
        errors[name] = [song_errors(made[run.split_seed][0]) for run in by_arm[MODEL]]
        baselines[name] = made[first.split_seed][0]
        on_validation[name] = float(np.mean([validation for _, validation in made.values()]))
    best_lookup = min(LOOKUPS, key=on_validation.__getitem__)

    ablated = [
        ablations(load_run(run.folder), table, split.test, run.seed)
        for run, split in zip(by_arm[MODEL], splits, strict=True)
    ]
    of_model = {name: [each[name] for each in ablated] for name in ablated[0]}
    rivals = [
        ("Q1", CONTROL, errors.get(CONTROL)),
        ("Q2", "copy", errors["copy"]),
        ("Q2", best_lookup, errors[best_lookup]),
    ]
    rivals += [("Q3", ANONYMOUS, errors.get(ANONYMOUS)), ("Q3", "another singer", of_model.get("another singer"))]
    known = [(question, rival, of_rival) for question, rival, of_rival in rivals if of_rival is not None]
    parts = judge(errors[MODEL], known, mean_over_repetitions(errors["copy"]), resamples)
    return Comparison(table, by_arm, errors, baselines, of_model, best_lookup, parts, resamples)


def _by_arm(runs: list[Run]) -> dict[str, list[Run]]:
    """Returns the runs of each arm in the order of their repetitions."""
    if MODEL not in {run.arm for run in runs}:
        raise InputError(f"No run of {MODEL} is among these; the questions are about it.")
    for key in ("data/fingerprint", "data/source"):
        if len(values := {str(run.metrics[key]) for run in runs}) > 1:
            raise InputError(
                f"These runs are on different songs ({key}: {', '.join(sorted(values))}); compare those of one table."
            )
    by_arm: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: (run.seed, run.split_seed)):
        by_arm.setdefault(run.arm, []).append(run)
    wanted = [(run.seed, run.split_seed) for run in by_arm[MODEL]]
    if len(set(wanted)) < len(wanted):
        raise InputError(
            f"Several runs of {MODEL} have the same seed and split, with other settings; choose with runs=PATTERN."
        )
    for arm, of_arm in by_arm.items():
        if [(run.seed, run.split_seed) for run in of_arm] != wanted:
            raise InputError(
                f"{arm} and {MODEL} have not been run with the same seeds and splits; choose with runs=PATTERN."
            )
    return by_arm


def _baseline(name: str, table: Dataset, split: Split) -> tuple[pa.Table, float]:
    """Returns a baseline's predictions for the test songs, and its MAE on the validation songs."""
    fitted = LADDER[name]().fit(performances(table, split.train))
    validation = performances(table, split.val)
    error = np.concatenate([np.abs(p - s) for p, s in zip(fitted.predict(validation), validation.sung, strict=True)])
    test = performances(table, split.test)
    columns = {
        "row": split.test,
        "singer_id": test.singer,
        "quantized": test.quantized,
        "original": test.sung,
        "predicted": fitted.predict(test),
    }
    return pa.table(columns), float(error.mean())
