"""A trained run on every row of another songs table."""

import logging
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from omegaconf import DictConfig

from toy_duration_predictor.data.batches import Songs
from toy_duration_predictor.data.origin import declared, say_what_is_taken
from toy_duration_predictor.data.singer_names import same_singers, singer_names
from toy_duration_predictor.data.singers import listed
from toy_duration_predictor.data.songs import fingerprint
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.data.windows import Windows
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.training.config import EvaluateConfig, SourceSettings, validated
from toy_duration_predictor.training.provenance import changed_sources, code_digest, provenance
from toy_duration_predictor.training.run_folder import (
    Metrics,
    load_run,
    read_metrics,
    write_metrics,
    write_predictions,
)
from toy_duration_predictor.training.task import DurationTask
from toy_duration_predictor.training.terminal import console_log, show_results
from toy_duration_predictor.training.trainer import make_trainer, use_threads

log = logging.getLogger(__name__)


def evaluate(config: DictConfig | dict[str, Any]) -> Metrics:
    """Tests a trained run on every row of a table, and writes `metrics.json` and `predictions.parquet`.

    They go to `RUN/evaluations/SOURCE-FINGERPRINT-CODE/`. A finished evaluation by the same code is not done again.

    Args:
        config: `conf/evaluate.yaml`, composed.

    Returns:
        The contents of `metrics.json`, and `run/folder`.

    Raises:
        InputError: The run or the songs cannot be used, or the run does not know a singer and `unknown=refuse`.
    """
    settings = validated(config, EvaluateConfig)
    console_log()
    task = load_run(settings.run)
    run_metrics = read_metrics(settings.run)
    if run_metrics is None:
        raise InputError(f"run={settings.run} is not finished; the command that began it goes on.")
    if changed := changed_sources(settings.run):
        log.warning("The code has changed since this run was trained: %s.", changed)
    table = load_songs(settings.data.source, **settings.data.options)
    table_fingerprint = fingerprint(table)
    said = "" if declared(table) == "auto" else f"-{declared(table)}"
    skip = "-skip" if settings.unknown == "skip" else ""
    folder = settings.run / "evaluations" / f"{settings.data.source}-{table_fingerprint}{said}{skip}-{code_digest()}"
    metrics = None if settings.force else read_metrics(folder)
    if metrics is None:
        use_threads(settings.trainer)
        singers = same_singers(table, task.singers, task.singer_names)
        rows = _known_rows(table, singers, task, settings.unknown == "skip")
        known = table.select(rows)
        songs = Songs(known, singers)
        say_what_is_taken(known, songs.origins)
        windows = Windows(songs, torch.arange(len(rows)), task.test_window)
        trainer = make_trainer(settings.trainer, logger=False)
        results = trainer.test(task, windows.in_order(settings.batch_size), verbose=False)[0]
        metrics = {
            **{name: float(value) for name, value in results.items()},
            "data/fingerprint": table_fingerprint,
            "data/source": settings.data.source,
            "data/songs": len(rows),
            "data/songs_skipped": len(table) - len(rows),
            "name": run_metrics["name"],
            **provenance(),
        }
        write_predictions(folder, table, rows, task.predicted)
        write_metrics(folder, metrics)
    show_results(metrics, folder, _name(settings.data))
    return {**metrics, "run/folder": str(folder)}


def _name(data: SourceSettings) -> str:
    """Returns what a table is called: its file, its folder, its name on the Hub, or its source."""
    path, name = data.options.get("path"), data.options.get("name")
    return Path(path).name if path else str(name or f"{data.source} songs")


def _known_rows(table: Dataset, singers: list[int | None], task: DurationTask, skip: bool) -> list[int]:
    known = set(singers)
    rows = [row for row, singer in enumerate(table["singer_id"]) if singer in known]
    if len(rows) < len(table):
        unknown = listed(sorted(set(table["singer_id"]) - known), singer_names(table))
        if not skip:
            raise InputError(
                f"The run does not know singers [{unknown}], only [{listed(task.singers, task.singer_names)}]; leave "
                "their songs out with unknown=skip."
            )
        log.warning("Left out %d songs of singers that the run does not know: [%s]", len(table) - len(rows), unknown)
    if not rows:
        raise InputError("No song of this table is by a singer that the run knows.")
    return rows
