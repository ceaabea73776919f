"""Windows of notes, as batches; in training they come in another order, and changed, in each epoch.

Shapes: `B` windows, `T` notes of a window.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from toy_duration_predictor.data.batches import PUBLISHED_WINDOW, Batch, Songs
from toy_duration_predictor.data.notes import Notes
from toy_duration_predictor.data.quantize import requantize
from toy_duration_predictor.data.style import References


class Augmentation(NamedTuple):
    """Windows, and how they are changed in an epoch.

    Attributes:
        window: int64 `(B,)`; the windows' numbers.
        move: int64 `(B,)`; by how many notes a window moves. None: the windows stay where they are.
        draw: int64 `(B,)`; seeds by which the windows are told a style. None: they are told none.
        behind: float32 `(B,)`; how far behind its grid line a window's first onset is, in grid steps, from -1/2 to 1/2.
            None: the windows are not quantized anew.
    """

    window: np.ndarray
    move: np.ndarray | None = None
    draw: np.ndarray | None = None
    behind: np.ndarray | None = None


class Windows(torch.utils.data.Dataset[Batch]):
    """Windows of at most `T` notes that together cover some rows; or the whole songs.

    They are indexed by a list of window numbers, or by an augmentation, and come as a whole batch.

    Args:
        songs: Where the notes are.
        rows: The rows to cover, int64.
        window: `T`, notes a window; None for whole songs.
        pairing: What the network is given: `quantized` or `sung` durations.
        performed: The sung durations of all rows, by which augmentations quantize windows anew.
        references: The same rows as references. If given, windows are told a style.
    """

    def __init__(
        self,
        songs: Songs,
        rows: Tensor,
        window: int | None,
        pairing: str = "quantized",
        performed: Notes | None = None,
        references: References | None = None,
    ) -> None:
        self.songs, self.window, self.pairing = songs, window, pairing
        self.performed, self.references = performed, references
        lengths = songs.lengths(rows)
        count = torch.ones_like(lengths) if window is None else (lengths + window - 1) // window
        self.row = rows.repeat_interleave(count)
        # The place of each window's song among the rows.
        self.song = torch.arange(len(rows)).repeat_interleave(count)
        # A window's number within its song is its number among all windows, less the windows of the songs before.
        before = (count.cumsum(0) - count).repeat_interleave(count)
        self.start = (torch.arange(len(self.row)) - before) * (window or 0)
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
        window = self.window or -(-int(length.max()) // PUBLISHED_WINDOW) * PUBLISHED_WINDOW
        if changes.move is not None:
            # A song's last window would be short. Here it moves back until it is full. In a song shorter than a window
            # the limit is below 0, and the window starts at the first note.
            start = torch.minimum(start + torch.from_numpy(changes.move), length - window).clamp(min=0)
        first, count = self.songs.offsets[row] + start, (length - start).clamp(max=window)
        batch = self.songs.batch(row, first, count, window)
        if self.performed is not None and changes.behind is not None:
            sung = self.performed.windows(first, count, window)
            # The same performance has many scores: which one the quantizer writes depends on the error that is carried
            # into the window. Each epoch has another error, and so another score that is as good as the table's.
            behind = (torch.from_numpy(changes.behind) * batch.step + 0.5).floor()  # whole ticks
            quantized = requantize(sung, batch.step, behind) * batch.mask
            batch = batch._replace(sung=sung, quantized=quantized, start=behind, carried=False)
        if self.pairing == "sung":
            # The input is its own grid, so that no onset is behind it.
            batch = batch._replace(quantized=batch.sung, start=torch.zeros_like(batch.start))
        if self.references is not None and changes.draw is not None:
            of_window = zip(self.song[index].tolist(), start.tolist(), changes.draw.tolist(), strict=True)
            styles = [self.references.draw(song, at, np.random.default_rng(seed)) for song, at, seed in of_window]
            batch = batch._replace(style=torch.from_numpy(np.stack(styles)))
        return batch

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
        tell_style: Whether windows are told a style.
        requantize: Whether windows are quantized anew.
    """

    def __init__(
        self,
        windows: int,
        batch_size: int,
        seed: int,
        move: int,
        tell_style: bool = False,
        requantize: bool = False,
    ) -> None:
        self.windows = windows
        self.batch_size = batch_size
        self.seed = seed
        self.move = move
        self.tell_style = tell_style
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
        if self.tell_style:
            epoch = epoch._replace(draw=rng.integers(2**63, size=self.windows))
        if self.requantize:
            epoch = epoch._replace(behind=rng.uniform(-0.5, 0.5, size=self.windows).astype(np.float32))
        share = self._share()
        for i in range(0, len(share), self.batch_size):
            some = share[i : i + self.batch_size]
            yield Augmentation(*(part if part is None else part[some] for part in epoch))  # type: ignore[arg-type]
