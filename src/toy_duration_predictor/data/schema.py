"""What a songs table holds: a row a performance, durations in MIDI ticks.

| column | type | |
| --- | --- | --- |
| `singer_id` | int | required |
| `durations` | list of int >= 0 | required; the sung durations, ticks |
| `quantized_durations` | list of int >= 0 | required; the score's durations, ticks, as many as `durations` |
| `song_id` | str | optional; the same for two performances of one song |
| `ticks_per_beat` | int > 0 | optional; the file's resolution |
| `tempo` | int > 0 | optional; microseconds per beat |
| `pitch` | list of int 0..127 | optional; MIDI note numbers, 0 is a rest, as many as `durations` |
| `singer_name` | str | optional; the name of the singer whose number `singer_id` is |

A null in `song_id`, `ticks_per_beat`, `tempo` or `singer_name` means that the row's value is not known.

The names of the columns are published. The code says `sung` for `durations` and `quantized` for `quantized_durations`.
This is the one place that translates.
"""

from typing import Literal

import pyarrow as pa

SUNG_COLUMN, QUANTIZED_COLUMN = "durations", "quantized_durations"
NAME_COLUMN = "singer_name"
REQUIRED = ("singer_id", SUNG_COLUMN, QUANTIZED_COLUMN)
OPTIONAL = ("song_id", "ticks_per_beat", "tempo", "pitch", NAME_COLUMN)
# Columns that are not kept as int64, and the type in which they are kept.
LIST = pa.list_(pa.int32())
TYPES = {
    "song_id": pa.string(),
    NAME_COLUMN: pa.string(),
    SUNG_COLUMN: LIST,
    QUANTIZED_COLUMN: LIST,
    "pitch": LIST,
}

# Ticks per beat of the files that models learn from.
RESOLUTIONS = (120, 480, 960)

# What a table's durations are said to be; `auto` is not said.
Durations = Literal["auto", "sung", "carried"]

# The longest duration, in ticks. Networks compute in float32, which holds every integer up to here exactly.
LONGEST = 2**24


def column(name: str) -> str:
    """Returns the table's name of the column that the code calls `sung` or `quantized`; other names stay."""
    return {"sung": SUNG_COLUMN, "quantized": QUANTIZED_COLUMN}.get(name, name)
