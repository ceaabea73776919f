"""The experiment's data: singers indexed, rows split, notes in batches of windows, statistics of the training split."""

import logging
import math

import lightning.pytorch as pl
import numpy as np
import torch
from datasets import Dataset
from torch.utils.data import DataLoader

from toy_duration_predictor.data.quantize import Origin, origin
from toy_duration_predictor.data.split import split_rows
from toy_duration_predictor.data.windows import Batch, ShuffledBatches, Songs, Windows

# The published recipe clamps its targets here, in training and in its metric.
PUBLISHED_CLAMP = 1000.0

log = logging.getLogger(__name__)


class SongsDataModule(pl.LightningDataModule):
    """The experiment's data. Notes stay in the table's file until a batch asks for them.

    Args:
        table: A validated songs table.
        split: `auto`, `published` or `grouped`; see `split_rows`.
        split_seed: Decides the split; 42 is the published one.
        pairing: What the network is trained on: `sung` (Model A) or `quantized` (Model B) durations. In the test it is
            given quantized durations in either case.
        window: Notes a window.
        batch_size: Windows a batch.
        move_windows: Whether training windows are cut elsewhere in each epoch.
        requantize: When the training windows of Model B are quantized anew in each epoch. `never`; `sung`: if the
            table holds sung durations, which the published dataset does not; `repaired`: also if sung durations can be
            recovered from carried values (see `repair`), which takes about 15 ms a song.
        seed: Decides the order and the changes of training windows, together with the epoch.

    Attributes:
        singers: All `singer_id` of the table, sorted; a singer's index is the place in this list.
        split: The rows of the three sides.
        statistics: Figures of the training split. `target_mean` and `target_std` are those of its durations clamped to
            0..1000 ticks, as in the published recipe. `carried` is 1 if its durations are carried values, else 0.
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
        self.statistics, origins = _statistics(self.songs, self.split.train)
        carried = bool(self.statistics["carried"])
        self.requantize = False
        if requantize != "never" and pairing == "quantized":
            # Songs too short to tell count as sung.
            self.requantize = origins <= {Origin.SINGER} or (carried and requantize == "repaired")
            if not self.requantize:
                log.info("The table's durations do not quantize to its quantized ones; nothing is quantized anew.")
            elif carried:
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
        # By half a window in either direction, so that any note can be a window's first.
        move = self.window // 2 if self.move_windows else 0
        batches = ShuffledBatches(len(self.train_windows), self.batch_size, self.seed, move, self.requantize)
        return DataLoader(self.train_windows, sampler=batches, batch_size=None)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Returns windows of the validation rows, paired as in training."""
        return self._in_order(self.split.val, self.pairing)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Returns windows of the test rows, whose input is quantized whatever the pairing."""
        return self._in_order(self.split.test, "quantized")

    def _in_order(self, rows: np.ndarray, pairing: str) -> DataLoader[Batch]:
        return Windows(self.songs, torch.from_numpy(rows), self.window, pairing).in_order(self.batch_size)


def _statistics(songs: Songs, rows: np.ndarray) -> tuple[dict[str, float], set[Origin]]:
    """Returns `SongsDataModule.statistics` of some rows, and where their durations come from, if that can be told."""
    origins: set[Origin] = set()
    notes = total = squares = 0
    for durations, quantized in zip(songs.sung.songs(rows), songs.quantized.songs(rows), strict=True):
        origins.add(origin(durations, quantized))
        clamped = durations.clip(max=int(PUBLISHED_CLAMP))
        # Sums of whole numbers are exact, so a mean does not depend on the order of the rows.
        notes, total, squares = notes + len(clamped), total + int(clamped.sum()), squares + int((clamped**2).sum())
    origins.discard(Origin.EITHER)
    variance = (notes * squares - total**2) / (notes * max(notes - 1, 1))
    statistics = {
        "target_mean": total / notes,
        "target_std": math.sqrt(variance) or 1.0,  # 1 where all durations are the same, as it is divided by
        "carried": float(origins == {Origin.QUANTIZER}),
    }
    return statistics, origins
