"""A songs table in a Parquet file."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset

from toy_duration_predictor.data.origin import declare
from toy_duration_predictor.data.schema import Durations
from toy_duration_predictor.data.songs import ROWS_AT_ONCE, used, validated
from toy_duration_predictor.errors import InputError, first_line
from toy_duration_predictor.files import damaged, expanded

# Songs take a quarter of a byte a note at least. A file of so many notes that takes less is made to fill the memory.
ANY_NOTES, NOTES_A_BYTE = 10_000_000, 100


def parquet(path: Path) -> Dataset:
    """Reads a songs table from a Parquet file. The recipe of `prepare` beside it says what its durations are.

    Raises:
        InputError: There is no such file, or it is not a songs table in Parquet format.
    """
    path = expanded(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"{path} {what}; give the path of a songs table in Parquet format.")
    with _reading(path):
        columns = pq.read_schema(path).names
        _refuse_what_unpacks(path)
    recipe = _recipe(path)
    table = validated(_parts(path, used(columns)), columns, str(path))
    declare(table, _by_recipe(recipe, len(table)))
    return table


def _refuse_what_unpacks(path: Path) -> None:
    """Refuses a file that would unpack to far more notes than songs pack into it, before any note is read."""
    footer = pq.read_metadata(path)
    notes: Counter[str] = Counter()
    for group in range(footer.num_row_groups):
        for index in range(footer.num_columns):
            column = footer.row_group(group).column(index)
            notes[column.path_in_schema] += column.num_values
    most, size = max(notes.values(), default=0), path.stat().st_size
    if most > max(ANY_NOTES, NOTES_A_BYTE * size):
        raise InputError(
            f"{path}: {size:,} bytes would unpack to {most:,} notes, and songs fit no more than "
            f"{NOTES_A_BYTE} into a byte; it is no table of songs."
        )


def _recipe(path: Path) -> Any:
    """Returns what `prepare` writes beside a table, if it is there; the table must have its checksum."""
    beside = path.with_name(f"{path.name}.json")
    try:
        done = json.loads(beside.read_text(encoding="utf-8"))
        wrong = damaged(beside, done, path) if isinstance(done, dict) else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        reason = first_line(error)
        raise InputError(f"{beside} cannot be read ({reason}); prepare the table again, or delete it.") from error
    if wrong:
        raise InputError(
            f"{path}: {wrong.name} is damaged or was changed after `tdp prepare`; prepare the table again, "
            f"or delete {beside.name} to use the table as it is."
        )
    return done


def _by_recipe(done: Any, songs: int) -> Durations:
    """Returns what durations are by what `prepare` wrote beside a table of so many songs."""
    try:
        if done["songs"] == songs:  # otherwise it was written beside another table
            return "carried" if done["recipe"]["published"] else "sung"
    except (KeyError, TypeError):
        pass
    return "auto"


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as Parquet ({first_line(error)}).") from error


def _parts(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    """Yields the rows of a Parquet file in parts."""
    # With pre-buffering, parts that were read would stay in memory.
    with _reading(path), pq.ParquetFile(path, pre_buffer=False) as file:
        for part in file.iter_batches(ROWS_AT_ONCE, columns=columns):
            yield pa.Table.from_batches([part])
