"""The parts of a preparation: files beside the table that is being made, with the rows of some MIDI files each.

A `.json` file beside each part says what was done, and has checksums. So interrupted work goes on where it stopped, and
a part whose MIDI files have not changed is not read again.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any
from zlib import crc32

import pyarrow as pa
import pyarrow.parquet as pq

from toy_duration_predictor.data.midi.engines import Part
from toy_duration_predictor.data.midi.naming import Naming
from toy_duration_predictor.data.midi.recipe import Found, Recipe, read_row
from toy_duration_predictor.data.schema import NAME_COLUMN, QUANTIZED_COLUMN, SUNG_COLUMN
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.files import LOCK, alone, damaged, sealed, unsealed, write, write_text

log = logging.getLogger(__name__)

# Files of a part, on average. All of them are read again when one of them has changed.
FILES_A_PART = 100

SCHEMA = pa.schema(
    [("song_id", pa.string())]
    + [(name, pa.int64()) for name in ("singer_id", "ticks_per_beat", "tempo")]
    + [(name, pa.list_(pa.int64())) for name in ("pitch", SUNG_COLUMN, QUANTIZED_COLUMN)]
)
# A table in which no singer has a name has no column for names.
NAMED_SCHEMA = SCHEMA.append(pa.field(NAME_COLUMN, pa.string()))


@contextmanager
def store_of(out: Path) -> Iterator[Path]:
    """Gives one process at a time the folder of a table's parts, and removes it where nothing is left in it."""
    store = out.with_name(f".{out.name}.parts")
    try:
        with alone(store, lambda: log.warning("Another process is making %s: waiting for its end.", out)):
            yield store
    finally:
        with suppress(OSError):
            store.rmdir()


def split_into_parts(files: dict[str, str], store: Path, made_by: Any) -> dict[Path, list[str]]:
    """Splits files into parts. A part's path in the store follows from everything that its rows follow from.

    Args:
        files: Paths of MIDI files, with what changes when a file does.
        store: The folder of the parts.
        made_by: What else the rows follow from, but for the code.
    """
    signed, made_by = list(files.items()), (made_by, _code_digest())
    # Whether a part ends with a file follows from the file's name alone. So one file more or less changes one part, and
    # not all parts after it.
    ends = {i for i, file in enumerate(files, 1) if crc32(file.encode()) % FILES_A_PART == 0}
    parts = {}
    for begin, end in pairwise(sorted({0, *ends, len(files)})):
        digest = hashlib.sha256(repr((made_by, signed[begin:end])).encode()).hexdigest()
        parts[store / f"{digest[:32]}.parquet"] = [file for file, _ in signed[begin:end]]
    return parts


@cache
def _code_digest() -> str:
    """Returns a digest of the code that rows follow from, so that parts that other code has written are not read."""
    sources = sorted(Path(__file__).parents[1].rglob("*.py"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources if path.is_file()))
    return f"{version('midii')} {digest.hexdigest()}"


def read_part(part: Part, folder: Path, recipe: Recipe, naming: Naming, strict: bool) -> str:
    """Writes the rows of a part, and beside them `notes`, `refused` and the counts of `Found`.

    This is the work of a process, whichever engine starts it.

    Returns:
        Why the part cannot be written, or nothing. An error that is raised would bring the process's traceback with it.
    """
    path, files = part
    rows, refused = [], {}
    counts = {counted: Counter[str]() for counted in Found._fields}
    for file in files:
        try:
            identity = naming.row(file)
            row, of_file = read_row(folder / file, recipe)
        except (InputError, OSError) as error:
            refused[file] = str(error).rstrip(".")
            if strict:
                return f"{folder / file}: {refused[file]}."
        else:
            rows.append({**identity, **row})
            for counted, of in of_file._asdict().items():
                counts[counted].update(of)
    done = {"notes": sum(len(row["pitch"]) for row in rows), "refused": refused, **counts}
    table = pa.Table.from_pylist(rows, NAMED_SCHEMA if naming.numbers else SCHEMA)
    try:
        write(path, partial(pq.write_table, table))
        write_text(_beside(path), json.dumps(sealed(done, path)))
    except InputError as error:
        return str(error)
    return ""


def what_was_done(path: Path) -> Any:
    """Returns what is written beside a part; None if it has not been written, or is damaged."""
    try:
        done = json.loads(_beside(path).read_bytes())
        if unsealed(done) != done and not damaged(_beside(path), done, path):
            return done
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, RecursionError):  # it is no JSON, or no dictionary
        pass
    log.warning("%s is damaged, and is made again.", path)
    return None


def write_table(parts: Iterable[Path], schema: pa.Schema, path: Path) -> None:
    """Writes the rows of all parts, in their order."""
    with pq.ParquetWriter(path, schema) as writer:
        for part in parts:
            rows = pq.read_table(part)
            if len(rows):
                writer.write_table(rows.cast(schema))


def remove_others(store: Path, parts: Iterable[Path]) -> None:
    """Removes the parts of earlier preparations."""
    kept = {store / LOCK, *(file for part in parts for file in (part, _beside(part)))}
    for path in set(store.glob("*.*")) - kept:
        path.unlink(missing_ok=True)


def _beside(part: Path) -> Path:
    return part.with_suffix(".json")
