"""A songs table in a Parquet file."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset

from toy_duration_predictor.data.origin import Durations, declare
from toy_duration_predictor.data.songs import ROWS_AT_ONCE, used, validated
from toy_duration_predictor.errors import InputError, first_line


def parquet(path: Path) -> Dataset:
    """Reads a songs table from a Parquet file. The recipe of `prepare` beside it says what its durations are.

    Raises:
        InputError: There is no such file, or it is not a songs table in Parquet format.
    """
    path = path.expanduser()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"data.path={path} {what}; give the path of a songs table in Parquet format.")
    with _reading(path):
        columns = pq.read_schema(path).names
    table = validated(_parts(path, used(columns)), columns, str(path))
    declare(table, _by_recipe(path, len(table)))
    return table


def _by_recipe(path: Path, songs: int) -> Durations:
    """Returns what durations are by the recipe that `prepare` writes beside a table of so many songs."""
    try:
        done = json.loads(path.with_name(f"{path.name}.json").read_text(encoding="utf-8"))
        if done["songs"] == songs:  # otherwise it was written beside another table
            return "carried" if done["recipe"]["published"] else "sung"
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return "auto"


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"data.path={path} cannot be read as Parquet ({first_line(error)}).") from error


def _parts(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    """Yields the rows of a Parquet file in parts."""
    # With pre-buffering, parts that were read would stay in memory.
    with _reading(path), pq.ParquetFile(path, pre_buffer=False) as file:
        for part in file.iter_batches(ROWS_AT_ONCE, columns=columns):
            yield pa.Table.from_batches([part])
