"""A songs table checked against its schema, kept in little memory, and its fingerprint."""

import hashlib
import logging
import mmap
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset
from datasets.fingerprint import generate_random_fingerprint

from toy_duration_predictor.data.notes import Notes
from toy_duration_predictor.data.schema import LIST, LONGEST, NAME_COLUMN, OPTIONAL, REQUIRED, SUNG_COLUMN, TYPES
from toy_duration_predictor.data.singer_names import NamesSeen
from toy_duration_predictor.errors import InputError

# Rows that are checked, and kept, at a time.
ROWS_AT_ONCE = 1000

log = logging.getLogger(__name__)


def validate_songs(table: Dataset, name: str = "songs table") -> Dataset:
    """Checks a table against the schema (`data.schema`) and returns it with the schema's columns only.

    Args:
        table: The table to check.
        name: What error messages call it, such as its file.

    Returns:
        The rows in the same order, as `validated` keeps them.

    Raises:
        InputError: A column is missing or of the wrong type, or a row breaks the schema; the message gives the
            row (counted from 0), the column and the reason.
    """
    kept = used(table.column_names)
    batches = table.select_columns(kept).with_format("arrow").iter(ROWS_AT_ONCE) if kept else ()
    return validated(batches, table.column_names, name)


def used(columns: list[str]) -> list[str]:
    """Returns the schema's columns among a table's columns, in the table's order."""
    return [column for column in columns if column in REQUIRED + OPTIONAL]


def validated(batches: Iterable[pa.Table], columns: list[str], name: str) -> Dataset:
    """Checks a table that comes in parts, and keeps it in a temporary file that is mapped into memory.

    So a table takes little memory, however long it is. The file is gone when nobody reads it any more. Where temporary
    files are themselves kept in memory, TMPDIR can name a folder on a disk.

    Args:
        batches: The rows, with the schema's columns at least.
        columns: The names of all columns that the table has.
        name: What error messages call the table.

    Returns:
        The schema's columns; notes are int32, other integers int64. Other columns are left out, and named in the log.

    Raises:
        InputError: As for `validate_songs`; or there is no room for the file.
    """
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        raise InputError(
            f"{name}: column '{missing[0]}' is missing; a songs table has {', '.join(REQUIRED)} "
            f"(this one has {', '.join(columns) or 'no columns'})."
        )
    kept = used(columns)
    if twice := [column for column in kept if kept.count(column) > 1]:
        raise InputError(f"{name}: {len(twice)} columns are called '{twice[0]}'; leave one.")
    unused = [column for column in columns if column not in kept]
    if unused:
        log.info("%s: columns not used: %s", name, ", ".join(unused))
    schema = pa.schema([(column, TYPES.get(column, pa.int64())) for column in kept])
    rows, names = 0, NamesSeen(name)
    with _temporary_file(name) as file, pa.ipc.new_stream(file, schema) as writer:
        for batch in _read(batches, name):
            checked = {column: _checked(batch, column, name, rows) for column in kept}
            if NAME_COLUMN in checked:
                checked[NAME_COLUMN] = names.checked(checked["singer_id"], checked[NAME_COLUMN], rows)
            writer.write_table(pa.table(checked, schema=schema))
            rows += len(batch)
        if not rows:
            raise InputError(f"{name}: the table has no rows; give one with at least one song.")
        writer.close()
        file.flush()
        # The mapping outlives the file, which has no name and is deleted when the table is.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    # For a fingerprint of the contents, `datasets` would read all of them now, into memory.
    return Dataset(pa.ipc.open_stream(pa.py_buffer(mapped)).read_all(), fingerprint=generate_random_fingerprint())


def _read(batches: Iterable[pa.Table], name: str) -> Iterator[pa.Table]:
    try:
        yield from batches
    except OSError as error:
        raise InputError(f"{name}: the table cannot be read ({error.strerror or error}).") from error


@contextmanager
def _temporary_file(name: str) -> Iterator[IO[bytes]]:
    """Opens a file without a name on the disk, for a table that error messages call `name`."""
    try:
        with tempfile.TemporaryFile() as file:
            yield file
    except OSError as error:
        raise InputError(
            f"{name}: the table cannot be kept among temporary files ({error.strerror or error}); "
            "name a folder with room for them in the variable TMPDIR."
        ) from error


def fingerprint(table: Dataset) -> str:
    """Returns 16 hexadecimal digits that follow from the contents of a validated table alone."""
    digest = hashlib.sha256()
    for column in sorted(table.column_names):
        digest.update(column.encode())
        if TYPES.get(column) == LIST:
            notes = Notes.of(table, column)
            digest.update(notes.offsets.tobytes())
            # As int64, so that the digits do not depend on the type that notes are kept in.
            for chunk in notes.chunks:
                digest.update(chunk.astype(np.int64).tobytes())
        else:
            digest.update("\0".join(map(str, table[column][:])).encode())
    return digest.hexdigest()[:16]


def ragged(table: Dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads a list column, such as `sung`, `quantized` or `pitch`, as one array.

    Returns:
        The notes of all rows one after the other, int64 `(notes,)`; and where each row starts and the last row ends,
        int64 `(rows + 1,)`.
    """
    notes = Notes.of(table, name)
    return np.concatenate([np.zeros(0, np.int64), *notes.chunks], dtype=np.int64), notes.offsets


def _checked(rows: pa.Table, column: str, name: str, first: int) -> pa.Array:
    """Returns one column in the schema's type, or raises with the first row that breaks the schema.

    Args:
        rows: Some of the table's rows.
        column: The column's name.
        name: What error messages call the table.
        first: The number of the first of these rows in the table.
    """
    values = rows[column].combine_chunks()

    def refuse(bad: np.ndarray, reason: Callable[[int], str]) -> None:
        """Raises for the first row where `bad` holds."""
        if bad.any():
            row = int(bad.argmax())
            raise InputError(f"{name}: row {first + row}, column '{column}': {reason(row)}.")

    def refuse_type(wanted: str) -> None:
        raise InputError(f"{name}: column '{column}' must hold {wanted}, but holds {values.type}.")

    if TYPES.get(column) == pa.string():
        if not (
            pa.types.is_string(values.type) or pa.types.is_large_string(values.type) or pa.types.is_null(values.type)
        ):
            refuse_type("strings")
        return values.cast(pa.string())

    if column in ("singer_id", "ticks_per_beat", "tempo"):
        if not pa.types.is_integer(values.type) and (column == "singer_id" or not pa.types.is_null(values.type)):
            refuse_type("integers")
        if column == "singer_id":
            refuse(_null(values), lambda _: "is null; every song needs its singer")
        else:
            # A number that is not known is no mistake, so 1 stands for it here.
            numbers = pc.fill_null(values.cast(pa.int64()), 1).to_numpy(zero_copy_only=False)
            refuse(numbers <= 0, lambda row: f"is {numbers[row]}, and must be above 0")
        return values.cast(pa.int64())

    lists = pa.types.is_list(values.type) or pa.types.is_large_list(values.type)
    if not lists or not pa.types.is_integer(values.type.value_type):
        refuse_type("lists of integers")
    refuse(_null(values), lambda _: "is null; leave out the row, or fill it in")
    lengths = pc.list_value_length(values).to_numpy(zero_copy_only=False)
    refuse(lengths == 0, lambda _: "is empty; leave out songs without notes")
    wanted = pc.list_value_length(rows[SUNG_COLUMN].combine_chunks()).fill_null(0).to_numpy(zero_copy_only=False)
    refuse(lengths != wanted, lambda r: f"has {lengths[r]} notes where '{SUNG_COLUMN}' has {wanted[r]}")

    notes = values.flatten()
    row_of = np.repeat(np.arange(len(lengths)), lengths)
    largest = 127 if column == "pitch" else LONGEST
    numbers = pc.fill_null(notes.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
    wrong = _null(notes) | (numbers < 0) | (numbers > largest)
    if wrong.any():
        note = int(wrong.argmax())
        row = int(row_of[note])
        position = note - int(np.searchsorted(row_of, row))
        shown = "null" if not notes[note].is_valid else str(numbers[note])
        raise InputError(
            f"{name}: row {first + row}, column '{column}': note {position} is {shown}, "
            f"and must be an integer from 0 to {largest}."
        )
    return pa.ListArray.from_arrays(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32), numbers.astype(np.int32)
    )


def _null(values: pa.Array) -> np.ndarray:
    nulls: np.ndarray = values.is_null().to_numpy(zero_copy_only=False)
    return nulls
