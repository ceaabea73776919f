"""One run: a configuration in, a run folder with a trained and tested model out."""

import gc
import hashlib
import inspect
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import lightning.pytorch as pl
import numpy as np
import torch
from datasets import Dataset
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from toy_duration_predictor.data.datamodule import SongsDataModule
from toy_duration_predictor.data.origin import declared
from toy_duration_predictor.data.songs import fingerprint
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.files import alone, clear
from toy_duration_predictor.models._potentials import PhasePotentials
from toy_duration_predictor.training.callbacks import StopOnSignal
from toy_duration_predictor.training.checkpoints import LAST, PREVIOUS
from toy_duration_predictor.training.config import DataSettings, TrainConfig, validated
from toy_duration_predictor.training.failure import Occupied, forget_failure, saying_why
from toy_duration_predictor.training.fit import fit
from toy_duration_predictor.training.metrics import collection
from toy_duration_predictor.training.provenance import changed_sources, provenance, write_sources
from toy_duration_predictor.training.run_folder import (
    Metrics,
    load_run,
    read_metrics,
    run_folder,
    same_run_by_other_code,
    write_config,
    write_metrics,
    write_predictions,
)
from toy_duration_predictor.training.task import VALIDATED, DurationTask
from toy_duration_predictor.training.tensorboard import make_logger, write_results
from toy_duration_predictor.training.terminal import console_log, file_log, show_results
from toy_duration_predictor.training.trainer import make_fit_trainer, make_trainer, use_threads

log = logging.getLogger(__name__)

# Metrics of validation that a run has of quantized input, too, whatever its pairing.
COMPARED = ("mae", "onset_mae", "mae_ms", "onset_mae_ms", "skill", "onset_skill")


def train(config: DictConfig | dict[str, Any], watchers: Sequence[pl.Callback] = (), *, wait: bool = True) -> Metrics:
    """Trains and tests one model; a finished run is recognised and not run again.

    Args:
        config: `conf/train.yaml`, composed.
        watchers: Further callbacks, which change no number: they may only look on, or end the training by an error.
        wait: Whether to wait where another process has the same run under way.

    Returns:
        The contents of `metrics.json`, and `run/folder`.

    Raises:
        InputError: The configuration or the songs cannot be used.
        Interrupted: SIGINT or SIGTERM; `last.ckpt` is on disk and the same call goes on from there.
        Occupied: Another process has the same run under way, and this one is not to wait.
    """
    settings = validated(config, TrainConfig)
    console_log(quiet=_is_helper())
    table = load_songs(settings.data.source, settings.data.durations, **settings.data.options)
    # What a recipe beside the table says can change numbers, so it belongs to the run's settings.
    said = settings.data.model_copy(update={"durations": declared(table)})
    settings = settings.model_copy(update={"data": said})
    songs = fingerprint(table)
    folder = run_folder(settings, songs)
    metrics = None if settings.force else read_metrics(folder)
    if metrics is not None:
        log.info("This run is finished; force=true runs it again.")
    else:
        _say_what_changed(folder)
        with saying_why(folder):
            metrics = _train_and_test(settings, table, songs, folder, watchers, wait)
        # A trainer and its task refer to each other. Until they are collected, their songs stay mapped into memory, by
        # an open file. In a sweep there are many of them.
        gc.collect()
    show_results(metrics, folder)
    return {**metrics, "run/folder": str(folder)}


def _train_and_test(
    settings: TrainConfig, table: Dataset, songs: str, folder: Path, watchers: Sequence[pl.Callback], wait: bool
) -> Metrics:
    """Trains and tests a model and writes its run folder; `songs` is the table's fingerprint."""
    use_threads(settings.trainer)
    torch.manual_seed(settings.seed)  # the initial weights follow from it; dropout has the task's own seeding
    data, task = make_data_and_task(settings, table)
    logger = make_logger(folder)
    # The trainers refuse what this machine or Lightning does not take, so they are made before anything is written. The
    # tester is of the hardware alone: extras such as a limit of batches must not touch the test.
    tester = make_trainer(settings.trainer.model_copy(update={"progress": False}), logger=False)
    stop = StopOnSignal(folder / "checkpoints" / LAST)
    trainer = make_fit_trainer(settings, stop, logger, watchers)
    if _is_helper():  # it writes nothing: the run folder is the first process's
        if trainer.world_size == 1:
            raise InputError("Several processes were started for a run that trains in one; start one, or give devices.")
        fit(trainer, stop, task, data)
        sys.exit()

    def occupied() -> None:
        if not wait:
            raise Occupied(folder)
        log.info("The same run is under way in another process: waiting for its end.")

    with alone(folder, occupied):
        finished = None if settings.force else read_metrics(folder)
        if finished is not None:
            return finished
        if settings.force or settings.resume == "never":
            clear(folder)
        forget_failure(folder)
        write_config(folder, settings)
        write_sources(folder)
        with file_log(folder / "train.log"):
            log.info("Run folder: %s", folder)
            log.info("%d songs, fingerprint %s, split into %d / %d / %d", len(table), songs, *map(len, data.split))
            metrics = {
                # First, as the commit may be another one when the training ends.
                **provenance(),
                **fit(trainer, stop, task, data),
                **_test(settings, tester, table, data, folder, logger),
                "data/fingerprint": songs,
                "data/validated": _validated(settings, songs, data),
                "data/source": settings.data.source,
                "data/songs": len(table),
                "data/singers": len(data.singers),
                "data/unheard_singers": len(data.unheard_singers),
                "data/notes_train": data.notes_train,
                "name": settings.name,
                "model": settings.model.name,
                "seed": settings.seed,
            }
            write_metrics(folder, metrics)  # the last file: with it the run is finished
        stop.last.with_name(PREVIOUS).unlink(missing_ok=True)
    return metrics


def make_data_and_task(settings: TrainConfig, table: Dataset) -> tuple[SongsDataModule, DurationTask]:
    """Returns the data of a configuration, and its task with fresh weights."""
    data = SongsDataModule(table, **_arguments(SongsDataModule, settings))
    task = DurationTask(
        network=settings.model.name,
        sizes=settings.model.options,
        singers=data.singers,
        statistics=data.statistics,
        singer_names=data.singer_names,
        **_arguments(DurationTask, settings),
    )
    if data.references is not None:
        styles, prior = data.references.of_singers(len(data.singers)), np.stack(data.references.prior)
        cast(PhasePotentials, task.network).set_styles(torch.from_numpy(styles), torch.from_numpy(prior))
    return data, task


def _arguments(constructor: Callable[..., Any], settings: TrainConfig) -> dict[str, Any]:
    """Returns the settings that a constructor has arguments for.

    So a new setting is a key in `conf`, a field of its settings, and an argument; nothing lists it a fourth time.
    """
    data = settings.data.model_dump(include=set(DataSettings.model_fields))  # without the source's options
    candidates = {**data, **settings.training.model_dump(), "seed": settings.seed}
    return {name: candidates[name] for name in inspect.signature(constructor).parameters if name in candidates}


def _say_what_changed(folder: Path) -> None:
    """Names the source files by which a new run differs from the newest one with the same settings by other code."""
    other = same_run_by_other_code(folder)
    if other is not None and not folder.exists():
        log.info(
            "The code has changed since %s: %s. That run stays; a new one is made beside it.",
            other,
            changed_sources(other),
        )


def _validated(settings: TrainConfig, songs: str, data: SongsDataModule) -> str:
    """Returns a digest of the validation songs and of what is to be predicted of them."""
    rows = sorted(map(int, data.val_rows))
    return hashlib.sha256(json.dumps([songs, settings.data.durations, rows]).encode()).hexdigest()[:8]


def _is_helper() -> bool:
    """Returns whether Lightning has started this process to train together with the first one (`trainer.devices`)."""
    return bool(rank_zero_only.rank > 0)  # type: ignore[attr-defined]


def _test(
    settings: TrainConfig,
    tester: pl.Trainer,
    table: Dataset,
    data: SongsDataModule,
    folder: Path,
    logger: TensorBoardLogger,
) -> Metrics:
    """Validates and tests the best weights, writes the predictions, and shows both in TensorBoard."""
    best = load_run(folder)
    best.val_metrics = collection(*VALIDATED, "mae_ms", "onset_mae_ms")

    def validate(pairing: str) -> Metrics:
        return dict(tester.validate(best, data.val_dataloader(pairing), verbose=False)[0])

    own = validate(data.pairing)
    metrics: Metrics = {**own, **tester.test(best, data.test_dataloader(), verbose=False)[0]}
    # What runs of different pairings are compared by: Model A's own validation is of sung input, which it copies.
    quantized = own if data.pairing == "quantized" else validate("quantized")
    metrics |= {f"val/quantized_{name}": quantized[f"val/{name}"] for name in COMPARED if f"val/{name}" in quantized}
    metrics = {name: float(value) for name, value in metrics.items()}
    predictions = write_predictions(folder, table, data.split.test.tolist(), best.predicted)
    write_results(logger, settings.decisive(), metrics, predictions, best)
    return metrics
