"""Songs, and windows of their notes as batches.

Shapes: `B` windows, `T` notes of a window.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from toy_duration_predictor.data.notes import Notes
from toy_duration_predictor.data.quantize import grid_step, left_behind, requantize
from toy_duration_predictor.data.repair import repair
from toy_duration_predictor.errors import InputError

# Songs that are repaired at a time: meanwhile a song takes many times its own room.
SONGS_TO_REPAIR = 500


class Batch(NamedTuple):
    """Windows of notes. Durations are in ticks. Padding comes after a window's notes, and is 0.

    Attributes:
        quantized: float `(B, T)`; what the network is given. In Model A's training (`pairing=sung`) the sung durations
            stand here.
        sung: float `(B, T)`; what the network is to predict.
        mask: bool `(B, T)`; true for notes, false for padding.
        singer: int64 `(B,)`; index of the singer.
        step: float `(B,)`; ticks of the song's grid step.
        ticks_per_beat: float `(B,)`; nan where not known.
        row: int64 `(B,)`; the song's row in its table.
    """

    quantized: Tensor
    sung: Tensor
    mask: Tensor
    singer: Tensor
    step: Tensor
    ticks_per_beat: Tensor
    row: Tensor


class Songs:
    """A songs table: a tensor for what a song has one value of, and the notes where the table lies.

    Args:
        table: A validated songs table.
        singers: The `singer_id` that each singer index stands for.

    Raises:
        InputError: The table has a singer that is not among `singers`.
    """

    def __init__(self, table: Dataset, singers: list[int]) -> None:
        index = {singer_id: i for i, singer_id in enumerate(singers)}
        singer_ids = table["singer_id"]
        unknown = sorted(set(singer_ids) - set(index))
        if unknown:
            raise InputError(f"Singers {unknown} are not known; known are {singers}.")
        known = table["ticks_per_beat"] if "ticks_per_beat" in table.column_names else [None] * len(table)
        self.sung, self.quantized = Notes.of(table, "sung"), Notes.of(table, "quantized")
        self.offsets = torch.from_numpy(self.sung.offsets)
        self.singer = torch.tensor([index[singer_id] for singer_id in singer_ids])
        self.ticks_per_beat = torch.tensor([float(ticks or "nan") for ticks in known])
        steps = [grid_step(song) for song in self.quantized.songs(np.arange(len(table)))]
        self.step = torch.tensor(steps).float()

    def repaired(self, rows: np.ndarray) -> Notes:
        """Returns the durations of all rows; in the given rows, sung durations take the place of carried values."""
        recovered: dict[int, np.ndarray] = {}
        for some in np.array_split(rows, -(-len(rows) // SONGS_TO_REPAIR)):
            steps = self.step[torch.from_numpy(some)].int().tolist()
            found = repair(list(self.sung.songs(some)), list(self.quantized.songs(some)), steps)
            recovered |= dict(zip(some.tolist(), found.sung, strict=True))
        every = (recovered[row] if row in recovered else self.sung.song(row) for row in range(len(self.singer)))
        return Notes(pa.chunked_array([pa.array(every, type=pa.list_(pa.int32()))]))

    def lengths(self, rows: Tensor) -> Tensor:
        """Returns the number of notes of each row."""
        return self.offsets[rows + 1] - self.offsets[rows]


class Augmentation(NamedTuple):
    """Windows, and how they are changed in an epoch.

    Attributes:
        window: int64 `(B,)`; the windows' numbers.
        move: int64 `(B,)`; by how many notes a window moves. None: the windows stay where they are.
        error: float32 `(B,)`; the error carried into a window's first note, in grid steps, from -1/2 to 1/2. None: the
            windows are not quantized anew.
    """

    window: np.ndarray
    move: np.ndarray | None = None
    error: np.ndarray | None = None


class Windows(torch.utils.data.Dataset[Batch]):
    """Windows of at most `T` notes that together cover some rows.

    They are indexed by a list of window numbers, or by an augmentation, and come as a whole batch.

    Args:
        songs: Where the notes are.
        rows: The rows to cover, int64.
        window: `T`, notes a window.
        pairing: What the network is given: `quantized` or `sung` durations.
    """

    def __init__(self, songs: Songs, rows: Tensor, window: int, pairing: str) -> None:
        self.songs = songs
        self.window = window
        self.given = songs.quantized if pairing == "quantized" else songs.sung
        # Sung durations that were recovered from a table of carried values. Windows are then quantized anew from them,
        # and the targets become the carried values of the new quantization: validation and test have such targets, too.
        self.repaired: Notes | None = None
        count = (songs.lengths(rows) + window - 1) // window
        self.row = rows.repeat_interleave(count)
        # A window's number within its song is its number among all windows, less the windows of the songs before.
        before = (count.cumsum(0) - count).repeat_interleave(count)
        self.start = (torch.arange(len(self.row)) - before) * window
        self.length = songs.lengths(self.row)

    def __len__(self) -> int:
        """Returns the number of windows."""
        return len(self.row)

    def __getitem__(self, items: "list[int] | Augmentation") -> Batch:
        """Returns the windows of these numbers, changed if an augmentation says how.

        A moved window stays within its song. It has padding only where the song is shorter than the window.
        """
        changes = items if isinstance(items, Augmentation) else Augmentation(np.asarray(items))
        index = torch.as_tensor(changes.window)
        row, start, length = self.row[index], self.start[index], self.length[index]
        if changes.move is not None:
            # A song's last window would be short. Here it moves back until it is full. In a song shorter than a window
            # the limit is below 0, and the window starts at the first note.
            start = torch.minimum(start + torch.from_numpy(changes.move), length - self.window).clamp(min=0)
        first, count = self.songs.offsets[row] + start, (length - start).clamp(max=self.window)
        mask = torch.arange(self.window) < count[:, None]
        step = self.songs.step[row]
        quantized, sung = (notes.windows(first, count, self.window) for notes in (self.given, self.songs.sung))
        if changes.error is not None:
            # The same performance has many scores: which one the quantizer writes depends on the error that is carried
            # into the window. Each epoch has another error, and so another score that is as good as the table's.
            recovered = sung if self.repaired is None else self.repaired.windows(first, count, self.window)
            error = (torch.from_numpy(changes.error) * step + 0.5).floor()  # whole ticks, as the quantizer carries
            quantized = requantize(recovered, step, error)
            sung = recovered if self.repaired is None else left_behind(recovered, quantized, error)
        # The error after the last note is left behind in the padding; the mask takes it away.
        return Batch(
            quantized=quantized * mask,
            sung=sung * mask,
            mask=mask,
            singer=self.songs.singer[row],
            step=step,
            ticks_per_beat=self.songs.ticks_per_beat[row],
            row=row,
        )

    def in_order(self, batch_size: int) -> DataLoader[Batch]:
        """Returns a loader of all windows, row after row."""
        index = list(range(len(self)))
        batches = [index[i : i + batch_size] for i in range(0, len(index), batch_size)]
        return DataLoader(self, sampler=batches, batch_size=None)


class ShuffledBatches(Sampler[Augmentation]):
    """The augmentations of an epoch, one for each batch of training windows.

    They follow from seed and epoch alone. So an interrupted run that goes on has the batches that it would have had.

    Where several processes train together, each of `n` processes has every `n`-th window of the same order. All have
    equally many: where the number of windows cannot be divided by `n`, the first windows come twice.

    Args:
        windows: How many windows there are.
        batch_size: Windows a batch; the last batch may have fewer.
        seed: Decides the augmentations, together with the epoch.
        move: Windows move by up to this many notes in either direction, so that each epoch cuts songs elsewhere.
        requantize: Whether windows are quantized anew, from another carried error.
    """

    def __init__(self, windows: int, batch_size: int, seed: int, move: int, requantize: bool = False) -> None:
        self.windows = windows
        self.batch_size = batch_size
        self.seed = seed
        self.move = move
        self.requantize = requantize
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch; Lightning calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Returns the number of this process's batches."""
        return -(-len(self._share()) // self.batch_size)

    def _share(self) -> np.ndarray:
        """Returns the positions in the epoch's order whose windows this process has."""
        together = torch.distributed.is_available() and torch.distributed.is_initialized()
        rank, size = (torch.distributed.get_rank(), torch.distributed.get_world_size()) if together else (0, 1)
        # Processes wait for each other at every update, so one with fewer batches than the others would stop them all.
        # np.resize repeats the first positions until the number can be divided.
        return np.resize(np.arange(self.windows), -(-self.windows // size) * size)[rank::size]

    def __iter__(self) -> Iterator[Augmentation]:
        """Yields this process's batches of the epoch."""
        # Every process samples for all windows by the same seed, and then takes its share. So the processes agree
        # without exchanging anything, and one process alone has the same windows with the same changes.
        rng = np.random.default_rng([self.seed, self.epoch])
        epoch = Augmentation(rng.permutation(self.windows))
        if self.move:
            epoch = epoch._replace(move=rng.integers(-self.move, self.move + 1, size=self.windows))
        if self.requantize:
            epoch = epoch._replace(error=rng.uniform(-0.5, 0.5, size=self.windows).astype(np.float32))
        share = self._share()
        for i in range(0, len(share), self.batch_size):
            some = share[i : i + self.batch_size]
            yield Augmentation(*(part if part is None else part[some] for part in epoch))  # type: ignore[arg-type]
