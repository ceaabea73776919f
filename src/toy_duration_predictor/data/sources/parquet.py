"""A songs table in a Parquet file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset

from toy_duration_predictor.data.songs import ROWS_AT_ONCE, used, validated
from toy_duration_predictor.errors import InputError, first_line


def parquet(path: Path) -> Dataset:
    """Reads a songs table from a Parquet file.

    Raises:
        InputError: There is no such file, or it is not a songs table in Parquet format.
    """
    path = path.expanduser()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"data.path={path} {what}; give the path of a songs table in Parquet format.")
    with _reading(path):
        columns = pq.read_schema(path).names
    return validated(_parts(path, used(columns)), columns, str(path))


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
