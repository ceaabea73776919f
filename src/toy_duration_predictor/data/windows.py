"""Songs, and windows of their notes as batches.

Shapes: `B` windows, `T` notes of a window, `F` features of a style.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Sampler

from toy_duration_predictor.data.notes import Notes
from toy_duration_predictor.data.origin import Origin, are_carried, origins
from toy_duration_predictor.data.quantize import grid_step, requantize
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
        singers: The `singer_id` that each singer index stands for.

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

    def __init__(self, table: Dataset, singers: list[int]) -> None:
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
