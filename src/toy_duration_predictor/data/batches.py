"""Songs as tensors, and batches of their notes.

Shapes: `B` windows, `T` notes of a window, `F` features of a style.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from toy_duration_predictor.data.notes import Notes
from toy_duration_predictor.data.origin import Origin, are_carried, origins
from toy_duration_predictor.data.quantize import grid_step
from toy_duration_predictor.data.repair import repair
from toy_duration_predictor.data.rests import can_be_guessed, guess_rests
from toy_duration_predictor.data.style import PART, References, style_sums
from toy_duration_predictor.errors import InputError

# Songs that are repaired at a time: meanwhile a song takes many times its own room.
SONGS_TO_REPAIR = 500

# Whole songs are padded to multiples of this: the published network reads, and the published metric counts, the padding
# of windows of 128 notes.
PUBLISHED_WINDOW = 128


class Batch(NamedTuple):
    """Windows of notes, or whole songs. Durations are in ticks. Padding comes after a row's notes, and is 0.

    Attributes:
        quantized: float `(B, T)`; what the network is given. In Model A's training (`pairing=sung`) the sung durations
            stand here.
        sung: float `(B, T)`; what the network is to predict.
        mask: bool `(B, T)`; true for notes and rests, false for padding.
        rest: bool `(B, T)`; which durations are rests.
        start: float `(B,)`, ticks; how far behind its grid line a row's first onset was sung. It is 0 where a row
            begins with its song, as the grid begins with the first onset, and nan where it is not known.
        singer: int64 `(B,)`; index of the singer.
        step: float `(B,)`; ticks of the song's grid step.
        ticks_per_beat: float `(B,)`; nan where not known.
        tempo: float `(B,)`; microseconds per beat, nan where not known.
        row: int64 `(B,)`; the song's row in its table.
        carried: Whether `sung` holds carried values (see `data.quantize.carried`).
        style: float `(B, F)`; the style that the network is told, or None for what it knows of the singer.
    """

    quantized: Tensor
    sung: Tensor
    mask: Tensor
    rest: Tensor
    start: Tensor
    singer: Tensor
    step: Tensor
    ticks_per_beat: Tensor
    tempo: Tensor
    row: Tensor
    carried: bool = False
    style: Tensor | None = None


# The fields of a batch that are tensors of its rows, and always there.
OF_ROWS = Batch._fields[: Batch._fields.index("carried")]


class Songs:
    """A songs table: a tensor for what a song has one value of, and the notes where the table lies.

    Args:
        table: A validated songs table.
        singers: The `singer_id` that each singer index stands for; None for a singer who has no song here.

    Attributes:
        origins: Where the durations of each row come from.
        carried: Whether the durations are taken as carried values; see `are_carried`.
        guessed: Whether rests are guessed, because the table has no `pitch`.
        scores: Whether the quantized durations are scores that singers need not keep to: other than where a quantizer
            carries its error forward, onsets may lie anywhere. It is false until somebody says so.

    Raises:
        InputError: The table has a singer that is not among `singers`, or durations that are not what they are said to
            be; see `origins`.
    """

    def __init__(self, table: Dataset, singers: Sequence[int | None]) -> None:
        index = {singer_id: i for i, singer_id in enumerate(singers)}
        singer_ids = table["singer_id"]
        unknown = sorted(set(singer_ids) - set(index))
        if unknown:
            raise InputError(f"Singers {unknown} are not known; known are {singers}.")

        def numbers(column: str) -> Tensor:
            known = table[column] if column in table.column_names else [None] * len(table)
            return torch.tensor([float(value or "nan") for value in known])

        self.sung, self.quantized = Notes.of(table, "sung"), Notes.of(table, "quantized")
        self.offsets = torch.from_numpy(self.sung.offsets)
        self.singer = torch.tensor([index[singer_id] for singer_id in singer_ids])
        self.ticks_per_beat, self.tempo = numbers("ticks_per_beat"), numbers("tempo")
        self.scores = False
        rows = np.arange(len(table))
        of_rows = zip(self.quantized.songs(rows), self.ticks_per_beat.tolist(), strict=True)
        steps = [grid_step(song, None if math.isnan(ticks) else ticks) for song, ticks in of_rows]
        self.step = torch.tensor(steps).float()
        self.origins = origins(table)
        self.carried = are_carried(self.origins)
        self.guessed = "pitch" not in table.column_names
        if self.guessed:
            found = (guess_rests(song / step) for song, step in zip(self.quantized.songs(rows), steps, strict=True))
        else:
            found = (pitch == 0 for pitch in Notes.of(table, "pitch").songs(rows))
        # As numbers, since a column of truth values is no view of the file.
        self.rest = Notes(pa.chunked_array([pa.array((rest.astype(np.int8) for rest in found), pa.list_(pa.int8()))]))

    def rests_unclear(self) -> list[int]:
        """Returns the rows whose rests have to be guessed, and whose guess must fail."""
        if not self.guessed:
            return []
        rows = np.arange(len(self.singer))
        songs = zip(rows.tolist(), self.quantized.songs(rows), self.step.tolist(), strict=True)
        return [row for row, song, step in songs if not can_be_guessed(song / step)]

    def performed(self, rows: np.ndarray) -> tuple[Notes, list[int]]:
        """Recovers sung durations from carried values, where the table holds these.

        Returns:
            The durations of all rows; in the given rows, sung durations take the place of carried values. And those of
            the given rows that are not known to have been quantized with their error carried forward.
        """
        fitting = (Origin.QUANTIZER,) if self.carried else (Origin.SINGER, Origin.EITHER)
        wrong = [int(row) for row in rows if self.origins[row] not in fitting]
        if not self.carried:
            return self.sung, wrong
        recovered: dict[int, np.ndarray] = {}
        rows = np.setdiff1d(rows, wrong)
        for some in np.array_split(rows, -(-len(rows) // SONGS_TO_REPAIR)) if len(rows) else ():
            steps = self.step[torch.from_numpy(some)].int().tolist()
            try:
                found = repair(list(self.sung.songs(some)), list(self.quantized.songs(some)), steps).sung
                recovered |= dict(zip(some.tolist(), found, strict=True))
            except InputError:
                for row, step in zip(some.tolist(), steps, strict=True):
                    try:
                        recovered[row] = repair([self.sung.song(row)], [self.quantized.song(row)], [step]).sung[0]
                    except InputError:
                        wrong.append(row)
        every = (recovered[row] if row in recovered else self.sung.song(row) for row in range(len(self.singer)))
        return Notes(pa.chunked_array([pa.array(every, type=pa.list_(pa.int32()))])), sorted(wrong)

    def references(self, rows: np.ndarray, sung: Notes) -> References:
        """Returns these rows as references, with these sung durations of all rows."""
        parts = []
        for row in rows.tolist():
            notes = self.quantized.song(row), sung.song(row), float(self.step[row]), self.rest.song(row) == 1
            parts.append(style_sums(*notes, np.arange(0, len(notes[0]), PART)))
        return References(parts, self.singer[torch.from_numpy(rows)].numpy())

    def lengths(self, rows: Tensor) -> Tensor:
        """Returns the number of notes of each row."""
        return self.offsets[rows + 1] - self.offsets[rows]

    def _behind(self, row: Tensor, first: Tensor) -> Tensor:
        """Returns `Batch.start` of windows; in songs with scores it is known of all windows."""
        before = first - self.offsets[row]
        if not self.scores:
            return torch.where(before == 0, 0.0, torch.nan)
        windows = zip(row.tolist(), before.tolist(), strict=True)
        behind = [float((self.sung.song(i)[:n] - self.quantized.song(i)[:n]).sum()) for i, n in windows]
        return torch.tensor(behind)

    def batch(self, row: Tensor, first: Tensor, count: Tensor, width: int) -> Batch:
        """Returns windows, each of which lies within one song.

        Args:
            row: int64 `(B,)`.
            first: int64 `(B,)`; where each window starts, counted as in `offsets`.
            count: int64 `(B,)`; how many notes each window has, at most `width`.
            width: `T`.
        """
        quantized, sung, rest = (notes.windows(first, count, width) for notes in (self.quantized, self.sung, self.rest))
        return Batch(
            quantized=quantized,
            sung=sung,
            mask=torch.arange(width) < count[:, None],
            rest=rest == 1,
            start=self._behind(row, first),
            singer=self.singer[row],
            step=self.step[row],
            ticks_per_beat=self.ticks_per_beat[row],
            tempo=self.tempo[row],
            row=row,
            carried=self.carried,
        )


def whole_songs(batches: list[Batch], predicted: list[Tensor]) -> tuple[Batch, Tensor]:
    """Puts windows of the same length, row after row, together as whole songs; and what was predicted for them."""
    row = torch.cat([batch.row for batch in batches])
    _, count = torch.unique_consecutive(row, return_counts=True)

    def of_songs(parts: list[Tensor]) -> Tensor:
        windows = torch.cat(parts)
        if windows.ndim == 1:
            return windows[count.cumsum(0) - count]
        songs: tuple[Tensor, ...] = windows.split(count.tolist())  # type: ignore[no-untyped-call]
        return pad_sequence([song.flatten() for song in songs], batch_first=True)

    fields: dict[str, Any] = {name: of_songs([getattr(batch, name) for batch in batches]) for name in OF_ROWS}
    return batches[0]._replace(**fields), of_songs(predicted)
