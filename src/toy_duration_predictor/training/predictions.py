"""What a trained model says of test songs: its predictions, as a table and window by window.

`predictions.parquet` and the predictions of baselines have one format, a row a test song:

| column | |
| --- | --- |
| `row` | the song's row in its songs table |
| `singer_id` | as in the songs table |
| `quantized` | list of quantized durations, ticks |
| `sung` | list of sung durations, ticks |
| `predicted` | list of predicted durations, ticks |
| `rest` | list of truth values: which durations are rests |
| `ticks_per_beat`, `tempo` | as in the songs table; null where not known |
| `singer_name` | as in the songs table, if it has this column |
| `carried` | whether durations are carried values (see `data.quantize.carried`), whose running totals are no onsets |

Shapes: `S` songs, `B` windows, `T` notes of a window.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from torch import Tensor

from toy_duration_predictor.data.batches import Batch, Songs
from toy_duration_predictor.data.datamodule import SONGS_A_BATCH
from toy_duration_predictor.data.schema import NAME_COLUMN
from toy_duration_predictor.data.songs import ragged
from toy_duration_predictor.data.windows import Windows

if TYPE_CHECKING:
    from toy_duration_predictor.training.task import DurationTask

BATCH_SIZE = 2048

_TICKS = pa.list_(pa.int64())
SCHEMA = pa.schema(
    {
        "row": pa.int64(),
        "singer_id": pa.int64(),
        "quantized": _TICKS,
        "sung": _TICKS,
        "predicted": pa.list_(pa.float32()),
        "rest": pa.list_(pa.bool_()),
        "ticks_per_beat": pa.int64(),
        "tempo": pa.int64(),
        "carried": pa.bool_(),
    }
)


def predictions_table(table: Dataset, rows: Iterable[int], predicted: np.ndarray) -> pa.Table:
    """Puts predictions beside what was sung, in the format above.

    Args:
        table: The songs table.
        rows: The predicted songs, in the order of `predicted`.
        predicted: float `(notes,)`, ticks; the notes of all these songs, one after the other.
    """
    return with_predictions(tested_songs(table, rows), predicted)


def with_predictions(songs: pa.Table, predicted: np.ndarray) -> pa.Table:
    """Puts predictions into a table of `tested_songs`; `predicted` is as of `predictions_table`."""
    lists = pa.ListArray.from_arrays(songs["sung"].chunk(0).offsets, predicted)
    return songs.add_column(SCHEMA.get_field_index("predicted"), "predicted", lists)


def tested_songs(table: Dataset, rows: Iterable[int]) -> pa.Table:
    """Returns some rows of a songs table in the format above, without predictions."""
    rows = [int(row) for row in rows]
    songs = table.select(rows)
    known = Songs(songs, sorted(set(songs["singer_id"])))
    rest = np.concatenate([known.rest.song(row) == 1 for row in range(len(rows))])
    sung, offsets = ragged(songs, "sung")
    quantized, _ = ragged(songs, "quantized")

    def lists(notes: np.ndarray) -> pa.ListArray:
        return pa.ListArray.from_arrays(offsets.astype(np.int32), notes)

    return pa.table(
        {
            "row": pa.array(rows, pa.int64()),
            "singer_id": pa.array(songs["singer_id"][:], pa.int64()),
            "quantized": lists(quantized),
            "sung": lists(sung),
            "rest": lists(rest),
            **{
                name: pa.array(songs[name][:] if name in songs.column_names else [None] * len(rows), pa.int64())
                for name in ("ticks_per_beat", "tempo")
            },
            "carried": pa.array([known.carried] * len(rows)),
            **(
                {NAME_COLUMN: pa.array(songs[NAME_COLUMN][:], pa.string())} if NAME_COLUMN in songs.column_names else {}
            ),
        }
    )


@torch.no_grad()
def predict_songs(
    task: "DurationTask",
    table: Dataset,
    rows: np.ndarray,
    *,
    ask: Callable[[Batch], Any] | None = None,
    singer: np.ndarray | None = None,
    style: np.ndarray | None = None,
    context: int | None = None,
    batch_size: int = BATCH_SIZE,
) -> Iterator[tuple[Batch, Any]]:
    """Asks a trained model about whole test songs.

    Args:
        task: The trained model.
        table: The songs table that it was trained on.
        rows: The songs, int64 `(S,)`.
        ask: What is asked of a batch; the predicted durations `(B, T)`, ticks, if None.
        singer: The singer index that the model is told for each song, int64 `(S,)`; the song's own if None.
        style: The style that the model is told for each song, float32 `(S, F)`; what it knows of the singer if None.
        context: Notes and rests that the model sees on either side of the one that it predicts; if None, it sees whole
            songs, or the windows of a training with `loss=published`.
        batch_size: Windows of context at a time. It changes no number but by rounding.

    Yields:
        Batches, song after song, each with what the model says. `row` counts in `rows`. `mask` is true where a note
        has its prediction: once for each note of each song.
    """
    task = task.eval()
    songs = Songs(table.select(rows.tolist()), task.singers)
    if context is None:
        windows = Windows(songs, torch.arange(len(rows)), task.test_window)
        in_order = windows.in_order(batch_size if task.test_window else SONGS_A_BATCH)
        batches: Iterator[tuple[Batch, Tensor]] = ((batch, batch.mask) for batch in in_order)
    else:
        batches = _windows_round_each_note(songs, context, batch_size)
    for batch, predicted in batches:
        if singer is not None:
            batch = batch._replace(singer=torch.from_numpy(singer)[batch.row])
        if style is not None:
            batch = batch._replace(style=torch.from_numpy(style)[batch.row])
        yield batch._replace(mask=predicted), task(batch) if ask is None else ask(batch)


def _windows_round_each_note(songs: Songs, context: int, batch_size: int) -> Iterator[tuple[Batch, Tensor]]:
    """Yields a window for each note of each song, and which note of it that is, bool `(B, T)`."""
    width = 2 * context + 1
    for song in range(len(songs.singer)):
        start, end = int(songs.offsets[song]), int(songs.offsets[song + 1])
        for first in range(start, end, batch_size):
            note = torch.arange(first, min(first + batch_size, end))
            # A window at the song's edge is shorter: it does not reach into the next song.
            left = (note - context).clamp(min=start)
            count = (note + context).clamp(max=end - 1) - left + 1
            batch = songs.batch(torch.full((len(note),), song), left, count, width)
            yield batch, torch.arange(width) == (note - left)[:, None]
