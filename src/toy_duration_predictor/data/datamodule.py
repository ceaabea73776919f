"""The experiment's data: singers indexed, rows split, statistics of the training split, and batches of windows."""

import logging
import math

import lightning.pytorch as pl
import numpy as np
import torch
from datasets import Dataset
from torch.utils.data import DataLoader

from toy_duration_predictor.data.quantize import CARRIED, EITHER, SUNG, kind
from toy_duration_predictor.data.split import split_rows
from toy_duration_predictor.data.windows import Batch, ShuffledBatches, Songs, Windows

# The published recipe clamps its targets here, in training and in its metric.
PUBLISHED_CLAMP = 1000.0

log = logging.getLogger(__name__)


class SongsDataModule(pl.LightningDataModule):
    """The experiment's data. Notes stay where the table lies until a batch asks for them.

    Args:
        table: A validated songs table.
        split: `auto`, `published` or `grouped`; see `split_rows`.
        split_seed: Decides the split; 42 is the published one.
        pairing: What the network is trained on: `sung` (Model A) or `quantized` (Model B) durations. The test input
            is quantized in either case.
        window: Notes a window.
        batch_size: Windows a batch.
        move_windows: Whether training windows are cut elsewhere in each epoch.
        requantize: Whether training windows are quantized anew in each epoch, where their input is quantized: `never`;
            `sung` does so if the table's durations quantize to its quantized ones, and those of the published dataset
            do not; `repaired` also if sung durations can be recovered (see `repair`), at about 15 ms a song.
        seed: Decides the order of training windows, together with the epoch.

    Attributes:
        singers: All `singer_id` of the table, sorted; a singer's index is the place in this list.
        split: The rows of the three sides.
        statistics: `target_mean` and `target_std` of the training split's durations, clamped to 0..1000 ticks, as
            in the published recipe; and `carried`, 1 if that split's durations are the quantizer's carried values, else
            0.
        unheard_singers: The `singer_id` of singers who have no song in the training split.
    """

    def __init__(
        self,
        table: Dataset,
        split: str = "auto",
        split_seed: int = 42,
        pairing: str = "quantized",
        window: int = 128,
        batch_size: int = 32,
        move_windows: bool = True,
        requantize: str = "never",
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.pairing = pairing
        self.window = window
        self.batch_size = batch_size
        self.move_windows = move_windows
        self.seed = seed
        self.singers: list[int] = sorted(set(table["singer_id"]))
        self.songs = Songs(table, self.singers)
        self.split = split_rows(table, split, split_seed)

        train = torch.from_numpy(self.split.train)
        self.train_windows = Windows(self.songs, train, window, pairing)
        self.notes_train = int(self.songs.lengths(train).sum())
        self.statistics, kinds = _statistics(self.songs, self.split.train)
        self.requantize = False
        if requantize != "never" and pairing == "quantized":
            self.requantize = kinds <= {SUNG} or (kinds == {CARRIED} and requantize == "repaired")
            if not self.requantize:
                log.info("The table's durations do not quantize to its quantized ones; nothing is quantized anew.")
            elif kinds == {CARRIED}:
                self.train_windows.repaired = self.songs.repaired(self.split.train)
        heard = set(self.songs.singer[train].tolist())
        self.unheard_singers = [singer for i, singer in enumerate(self.singers) if i not in heard]
        if self.unheard_singers:
            log.warning(
                "Singers without a song in the training split: %s. Predictions for them are guesses.",
                self.unheard_singers,
            )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Returns windows of the training rows, in an order that follows from seed and epoch."""
        move = self.window // 2 if self.move_windows else 0
        batches = ShuffledBatches(len(self.train_windows), self.batch_size, self.seed, move, self.requantize)
        return DataLoader(self.train_windows, sampler=batches, batch_size=None)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Returns windows of the validation rows, paired as in training."""
        return self._in_order(self.split.val, self.pairing)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Returns windows of the test rows; the input is quantized, whatever the pairing."""
        return self._in_order(self.split.test, "quantized")

    def _in_order(self, rows: np.ndarray, pairing: str) -> DataLoader[Batch]:
        return Windows(self.songs, torch.from_numpy(rows), self.window, pairing).in_order(self.batch_size)


def _statistics(songs: Songs, rows: np.ndarray) -> tuple[dict[str, float], set[str]]:
    """Returns `SongsDataModule.statistics` of some rows, and what their durations are; see `quantize.kind`."""
    kinds: set[str] = set()
    notes = total = squares = 0
    for sung, quantized in zip(songs.sung.songs(rows), songs.quantized.songs(rows), strict=True):
        kinds.add(kind(sung, quantized))
        clamped = sung.clip(max=int(PUBLISHED_CLAMP))
        notes, total, squares = notes + len(sung), total + int(clamped.sum()), squares + int((clamped**2).sum())
    kinds.discard(EITHER)
    # From sums of whole numbers, which are exact however many they are.
    variance = (notes * squares - total**2) / (notes * max(notes - 1, 1))
    statistics = {
        "target_mean": total / notes,
        "target_std": math.sqrt(variance) or 1.0,
        "carried": float(kinds == {CARRIED}),
    }
    return statistics, kinds
