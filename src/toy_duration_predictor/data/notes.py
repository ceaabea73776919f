"""The notes of a songs table, read where the table lies, so that notes that nobody asks for take no memory.

Shapes: `S` songs, `B` windows, `T` notes of a window or a song.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from datasets import Dataset
from torch import Tensor

from toy_duration_predictor.data.schema import column


class Notes:
    """A list column of a songs table.

    Args:
        lists: Lists of integers, none of them null or empty.

    Attributes:
        offsets: int64 `(S + 1,)`; where each song starts and the last one ends, with all songs one after the other.
        chunks: The notes of all songs, in as many arrays as the column has; not copied.
    """

    def __init__(self, lists: pa.ChunkedArray) -> None:
        # The column's own offsets are int32 and begin anew with each chunk; a long table has more notes than int32.
        lengths = pc.list_value_length(lists).to_numpy().astype(np.int64)
        self.offsets = np.concatenate([[0], np.cumsum(lengths)])
        # An array of Arrow's that is no copy is a view of the mapped file: the system loads its pages when they are
        # read, and may take them back.
        self.chunks: list[np.ndarray] = [
            chunk.flatten().to_numpy(zero_copy_only=False) for chunk in lists.chunks if len(chunk)
        ]
        self._starts = np.cumsum([0, *map(len, self.chunks)])

    @classmethod
    def of(cls, table: Dataset, name: str) -> "Notes":
        """Returns a list column, such as `sung`, `quantized` or `pitch`, of a validated songs table."""
        values = table.select_columns([column(name)]).with_format("arrow")[:]
        return cls(values[column(name)])

    def song(self, row: int) -> np.ndarray:
        """Returns a song's notes, int64 `(T,)`."""
        return self._between(int(self.offsets[row]), int(self.offsets[row + 1])).astype(np.int64)

    def songs(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yields the notes of these rows, int64 `(T,)` for each row."""
        return map(self.song, rows.tolist())

    def windows(self, first: Tensor, length: Tensor, width: int) -> Tensor:
        """Returns the notes of windows, each of which lies within one song.

        Args:
            first: int64 `(B,)`; where each window starts, counted as in `offsets`.
            length: int64 `(B,)`; how many notes each window has, at most `width`.
            width: `T`.

        Returns:
            float `(B, T)`, 0 after a window's notes.
        """
        windows = np.zeros((len(first), width), dtype=np.float32)
        # A loop over windows copies the asked-for notes only. One gather for all windows would first need all chunks in
        # one array, which is a copy of the table.
        for window, start, notes in zip(windows, first.tolist(), length.tolist(), strict=True):
            window[:notes] = self._between(start, start + notes)
        return torch.from_numpy(windows)

    def _between(self, start: int, end: int) -> np.ndarray:
        """Returns some notes of one song, whose notes all lie in one chunk."""
        chunk = int(np.searchsorted(self._starts, start, side="right")) - 1
        before = int(self._starts[chunk])
        return self.chunks[chunk][start - before : end - before]
