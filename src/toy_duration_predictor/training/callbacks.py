"""What a training does beside training: it stops on signals, keeps checkpoints, and says how far it is."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar, Timer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from toy_duration_predictor.training.commands import Interrupted
from toy_duration_predictor.training.config import TrainConfig
from toy_duration_predictor.training.terminal import shows_progress

log = logging.getLogger(__name__)


class StopOnSignal(Callback):
    """Ends a training between two batches when SIGINT or SIGTERM came; a second signal ends it at once.

    Args:
        last: Where the checkpoint of the last whole epoch is; one is written before the first epoch too.
    """

    def __init__(self, last: Path) -> None:
        self.last = last
        self.received: int | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handles the two signals for the time of a `with` block."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def receive(number: int, frame: FrameType | None) -> None:
            self.received = number
            for each, handler in before.items():
                signal.signal(each, handler)

        for number in before:
            signal.signal(number, receive)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes a first checkpoint, so that there always is one."""
        # The first process decides for all: they wait for each other where a checkpoint is saved.
        if not trainer.strategy.broadcast(self.last.exists()):
            trainer.save_checkpoint(self.last)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Stops here if a signal came."""
        self._stop(trainer)

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Stops here if a signal came."""
        self._stop(trainer)

    def _stop(self, trainer: pl.Trainer) -> None:
        # All processes stop if one has heard a signal: the others would wait for it without end.
        if trainer.strategy.reduce_boolean_decision(self.received is not None, all=False):
            self.received = self.received or signal.SIGTERM
            epoch = min(trainer.current_epoch + 1, trainer.max_epochs or 1)
            message = (
                f"{signal.Signals(self.received).name} in epoch {epoch} of {trainer.max_epochs}: stopped. "
                f"The same command goes on after the last whole epoch, from {self.last}."
            )
            log.warning(message)
            raise Interrupted(message, self.received)

    @contextmanager
    def fitting(self, trainer: pl.Trainer) -> Iterator[None]:
        """Listens for the time of a `with` block, and stops at its end if a signal came that no batch has seen."""
        with self.listening():
            try:
                yield
            except SIGTERMException:  # Lightning's own way to end between two epochs
                self.received = signal.SIGTERM
            self._stop(trainer)


class LogEpochs(Callback):
    """Writes a line an epoch to the log."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Logs the epoch's losses and metrics."""
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        shown = "  ".join(f"{name} {value:.4f}" for name, value in sorted(values.items()))
        log.info("epoch %d/%d  %s", trainer.current_epoch + 1, trainer.max_epochs, shown)


def callbacks(config: TrainConfig, checkpoints: Path) -> list[Callback]:
    """Returns everything a training needs but `StopOnSignal`.

    Args:
        config: The run's.
        checkpoints: Where `best.ckpt` and `last.ckpt` go.
    """
    training = config.training
    keep = partial(ModelCheckpoint, checkpoints, save_on_train_epoch_end=True, enable_version_counter=False)
    made: list[Callback] = [
        Timer(verbose=False),
        EarlyStopping(training.monitor, patience=training.patience, mode="min"),
        LogEpochs(),
        keep(filename="best", monitor=training.monitor, mode="min"),
        keep(filename="last"),  # after best, so that it knows of it
    ]
    if shows_progress(config.trainer):
        made.append(RichProgressBar(leave=False))
    return made
