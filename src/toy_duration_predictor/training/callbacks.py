"""Callbacks of a training: it stops on signals, keeps two checkpoints, and logs a line an epoch."""

import logging
import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, Timer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from toy_duration_predictor.training.commands import Interrupted
from toy_duration_predictor.training.config import TrainConfig
from toy_duration_predictor.training.progress import TrainingBar
from toy_duration_predictor.training.terminal import shows_progress

log = logging.getLogger(__name__)

# By how much the kept epoch may have a worse `val/mae` than an earlier one before the run says so.
WORSE = 0.02


class StopOnSignal(Callback):
    """Ends a training between two batches after SIGINT or SIGTERM; a second signal ends it at once.

    Without it, Python would raise an error in the middle of an update, or of the writing of a checkpoint.

    Args:
        last: The checkpoint of the last whole epoch. It is written before the first epoch, too.
    """

    def __init__(self, last: Path) -> None:
        self.last = last
        self.received: int | None = None

    @contextmanager
    def fitting(self, trainer: pl.Trainer) -> Iterator[None]:
        """Listens for signals within a `with` block, and stops at its end if no batch has seen the signal.

        Raises:
            Interrupted: A signal came.
        """
        # Python sets handlers in the main thread only. Elsewhere, as in a trial of Ray Tune, signals are the host's.
        main = threading.current_thread() is threading.main_thread()
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM) if main}

        def restore() -> None:
            for number, handler in handlers.items():
                signal.signal(number, handler)

        def receive(number: int, frame: FrameType | None) -> None:
            self.received = number
            restore()  # so that a second signal is not held back

        for number in handlers:
            signal.signal(number, receive)
        try:
            yield
            self._stop(trainer)
        except SIGTERMException:  # Lightning's own end after a SIGTERM between two epochs
            self.received = signal.SIGTERM
            self._stop(trainer)
        finally:
            restore()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes a first checkpoint, from which a run goes on that is stopped in its first epoch."""
        # The first process decides for all, because they wait for each other where a checkpoint is saved.
        if not trainer.strategy.broadcast(self.last.exists()):
            trainer.save_checkpoint(self.last)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Stops here if a signal came."""
        self._stop(trainer)

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Stops here if a signal came."""
        self._stop(trainer)

    def _stop(self, trainer: pl.Trainer) -> None:
        # All processes stop if one has received a signal: the others would wait for it without end.
        if trainer.strategy.reduce_boolean_decision(self.received is not None, all=False):
            self.received = self.received or signal.SIGTERM
            epoch = min(trainer.current_epoch + 1, trainer.max_epochs or 1)
            message = (
                f"{signal.Signals(self.received).name} in epoch {epoch} of {trainer.max_epochs}: stopped. "
                f"The same command goes on after the last whole epoch, from {self.last}."
            )
            log.warning(message)
            raise Interrupted(message, self.received)


class LogEpochs(Callback):
    """Writes a line an epoch to the log."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Logs the epoch's losses and metrics."""
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        shown = "  ".join(f"{name} {value:.4f}" for name, value in sorted(values.items()))
        log.info("epoch %d/%d  %s", trainer.current_epoch + 1, trainer.max_epochs, shown)


class KeptEpoch(Callback):
    """Says so where the epoch whose weights are kept predicts clearly worse than an earlier one.

    Weights are kept by `training.monitor`. Where that is a likelihood, it may go on rising while predictions get worse.

    Args:
        monitor: The metric by which weights are kept; the lowest is the best.

    Attributes:
        best: The lowest value of the metric so far.
        kept: `val/mae` in that epoch, ticks.
        least: The lowest `val/mae` until then, ticks.
    """

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor
        self.best = self.kept = self.least = self.seen = math.inf

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compares the epoch with those before."""
        values = trainer.callback_metrics
        if not {self.monitor, "val/mae"} <= set(values):
            return
        value, mae = float(values[self.monitor]), float(values["val/mae"])
        self.seen = min(self.seen, mae)
        if value < self.best:
            self.best, self.kept, self.least = value, mae, self.seen

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Warns where an earlier epoch was better by more than `WORSE`."""
        if math.isfinite(self.kept) and self.kept > (1 + WORSE) * self.least:
            log.warning(
                "The weights kept are the best by %s, but an earlier epoch had a val/mae of %.3f ticks, and this one "
                "has %.3f: predictions got worse while %s got better. Try training.monitor=val/mae.",
                self.monitor,
                self.least,
                self.kept,
                self.monitor,
            )

    def state_dict(self) -> dict[str, float]:
        """Returns what a run that goes on needs to know."""
        return {"best": self.best, "kept": self.kept, "least": self.least, "seen": self.seen}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        """Goes on from there."""
        for name, value in state_dict.items():
            setattr(self, name, value)


class Checkpoints(ModelCheckpoint):
    """Lightning's callback, which forgets the best epoch where a run's folder was moved; this one does not."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from there, with the paths of today."""

        def moved(value: Any) -> Any:
            if isinstance(value, dict):
                return {moved(key): each for key, each in value.items()}
            return str(Path(str(self.dirpath), Path(value).name)) if isinstance(value, str) and value else value

        paths = {key: moved(value) for key, value in state_dict.items() if key.endswith(("_path", "_models"))}
        super().load_state_dict({**state_dict, **paths, "dirpath": self.dirpath})


def callbacks(config: TrainConfig, checkpoints: Path) -> list[Callback]:
    """Returns all callbacks of a training but `StopOnSignal`.

    Args:
        config: The run's.
        checkpoints: The folder of `best.ckpt` and `last.ckpt`.
    """
    training = config.training
    # At the end of an epoch, so that both checkpoints are of whole epochs. Without versions, because Lightning would
    # otherwise write best-v1.ckpt beside the best.ckpt of a run that goes on.
    checkpoint = partial(Checkpoints, checkpoints, save_on_train_epoch_end=True, enable_version_counter=False)
    wanted: list[Callback] = [
        Timer(verbose=False),  # its seconds are kept in checkpoints, and count on in a run that goes on
        EarlyStopping(training.monitor, patience=training.patience, mode="min"),
        LogEpochs(),
        KeptEpoch(training.monitor),
        # The best weights are for use; the last ones, with the optimizer's state, are for a run that goes on. The last
        # come second, so that they know the best metric of this epoch, too.
        checkpoint(filename="best", monitor=training.monitor, mode="min"),
        checkpoint(filename="last"),
    ]
    if shows_progress(config.trainer):
        wanted.append(TrainingBar("val/loss", "val/mae"))
    return wanted
