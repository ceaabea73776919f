"""Lightning's trainer for a run, in one process or in several."""

import logging
import os
import warnings
from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import TensorBoardLogger

from toy_duration_predictor.errors import InputError
from toy_duration_predictor.training.callbacks import StopOnSignal, callbacks
from toy_duration_predictor.training.checkpoints import CheckpointFiles
from toy_duration_predictor.training.config import HardwareSettings, TrainConfig
from toy_duration_predictor.training.extras import instantiate_classes
from toy_duration_predictor.training.terminal import shows_progress


def use_threads(trainer: HardwareSettings) -> None:
    """Sets the number of torch's CPU threads; 0 leaves it to torch."""
    if trainer.threads:
        torch.set_num_threads(trainer.threads)


def make_trainer(settings: HardwareSettings, **arguments: Any) -> pl.Trainer:
    """Returns a quiet Lightning trainer for the configured hardware.

    Args:
        settings: The hardware.
        arguments: Further arguments of `pl.Trainer`.

    Raises:
        InputError: This machine has no such hardware, or Lightning refuses an argument.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Batches are gathered from a few tensors; worker processes would only slow that down.
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    # Everything is logged once an epoch, however few batches an epoch has.
    warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")
    # A run that goes on has checkpoints already.
    warnings.filterwarnings("ignore", ".*exists and is not empty.*")
    # Lightning's use of torch, not ours.
    warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec.*")
    try:
        return pl.Trainer(
            accelerator=settings.accelerator,
            precision=settings.precision,
            enable_progress_bar=shows_progress(settings),
            # Our sampler shares out the training windows, and each process validates on all songs.
            use_distributed_sampler=False,
            **{"devices": 1, "enable_model_summary": False, **arguments},
        )
    except (MisconfigurationException, ValueError, TypeError, RuntimeError, ImportError) as error:
        raise InputError(f"trainer={settings.accelerator} cannot be used on this machine: {error}") from error


def make_fit_trainer(
    settings: TrainConfig, stop: StopOnSignal, logger: TensorBoardLogger, watchers: Sequence[pl.Callback] = ()
) -> pl.Trainer:
    """Returns the trainer that a run trains with, extras of its configuration included.

    Args:
        settings: The run's.
        stop: The callback that ends the training after a signal.
        logger: The run's own.
        watchers: Callbacks beside those of the configuration.

    Raises:
        InputError: Lightning refuses an extra, or a class refuses its arguments.
    """
    loggers = [logger, *instantiate_classes("loggers", settings.loggers)]
    all_callbacks = [
        stop,
        *callbacks(settings, stop.last.parent),
        *instantiate_classes("callbacks", settings.callbacks),
        *watchers,
    ]
    options = dict(settings.trainer.options)
    plugins = options.pop("plugins", None) or []
    try:
        return make_trainer(
            settings.trainer,
            max_epochs=settings.training.max_epochs,
            logger=loggers,
            callbacks=all_callbacks,
            plugins=[CheckpointFiles(), *(plugins if isinstance(plugins, list) else [plugins])],
            # No validation before the training: its metrics would mean nothing.
            **{"num_sanity_val_steps": 0, **options},
        )
    except InputError as error:
        if not (settings.trainer.options or settings.callbacks):
            raise
        # The trainer that tests has the same hardware and no extras, and was made before. So it is the extras' fault.
        raise InputError(f"What the configuration adds to the trainer cannot be used: {error.__cause__}") from error


def end_processes() -> None:
    """Ends the group of processes that have trained together, so that the first one tests alone."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
        # Lightning has set these; the next run in this process would take itself for one of several.
        for name in ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
            os.environ.pop(name, None)
