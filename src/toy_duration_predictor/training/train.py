"""One run: a configuration in, a run folder with a trained and tested model out."""

import inspect
import logging
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import lightning.pytorch as pl
import torch
from datasets import Dataset
from lightning.pytorch.callbacks import EarlyStopping, Timer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from toy_duration_predictor.data.datamodule import SongsDataModule
from toy_duration_predictor.data.songs import fingerprint
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.files import write_text
from toy_duration_predictor.training.callbacks import StopOnSignal
from toy_duration_predictor.training.config import Data, TrainConfig, validated
from toy_duration_predictor.training.provenance import changed_sources, provenance, write_sources
from toy_duration_predictor.training.run_folder import (
    Metrics,
    load_run,
    read_metrics,
    run_folder,
    same_run_by_other_code,
    write_metrics,
    write_predictions,
)
from toy_duration_predictor.training.task import DurationTask
from toy_duration_predictor.training.tensorboard import write_results
from toy_duration_predictor.training.terminal import console_log, file_log, show_results
from toy_duration_predictor.training.trainer import end_processes, make_fitter, make_trainer, use_threads

log = logging.getLogger(__name__)


def train(config: DictConfig | dict[str, Any]) -> Metrics:
    """Trains and tests one model, or recognises that this was done.

    Args:
        config: `conf/train.yaml`, composed.

    Returns:
        What `metrics.json` holds, and `run/folder`.

    Raises:
        InputError: The configuration or the songs cannot be used.
        Interrupted: SIGINT or SIGTERM; `last.ckpt` is on disk and the same call goes on from there.
    """
    settings = validated(config, TrainConfig)
    # Whether Lightning has started this process, by the command of the first one, to train together with it.
    helps = rank_zero_only.rank > 0  # type: ignore[attr-defined]
    console_log(quiet=helps)
    table = load_songs(settings.data.source, **settings.data.options)
    table_fingerprint = fingerprint(table)
    folder = run_folder(settings, table_fingerprint)
    metrics = None if settings.force else read_metrics(folder)
    if metrics is not None:
        log.info("This run is finished; force=true runs it again.")
    else:
        _say_what_changed(folder)
        use_threads(settings.trainer)
        torch.manual_seed(settings.seed)
        data, task = make_data_and_task(settings, table)
        logger = TensorBoardLogger(folder.parent, name=folder.name, version="")
        # Both before anything is written: they refuse what this machine, or Lightning, does not take.
        tester = make_trainer(settings.trainer.model_copy(update={"progress": False}), logger=False)
        stop = StopOnSignal(folder / "checkpoints" / "last.ckpt")
        trainer = make_fitter(settings, stop, logger)
        if helps:
            _help(trainer, stop, task, data)
        if settings.force or settings.resume == "never":
            shutil.rmtree(folder, ignore_errors=True)
        text = OmegaConf.to_yaml(settings.model_dump(mode="json"))
        write_text(folder / "config.yaml", text)
        write_sources(folder)
        with file_log(folder / "train.log"):
            log.info("Run folder: %s", folder)
            log.info(
                "%d songs, fingerprint %s, split into %d / %d / %d",
                len(table),
                table_fingerprint,
                *map(len, data.split),
            )
            metrics = {
                **_fit(trainer, stop, task, data),
                **_test(settings, tester, table, data, folder, logger),
                "data/fingerprint": table_fingerprint,
                "data/source": settings.data.source,
                "data/songs": len(table),
                "data/singers": len(data.singers),
                "data/unheard_singers": len(data.unheard_singers),
                "data/notes_train": data.notes_train,
                "name": settings.name,
                "model": settings.model.name,
                "seed": settings.seed,
                **provenance(),
            }
            write_metrics(folder, metrics)
    if not helps:
        show_results(metrics, folder)
    return {**metrics, "run/folder": str(folder)}


def _say_what_changed(folder: Path) -> None:
    """Names the source files by which a new run differs from the last one with the same settings, if there is one."""
    others = same_run_by_other_code(folder)
    if others and not folder.exists():
        log.info(
            "The code has changed since %s: %s. That run stays; a new one is made beside it.",
            others[-1],
            ", ".join(changed_sources(others[-1])),
        )


def make_data_and_task(settings: TrainConfig, table: Dataset) -> tuple[SongsDataModule, DurationTask]:
    """Returns what a configuration trains on, and what it trains, with fresh weights."""
    data = SongsDataModule(table, **_taken_by(SongsDataModule, settings))
    task = DurationTask(
        network=settings.model.name,
        sizes=settings.model.sizes,
        singers=data.singers,
        statistics=data.statistics,
        **_taken_by(DurationTask, settings),
    )
    return data, task


def _taken_by(part: Callable[..., Any], settings: TrainConfig) -> dict[str, Any]:
    """Returns the settings that a part's constructor names: a new one is a key, a field, and an argument there."""
    data = settings.data.model_dump(include=set(Data.model_fields))  # not the source's own options
    every = {**data, **settings.training.model_dump(), "seed": settings.seed}
    return {name: every[name] for name in inspect.signature(part).parameters if name in every}


def _fit(trainer: pl.Trainer, stop: StopOnSignal, task: DurationTask, data: SongsDataModule) -> Metrics:
    """Trains, from `last.ckpt` if there is one, and returns what is to be said of the training."""
    last = stop.last
    progress = _progress(last) if last.exists() else None
    if progress is None or not progress["stopped"]:
        if progress is not None:
            log.info("Going on after epoch %d, from %s", progress["epochs"], last)
        with stop.fitting(trainer):
            trainer.fit(task, datamodule=data, ckpt_path=last if progress else None, weights_only=True)
        end_processes()
        progress = _progress(last)
    epochs, seconds = progress["epochs"], progress["seconds"]
    return {
        "train/epochs": epochs,
        "train/seconds": seconds,
        "train/notes_per_second": data.notes_train * epochs / seconds,
        "model/parameters": sum(parameter.numel() for parameter in task.parameters()),
    }


def _help(trainer: pl.Trainer, stop: StopOnSignal, task: DurationTask, data: SongsDataModule) -> NoReturn:
    """Trains with the first process, and ends; writes nothing."""
    _fit(trainer, stop, task, data)
    sys.exit()


def _progress(last: Path) -> dict[str, Any]:
    """Returns how many epochs `last.ckpt` has seen, in how many seconds, and whether early stopping ended them."""
    try:
        checkpoint = torch.load(last, map_location="cpu", weights_only=True)
        states = checkpoint["callbacks"].items()
        stopped = [state["stopped_epoch"] for name, state in states if name.startswith(EarlyStopping.__name__)]
        return {
            "epochs": checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"],
            "seconds": checkpoint["callbacks"][Timer.__name__]["time_elapsed"]["train"],
            "stopped": any(epoch > 0 for epoch in stopped),
        }
    except Exception as error:
        raise InputError(
            f"{last} cannot be read ({type(error).__name__}); train from the start with resume=never."
        ) from error


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
    metrics: Metrics = {}
    for results in (
        tester.validate(best, data.val_dataloader(), verbose=False),
        tester.test(best, data.test_dataloader(), verbose=False),
    ):
        metrics |= {name: float(value) for name, value in results[0].items()}
    if not math.isfinite(float(metrics["val/mae"])):
        raise InputError(f"{folder}: the training diverged; try a lower training.learning_rate.")
    predictions = write_predictions(folder, table, data.split.test.tolist(), torch.cat(best.predicted))
    write_results(logger, settings.decisive(), metrics, predictions, best)
    return metrics
