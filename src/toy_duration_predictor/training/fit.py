"""The training of a run, from its start or from the last whole epoch; its other steps are in `train`."""

import logging
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping, Timer

from toy_duration_predictor.data.datamodule import SongsDataModule
from toy_duration_predictor.errors import InputError, first_line
from toy_duration_predictor.training.callbacks import StopOnSignal
from toy_duration_predictor.training.checkpoints import PREVIOUS, read_checkpoint
from toy_duration_predictor.training.run_folder import Metrics
from toy_duration_predictor.training.task import DurationTask
from toy_duration_predictor.training.trainer import end_processes

log = logging.getLogger(__name__)


def fit(trainer: pl.Trainer, stop: StopOnSignal, task: DurationTask, data: SongsDataModule) -> Metrics:
    """Trains, from `last.ckpt` if there is one; returns the metrics of the training."""
    last = stop.last
    progress = _resumed(last)
    # A run that was interrupted after early stopping would otherwise train for another epoch.
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
        # A clock that was set back may have measured nothing.
        **({"train/notes_per_second": data.notes_train * epochs / seconds} if seconds > 0 else {}),
        "model/parameters": sum(parameter.numel() for parameter in task.parameters()),
    }


def _resumed(last: Path) -> dict[str, Any] | None:
    """Returns the progress at `last.ckpt`, or None without one. The one before takes its place if it cannot be read."""
    previous = last.with_name(PREVIOUS)
    if not (last.exists() or previous.exists()):
        return None
    try:
        return _progress(last)
    except InputError as error:
        try:
            progress = _progress(previous)
        except InputError:
            raise error from None
        log.warning("%s cannot be read; going on from the one before it.", last)
        previous.replace(last)
        return progress


def _progress(last: Path) -> dict[str, Any]:
    """Returns the epochs and seconds of the training up to `last.ckpt`, and whether early stopping ended it."""
    try:
        checkpoint = read_checkpoint(last)
        states = checkpoint["callbacks"].items()
        stopped = [state["stopped_epoch"] for name, state in states if name.startswith(EarlyStopping.__name__)]
        return {
            "epochs": checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"],
            "seconds": checkpoint["callbacks"][Timer.__name__]["time_elapsed"]["train"],
            "stopped": any(epoch > 0 for epoch in stopped),
        }
    except Exception as error:
        raise InputError(
            f"{last} cannot be read ({first_line(error)}); train from the start with resume=never."
        ) from error
