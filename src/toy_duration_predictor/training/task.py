"""The LightningModule: loss, optimizer and metrics of a network.

Shapes: `B` windows, `T` notes of a window.
"""

import math
from functools import partial
from typing import Any

import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from toy_duration_predictor.data.batches import Batch, whole_songs
from toy_duration_predictor.data.datamodule import PUBLISHED_CLAMP
from toy_duration_predictor.data.quantize import left_behind
from toy_duration_predictor.data.singers import Names
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.models import DistributionNetwork, Inputs, build
from toy_duration_predictor.training import metrics
from toy_duration_predictor.training.divergence import check_finite

# The metrics of every epoch.
VALIDATED = ("mae", "copy_mae", "onset_mae", "copy_onset_mae")

# The largest norm of a gradient where a network learns from scores. Nothing bounds how far a duration is off its score,
# and without this one song in a batch can spoil all weights for good. Most norms are about 1.
SCORES_CLIP = 0.5


class DurationTask(pl.LightningModule):
    """Trains and tests a network that predicts sung durations.

    All arguments are plain values and are stored in checkpoints. So `load_run` needs nothing but a checkpoint.

    Args:
        network: Name of a network; see `models`.
        sizes: Arguments of its constructor.
        singers: The `singer_id` of each singer index.
        statistics: Of the training split; see `SongsDataModule`.
        window: Notes a window.
        loss: `mae` or `mse`, in ticks over real notes; `likelihood`, the negative log-likelihood a note, nats, for
            networks with a distribution; or `published`, the mean squared error of normalized durations over whole
            windows, padding included, with targets clamped to 0..1000 ticks.
        learning_rate: The highest one.
        schedule: `cosine` rises to it and falls to 0, see `warm_up_and_cosine`; `constant` stays there.
        weight_decay: AdamW's; with 0 it is Adam.
        anonymous: Whether every singer is given the first one's identity, in training and in use.
        seed: Dropout follows from it and the epoch, so that a run can be resumed.
        singer_names: The names of those singers who have one, by `singer_id`.
    """

    def __init__(
        self,
        network: str,
        sizes: dict[str, float],
        singers: list[int],
        statistics: dict[str, float],
        window: int = 128,
        loss: str = "mae",
        learning_rate: float = 3e-3,
        schedule: str = "cosine",
        weight_decay: float = 0.01,
        anonymous: bool = False,
        seed: int = 0,
        singer_names: Names = {},  # noqa: B006
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.network = build(network, statistics, num_singers=len(singers), **sizes)
        if loss == "likelihood" and not isinstance(self.network, DistributionNetwork):
            raise InputError(f"training.loss=likelihood: network '{network}' has no distribution; choose mae or mse.")
        self.singers, self.singer_names = singers, singer_names
        self.window = window
        self.val_metrics, self.test_metrics = metrics.collection(*VALIDATED), metrics.collection()
        self.tested: list[tuple[Batch, Tensor]] = []

    @property
    def test_window(self) -> int | None:
        """Notes of the windows by which it is tested, as published; None for whole songs."""
        return self.window if self.hparams["loss"] == "published" else None

    def forward(self, batch: Batch) -> Tensor:
        """Returns the predicted durations, float `(B, T)`, ticks."""
        predicted: Tensor = self.network(self.inputs(batch))
        # What is compared with carried values must be carried values, too.
        if batch.carried and self.hparams["loss"] == "likelihood":
            return left_behind(predicted, batch.quantized)
        return predicted

    def inputs(self, batch: Batch) -> Inputs:
        """Returns what the network is given of a batch."""
        singer = torch.zeros_like(batch.singer) if self.hparams["anonymous"] else batch.singer
        return Inputs(batch.quantized, batch.mask, batch.step, batch.rest, batch.start, singer, batch.style)

    def loss(self, batch: Batch, predicted: Tensor | None = None) -> Tensor:
        """Returns the training loss of a batch, a scalar. Durations that are predicted already may be given."""
        loss = self.hparams["loss"]
        if isinstance(self.network, DistributionNetwork) and loss == "likelihood":
            likelihood = self.network.log_likelihood(self.inputs(batch), batch.sung, batch.carried)
            return (-likelihood.sum() / batch.mask.sum()).float()
        if predicted is None:
            predicted = self(batch)
        if loss == "published":
            # The mean cancels, (p - m) / s - (t - m) / s = (p - t) / s, and the scale comes out of the square.
            clamped = batch.sung.clamp(0, PUBLISHED_CLAMP)
            scale: float = self.hparams["statistics"]["target_std"]
            return F.mse_loss(predicted, clamped) / scale**2
        note, sung = predicted[batch.mask], batch.sung[batch.mask]
        return F.l1_loss(note, sung) if loss == "mae" else F.mse_loss(note, sung)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Makes dropout a function of seed, epoch and process, so that a run that goes on has the same."""
        # Not at the start of the epoch: between that and the first batch the loader takes a random number, but in a run
        # that goes on it has done so before.
        if batch_idx == 0:
            # Processes are 500,000 epochs apart, so that they never have the same dropout.
            torch.manual_seed(self.hparams["seed"] * 1_000_003 + self.current_epoch + 500_000 * self.global_rank)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Returns the loss."""
        loss = self.loss(batch)
        check_finite(f"epoch {self.current_epoch + 1}, batch {batch_idx + 1}", batch, loss)
        size = len(batch.mask)
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=size, sync_dist=True)
        return loss

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clips gradients as the trainer is told; with scores, to `SCORES_CLIP` where it is told nothing."""
        if gradient_clip_val is None and self.hparams["statistics"].get("scores"):
            gradient_clip_val = SCORES_CLIP
        self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Accumulates `val/loss`, `val/mae`, `val/onset_mae` and the skills."""
        predicted = self(batch)
        loss = self.loss(batch, predicted)
        where = f"the validation after epoch {self.current_epoch + 1}, batch {batch_idx + 1}"
        check_finite(where, batch, loss, predicted[batch.mask])
        # Batches count alike, whatever their size, as in the published recipe.
        self.log("val/loss", loss, prog_bar=True, batch_size=1, sync_dist=True)
        self.val_metrics.update(predicted, batch)

    def on_validation_epoch_end(self) -> None:
        """Logs the metrics of the validation split, whose input is paired as in training."""
        for name, value in metrics.results(self.val_metrics).items():
            if not name.startswith("copy"):
                self.log(f"val/{name}", value, prog_bar=name == "skill", sync_dist=True)
        self.val_metrics.reset()

    def on_test_start(self) -> None:
        """Forgets earlier predictions."""
        self.tested = []

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Keeps the predicted durations."""
        self.tested.append((batch, self(batch)))

    def on_test_epoch_end(self) -> None:
        """Logs the test metrics, of whole songs."""
        # Where the test is by windows, as published, onsets are those of the windows put together.
        together = [whole_songs(*map(list, zip(*self.tested, strict=True)))] if self.test_window else self.tested
        for batch, predicted in together:
            self.test_metrics.update(predicted, batch)
        self.log_dict({f"test/{name}": value for name, value in metrics.results(self.test_metrics).items()})
        self.test_metrics.reset()

    @property
    def predicted(self) -> Tensor:
        """The predicted durations of all tested notes, float `(notes,)`, ticks, on the CPU."""
        return torch.cat([predicted[batch.mask].cpu() for batch, predicted in self.tested])

    def configure_optimizers(self) -> Any:
        """Returns AdamW, with the schedule of its learning rate."""
        rate = self.hparams["learning_rate"]
        optimizer = torch.optim.AdamW(self.parameters(), lr=rate, weight_decay=self.hparams["weight_decay"])
        if self.hparams["schedule"] == "constant":
            return optimizer
        factor = partial(warm_up_and_cosine, updates=int(self.trainer.estimated_stepping_batches))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def warm_up_and_cosine(update: int, updates: int) -> float:
    """Returns the share of the highest learning rate at an update of the weights.

    It rises in a line over the first fifth of all updates, and falls from 1 to 0 along half a cosine over the rest.

    Args:
        update: Number of the update, from 0.
        updates: Number of all updates.
    """
    rise = updates / 5
    if update < rise:
        return (update + 1) / (rise + 1)
    return 0.5 * (1 + math.cos(math.pi * min((update - rise) / (updates - rise), 1)))
