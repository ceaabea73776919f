"""The experiment's data: singers indexed, rows split, notes in batches of windows, statistics of the training split."""

import logging
import math

import lightning.pytorch as pl
import numpy as np
import torch
from datasets import Dataset
from torch.utils.data import DataLoader

from toy_duration_predictor.data.batches import Batch, Songs
from toy_duration_predictor.data.origin import say_what_is_taken
from toy_duration_predictor.data.singer_names import singer_names
from toy_duration_predictor.data.singers import listed
from toy_duration_predictor.data.split import split_rows
from toy_duration_predictor.data.style import FEATURES
from toy_duration_predictor.data.windows import ShuffledBatches, Windows
from toy_duration_predictor.errors import InputError

# The published recipe clamps its targets here, in training and in its metric.
PUBLISHED_CLAMP = 1000.0

# Whole songs at a time in validation and test; the number changes no figure.
SONGS_A_BATCH = 16

# With fewer training songs, somebody should know what to expect of them.
FEW_SONGS = 8

log = logging.getLogger(__name__)


class SongsDataModule(pl.LightningDataModule):
    """The experiment's data. Notes stay in the table's file until a batch asks for them.

    Args:
        table: A validated songs table.
        split: `auto`, `published`, `grouped`, ...; see `split_rows`.
        split_seed: Decides the split; 42 is the published one.
        pairing: What the network is trained on: `sung` (Model A) or `quantized` (Model B) durations. In the test it is
            given quantized durations in either case.
        anonymous: Whether nothing is told of singers.
        loss: With `likelihood`, songs that no quantizer could have made are left out of training and validation: they
            have no likelihood. Training windows are told a style, for which sung durations are recovered where the
            table holds carried values (see `repair`), about 15 ms a song. With `published`, validation and test are by
            windows, not by whole songs, as in the published recipe.
        window: Notes a training window.
        batch_size: Windows a batch.
        move_windows: Whether training windows are cut elsewhere in each epoch.
        requantize: Whether the training windows of Model B are quantized anew in each epoch, with `loss=likelihood`.
        seed: Decides the order and the changes of training windows, together with the epoch.

    Attributes:
        singers: All `singer_id` of the table, sorted; a singer's index is the place in this list.
        singer_names: The names of those who have one, by `singer_id`.
        split: The rows of the three sides.
        statistics: Figures of the training split. `target_mean` and `target_std` are those of its durations clamped to
            0..1000 ticks, as in the published recipe. `carried` is 1 if its durations are carried values, else 0.
            `style_features` is the length of a style. `scores` is 1 if its quantized durations are scores; see
            `Songs`. `step_beats` is the median grid step, in beats; it is left out where no resolution is known.
        references: The training songs, for the styles of singers; None where nothing is told of them.
        unheard_singers: The `singer_id` of singers who have no song in the training split.

    Raises:
        InputError: No training song, or no validation song, has a likelihood; or all training durations are 0.
    """

    def __init__(
        self,
        table: Dataset,
        split: str = "auto",
        split_seed: int = 42,
        pairing: str = "quantized",
        anonymous: bool = False,
        loss: str = "mae",
        window: int = 128,
        batch_size: int = 32,
        move_windows: bool = True,
        requantize: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.pairing = pairing
        self.window = window
        self.whole_songs = loss != "published"
        self.batch_size = batch_size
        self.move_windows = move_windows
        self.seed = seed
        self.singers: list[int] = sorted(set(table["singer_id"]))
        self.singer_names = singer_names(table)
        self.songs = Songs(table, self.singers)
        say_what_is_taken(table, self.songs.origins)
        self.split = split_rows(table, split, split_seed)
        if len(self.split.train) < FEW_SONGS:
            log.warning(
                "Few songs: %d to train on, %d to validate, %d to test. The model learns little of them, and the test "
                "says little of the model. tdp humanize --like sings as recordings do, without any training.",
                *map(len, self.split),
            )
        self.statistics = _statistics(self.songs, self.split.train)
        train, self.val_rows = self.split.train, self.split.val
        performed, self.references = None, None
        if loss == "likelihood":
            performed, wrong = self.songs.performed(train)
            if len(wrong) > len(train) / 2 and not self.songs.carried:
                self.songs.scores, performed, requantize = True, self.songs.sung, False
                self.statistics["scores"] = 1.0
                log.info(
                    "Most training songs (%d of %d) are not quantized with their error carried forward: what is given "
                    "is taken as scores, against which onsets may lie anywhere.",
                    len(wrong),
                    len(train),
                )
            else:
                train = _without(train, wrong, "training")
                self.val_rows = _without(self.val_rows, self.songs.performed(self.val_rows)[1], "validation")
            if not anonymous:
                self.references = self.songs.references(train, performed)
        if unclear := self.songs.rests_unclear():
            log.warning(
                "Rests are guessed, because the table has no column 'pitch', and in %s the guess must fail: there are "
                "no short rests to go by. Prepare the table with pitch.",
                named_rows(unclear),
            )
        self.train_windows = Windows(
            self.songs,
            torch.from_numpy(train),
            window,
            pairing,
            performed=performed if requantize and pairing == "quantized" else None,
            references=self.references,
        )
        self.notes_train = int(self.songs.lengths(torch.from_numpy(train)).sum())
        heard = set(self.songs.singer[torch.from_numpy(train)].tolist())
        self.unheard_singers = [singer for i, singer in enumerate(self.singers) if i not in heard]
        if self.unheard_singers:
            log.warning(
                "Singers without a song in the training split: [%s]. Predictions for them are those for any singer.",
                listed(self.unheard_singers, self.singer_names),
            )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Returns windows of the training rows, in an order that follows from seed and epoch."""
        # By half a window in either direction, so that any note can be a window's first.
        move = self.window // 2 if self.move_windows else 0
        batches = ShuffledBatches(
            len(self.train_windows),
            self.batch_size,
            self.seed,
            move,
            tell_style=self.references is not None,
            requantize=self.train_windows.performed is not None,
        )
        return DataLoader(self.train_windows, sampler=batches, batch_size=None)

    def val_dataloader(self, pairing: str | None = None) -> DataLoader[Batch]:
        """Returns the validation rows, paired as in training unless another pairing is named."""
        return self._in_order(self.val_rows, pairing or self.pairing)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Returns the test rows, whose input is quantized whatever the pairing."""
        return self._in_order(self.split.test, "quantized")

    def _in_order(self, rows: np.ndarray, pairing: str) -> DataLoader[Batch]:
        window, size = (None, SONGS_A_BATCH) if self.whole_songs else (self.window, self.batch_size)
        return Windows(self.songs, torch.from_numpy(rows), window, pairing).in_order(size)


def _without(rows: np.ndarray, wrong: list[int], side: str) -> np.ndarray:
    """Returns the rows that have a likelihood, and names those that have none."""
    if len(wrong) == len(rows):
        raise InputError(
            f"No {side} song is known to have been quantized with its error carried forward, as most training songs "
            f"are, so none has a likelihood; train a network that needs none, such as model=bigru."
        )
    if wrong:
        log.warning(
            "Left out of %s, as they are not known to have been quantized with their error carried forward: %s.",
            side,
            named_rows(wrong),
        )
    return np.setdiff1d(rows, wrong)


def named_rows(rows: list[int]) -> str:
    """Returns rows as messages name them."""
    return f"rows {rows}" if len(rows) <= 20 else f"{len(rows)} rows, the first of them {rows[:20]}"


def _statistics(songs: Songs, rows: np.ndarray) -> dict[str, float]:
    """Returns `SongsDataModule.statistics` of some rows."""
    notes = total = squares = 0
    for durations in songs.sung.songs(rows):
        clamped = durations.clip(max=int(PUBLISHED_CLAMP))
        # Sums of whole numbers are exact, so a mean does not depend on the order of the rows.
        notes, total, squares = notes + len(clamped), total + int(clamped.sum()), squares + int((clamped**2).sum())
    if not total:
        raise InputError("All sung durations of the training songs are 0 ticks, so there is nothing to learn.")
    steps = songs.step[torch.from_numpy(rows)].double() / songs.ticks_per_beat[torch.from_numpy(rows)]
    step_beats = float(steps.nanmedian())
    variance = (notes * squares - total**2) / (notes * max(notes - 1, 1))
    return {
        "target_mean": total / notes,
        "target_std": math.sqrt(variance) or 1.0,  # 1 where all durations are the same, as it is divided by
        "carried": float(songs.carried),
        "style_features": float(FEATURES),
        "scores": 0.0,
        **({} if math.isnan(step_beats) else {"step_beats": step_beats}),
    }
