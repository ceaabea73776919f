"""Lightning's trainer as a run wants it, in one process or in several."""

import logging
import os
import warnings
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import TensorBoardLogger

from toy_duration_predictor.errors import InputError
from toy_duration_predictor.training.callbacks import StopOnSignal, callbacks
from toy_duration_predictor.training.config import Hardware, TrainConfig
from toy_duration_predictor.training.extras import make
from toy_duration_predictor.training.terminal import shows_progress


def use_threads(trainer: Hardware) -> None:
    """Sets the number of CPU threads that torch computes with."""
    if trainer.threads:
        torch.set_num_threads(trainer.threads)


def make_trainer(settings: Hardware, **arguments: Any) -> pl.Trainer:
    """Returns a quiet Lightning trainer for the configured hardware.

    Args:
        settings: The hardware.
        arguments: Further ones of `pl.Trainer`.

    Raises:
        InputError: This machine has no such hardware, or Lightning refuses an argument.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # A batch is a gather from a few tensors; worker processes would only slow that down.
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    # Everything is logged once an epoch, however few batches that has.
    warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")
    # A run that goes on finds its own checkpoints there.
    warnings.filterwarnings("ignore", ".*exists and is not empty.*")
    # Lightning's use of torch, not ours.
    warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec.*")
    try:
        return pl.Trainer(
            accelerator=settings.accelerator,
            precision=settings.precision,
            enable_progress_bar=shows_progress(settings),
            # The sampler shares out training windows itself; each process validates on all songs.
            use_distributed_sampler=False,
            **{"devices": 1, "enable_model_summary": False, **arguments},
        )
    except (MisconfigurationException, ValueError, TypeError, RuntimeError, ImportError) as error:
        raise InputError(f"trainer={settings.accelerator} cannot be used on this machine: {error}") from error


def make_fitter(settings: TrainConfig, stop: StopOnSignal, logger: TensorBoardLogger) -> pl.Trainer:
    """Returns the trainer of a run's training, with what its configuration adds to it.

    Args:
        settings: The run's.
        stop: The callback that ends it when a signal comes.
        logger: The run's own.

    Raises:
        InputError: Lightning refuses what is added, or a class its arguments.
    """
    loggers = [logger, *make("loggers", settings.loggers)]
    every = [stop, *callbacks(settings, stop.last.parent), *make("callbacks", settings.callbacks)]
    further = {"num_sanity_val_steps": 0, **settings.trainer.further}
    try:
        return make_trainer(
            settings.trainer, max_epochs=settings.training.max_epochs, logger=loggers, callbacks=every, **further
        )
    except InputError as error:
        if not (settings.trainer.further or settings.callbacks):
            raise
        # The hardware has been tried before.
        raise InputError(f"What the configuration adds to the trainer cannot be used: {error.__cause__}") from error


def end_processes() -> None:
    """Ends what several processes have had together, so that the first one tests alone."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
        # By these a next run in this process would take itself for one of several.
        for name in ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
            os.environ.pop(name, None)
