"""One command: trains what is missing, compares all arms on the same test songs, and writes the report."""

import glob
import itertools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasets import Dataset
from omegaconf import DictConfig, OmegaConf, open_dict

from toy_duration_predictor.comparison.arms import ANONYMOUS, MODEL, check_names
from toy_duration_predictor.comparison.config import CompareConfig
from toy_duration_predictor.comparison.gather import gather
from toy_duration_predictor.comparison.reports.comparison import write_comparison
from toy_duration_predictor.comparison.study_runs import finished, of_study, share_out, write_songs
from toy_duration_predictor.data.split import FOLDS
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.training.config import SourceSettings, TrainConfig, validated
from toy_duration_predictor.training.provenance import changed_sources
from toy_duration_predictor.training.run_folder import FinishedRun, read_run
from toy_duration_predictor.training.terminal import console_log
from toy_duration_predictor.training.trainer import use_threads

log = logging.getLogger(__name__)


def compare(config: DictConfig | dict[str, Any], compose: Callable[[list[str]], DictConfig]) -> Path:
    """Trains what is missing, compares, and writes the report; returns its folder.

    Args:
        config: `conf/compare.yaml`, composed.
        compose: Composes `conf/train.yaml` with overrides.

    Raises:
        InputError: The configuration, the songs or the runs cannot be used.
        Interrupted: SIGINT or SIGTERM; the same call goes on.
    """
    settings = validated(config, CompareConfig)
    console_log()
    runs = _train_missing(settings, compose) if settings.runs is None else _finished_runs(settings.runs)
    # Where nothing had to be trained, nothing has set them, and test songs are still to be predicted.
    use_threads(settings.trainer)
    metrics = runs[0].metrics
    name = f"{metrics['data/source']}-{metrics['data/fingerprint']}"
    out = settings.out or settings.logs / "comparisons" / name

    def train_planted(table: Dataset, measure: str) -> list[FinishedRun]:
        path = out / f"planted-{measure}.parquet"
        write_songs(path, table)
        planted: dict[str, Any] = {
            "arms": [MODEL, ANONYMOUS],
            "data": SourceSettings.model_validate({"source": "parquet", "path": str(path)}),
        }
        # Not among the other runs, which a pattern may name all.
        planted["logs"] = out / "planted"
        return _train_missing(settings.model_copy(update=planted), compose)

    plants = settings.sensitivity and settings.runs is None
    comparison = gather(runs, settings.resamples, train_planted if plants else None)
    write_comparison(out, comparison)
    log.info("Report: %s", out / "report.html")
    return out


def _finished_runs(pattern: str) -> list[FinishedRun]:
    """Reads the finished runs among the folders that fit a pattern."""
    folders = (Path(path) for path in sorted(glob.glob(pattern)))  # noqa: PTH207 (the pattern may be absolute)
    runs = [read_run(folder) for folder in folders if (folder / "metrics.json").is_file()]
    if not runs:
        raise InputError(f"runs={pattern}: no finished run fits this pattern.")
    if changed := sorted({changes for run in runs if (changes := changed_sources(run.folder))}):
        log.warning("Runs by other code than today's are among these: %s differ.", "; ".join(changed))
    return runs


def _train_missing(settings: CompareConfig, compose: Callable[[list[str]], DictConfig]) -> list[FinishedRun]:
    """Trains every arm in every repetition; a finished run is recognised."""
    plan = _plan(settings, compose)

    def train_one(numbered: tuple[int, DictConfig], wait: bool) -> FinishedRun:
        number, run = numbered
        # A line, not a bar: each run has a bar of its own, and two at a time garble each other.
        split = f"split {run.data.split} of seed {run.data.split_seed}"
        log.info("Run %d/%d: %s, seed %d, %s", number, len(plan), run.name, run.seed, split)
        return finished(run, wait)

    return share_out(list(enumerate(plan, 1)), train_one)


def _plan(settings: CompareConfig, compose: Callable[[list[str]], DictConfig]) -> list[DictConfig]:
    """Returns the settings of all runs, checked before any of them is trained."""
    if MODEL not in settings.arms:
        raise InputError(f"{MODEL} is not among arms={settings.arms}; the questions are about it.")
    plan = []
    folds = [f"fold{number}" for number in range(1, FOLDS + 1)] if settings.vary == "fold" else [None]
    for repetition, fold in itertools.product(range(settings.seeds), folds):
        further = [f"data={settings.data.source}", *settings.each]
        runs = {arm: compose([f"experiment={arm}", *further]) for arm in settings.arms}
        check_names({arm: OmegaConf.select(run, "name") for arm, run in runs.items()})
        for run in runs.values():
            with open_dict(run):
                run.data.update(settings.data.options)
                # Whatever the experiment's own: the test songs are the same.
                run.data.split = fold or runs[MODEL].data.split
                if settings.vary in ("split", "both"):
                    run.data.split_seed += repetition
            # Where only the split varies, all runs have the experiment's own seed.
            of_study(run, settings, None if settings.vary == "split" else repetition)
            validated(run, TrainConfig)
            plan.append(run)
    return plan
