"""The progress bar of a training: one line, from the first update to the last."""

from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ProgressBar
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from toy_duration_predictor.training.terminal import CONSOLE, ConsoleHandler


class TrainingBar(ProgressBar):
    """Shows the epoch, the time that is left, and the last validation. It counts epochs from 1, as the log does.

    Args:
        metrics: The metrics of validation to show.
    """

    def __init__(self, *metrics: str) -> None:
        super().__init__()
        self.metrics = metrics
        self.wanted = True
        self.progress: Progress | None = None

    def disable(self) -> None:
        """Shows nothing; Lightning asks this of all processes of a training but the first."""
        self.wanted = False

    def enable(self) -> None:
        """Shows the bar."""
        self.wanted = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begins where the training does, which may be after an interruption."""
        if not self.wanted or not trainer.is_global_zero:
            return
        columns = (
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=None),
            TimeRemainingColumn(),
            TextColumn("{task.fields[last]}", style="dim"),
        )
        self.progress = Progress(*columns, console=CONSOLE, transient=True, expand=True)
        epochs, batches = trainer.max_epochs or 1, int(trainer.num_training_batches)
        done = trainer.current_epoch * batches
        self.progress.add_task("", total=epochs * batches, completed=done, epoch=1, epochs=epochs, last="")
        ConsoleHandler.bar = True
        self.progress.start()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Counts the epoch."""
        self._update(epoch=trainer.current_epoch + 1)

    def on_train_batch_end(self, *_: Any) -> None:
        """Counts the update."""
        self._update(advance=1)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Shows the epoch's validation."""
        known = trainer.callback_metrics
        self._update(last="  ".join(f"{name} {float(known[name]):.3f}" for name in self.metrics if name in known))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Takes the bar away."""
        self._stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Takes the bar away, so that what is said next begins a line."""
        self._stop()

    def _update(self, **fields: Any) -> None:
        if self.progress is not None:
            self.progress.update(self.progress.task_ids[0], **fields)

    def _stop(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress, ConsoleHandler.bar = None, False
