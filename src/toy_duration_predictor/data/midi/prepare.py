"""A folder of MIDI files to a songs table, on all cores, in memory that does not grow with the folder.

The folder is read in parts. Until the table is written, every part is a file beside it, with a `.json` file of what was
done and of checksums. So interrupted work goes on where it stopped, and a part whose files have not changed is not read
again.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import pyarrow as pa
import pyarrow.parquet as pq

from toy_duration_predictor.data.midi.engines import ENGINES, Part, usable_cores
from toy_duration_predictor.data.midi.naming import Naming, choose_naming
from toy_duration_predictor.data.midi.recipe import Found, Recipe, read_row, validate_recipe
from toy_duration_predictor.data.midi.smf import SUFFIXES
from toy_duration_predictor.data.schema import NAME_COLUMN, QUANTIZED_COLUMN, SUNG_COLUMN
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.files import (
    LOCK,
    alone,
    clear,
    damaged,
    passed_over,
    sealed,
    unsealed,
    write,
    write_text,
)

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


class Summary(NamedTuple):
    """What a preparation did.

    Attributes:
        files: MIDI files in the folder.
        read: How many files were read this time.
        songs: Rows of the table.
        notes: Notes and rests in the table.
        refused: The files that cannot be used, with the reason.
        mended: How often untidy voices were mended, by what was found; see `data.midi.voice`.
        voices: In how many files the voice was taken for what reason; see `data.midi.voices`.
        remarks: How many files are not as the format has it, and were read, by what was found; see `data.midi.smf`.
        passed_over: How many files in the folder are no MIDI files by their names, by the ends of these.
        singers: Who was taken for the singers, in words; nothing where the names of the files give their numbers.
    """

    files: int
    read: int
    songs: int
    notes: int
    refused: dict[str, str]
    mended: dict[str, int]
    voices: dict[str, int]
    remarks: dict[str, int]
    passed_over: dict[str, int]
    singers: str


def prepare(
    folder: str | Path,
    out: str | Path,
    recipe: Recipe = Recipe(),  # noqa: B008
    names: str | None = None,
    strict: bool = False,
    jobs: int | None = None,
    engine: str = "local",
    keep_parts: bool = False,
    progress: Callable[[Iterable[Any], int], Iterable[Any]] = lambda parts, _: parts,
    singer: str | None = None,
) -> Summary:
    """Makes a songs table of all MIDI files below a folder, in the order of their paths; see `smf.SUFFIXES`.

    Beside the table, `OUT.json` says what was done, and names the files that cannot be used and were left out. Of two
    processes that make the same table one waits for the other.

    Args:
        folder: Where the files are.
        out: The table, in Parquet format.
        recipe: How a performance becomes a row.
        names: What file names say; see `choose_naming`.
        strict: Whether a file that cannot be used ends the work.
        jobs: Processes; None is as many as this process may use cores.
        engine: `local` processes, or `ray`: Ray Data, on this machine or on the cluster that RAY_ADDRESS names. The
            cluster's machines must see the folder of the files and the folder of the table.
        keep_parts: Whether the parts are kept, so that the next preparation reads only parts that have changed.
        progress: Wraps the parts that are read; the second argument is their number.
        singer: The singer of all files. Without `singer` and `names`, the names of the files say who sings, or their
            folders; see `choose_naming`.

    Raises:
        InputError: The folder or the pattern cannot be used; nothing tells who sings; no file can be used; or a file
            cannot be used and `strict` is given.
    """
    folder, out = Path(folder), Path(out)
    if not out.name or out.is_dir():
        raise InputError(f"The table's name '{out}' is that of a folder; give a file's, such as songs.parquet.")
    if engine not in ENGINES:
        raise InputError(f"engine={engine}: there is no such engine; known: {', '.join(ENGINES)}")
    validate_recipe(recipe)
    files = find_files(folder)
    naming = choose_naming(files, singer, names)
    with _store(out) as store:
        # Parts with another summary were written by other code; they have another name, so they are not read.
        made_by = (recipe, naming, version("toy-duration-predictor"), folder.resolve(), Summary._fields)
        parts = _parts(files, store, made_by)
        done = {path: _what_was_done(path) for path in parts}
        # A strict preparation reads refused files again, to end at the first of them.
        new = [(path, parts[path]) for path, known in done.items() if known is None or (strict and known["refused"])]
        work = partial(_read_part, folder=folder, recipe=recipe, naming=naming, strict=strict)
        for failure in progress(ENGINES[engine](work, new, jobs or usable_cores()), len(new)):
            if failure:
                raise InputError(failure)
        done |= {path: _what_was_done(path) for path, _ in new}
        if None in done.values():
            raise InputError(f"{store} cannot be read; look at its disk, and give the command again.")

        refused = {file: reason for part in done.values() for file, reason in part["refused"].items()}
        if len(refused) == len(files):
            clear(store)
            file, reason = next(iter(refused.items()))
            raise InputError(f"None of {len(files)} files can be used; the first is {file}: {reason}.")
        write(out, partial(_write_table, parts, NAMED_SCHEMA if naming.numbers else SCHEMA))
        summary = Summary(
            files=len(files),
            read=sum(len(some) for _, some in new),
            songs=len(files) - len(refused),
            notes=sum(part["notes"] for part in done.values()),
            refused=refused,
            **{
                counted: dict(sum((Counter(part[counted]) for part in done.values()), Counter()))
                for counted in Found._fields
            },
            passed_over=passed_over(folder, SUFFIXES),
            singers=naming.in_words(file for file in files if file not in refused),
        )
        _write_sidecar(out, folder, recipe, naming, summary)
        if keep_parts:
            for path in set(store.glob("*.*")) - {store / LOCK, *parts, *map(_beside, parts)}:
                path.unlink(missing_ok=True)
        else:
            clear(store)
        return summary


@contextmanager
def _store(out: Path) -> Iterator[Path]:
    """Gives one process at a time the folder of a table's parts, and removes it where nothing is left in it."""
    store = out.with_name(f".{out.name}.parts")
    try:
        with alone(store, lambda: log.warning("Another process is making %s: waiting for its end.", out)):
            yield store
    finally:
        with suppress(OSError):
            store.rmdir()


def find_files(folder: Path) -> dict[str, str]:
    """Returns the MIDI files below a folder: sorted paths within the folder, with sizes and times of change.

    Raises:
        InputError: There is no such folder, or it has no MIDI files.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give one with MIDI files.")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise InputError(f"{folder} has no {', '.join(SUFFIXES)} files.")
    for path in paths:
        try:
            path.as_posix().encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"The name {path.as_posix()!r} is not in UTF-8; rename the file, or set PYTHONUTF8=1."
            ) from error
    stats = ((path, path.stat()) for path in paths)
    return {path.relative_to(folder).as_posix(): f"{stat.st_size}-{stat.st_mtime_ns}" for path, stat in stats}


def _parts(files: dict[str, str], store: Path, made_by: Any) -> dict[Path, list[str]]:
    """Splits files into parts. A part's path in the store follows from everything that its rows follow from."""
    signed = list(files.items())
    # Whether a part ends with a file follows from the file's name alone. So one file more or less changes one part, and
    # not all parts after it.
    ends = {i for i, file in enumerate(files, 1) if crc32(file.encode()) % FILES_A_PART == 0}
    parts = {}
    for begin, end in pairwise(sorted({0, *ends, len(files)})):
        digest = hashlib.sha256(repr((made_by, signed[begin:end])).encode()).hexdigest()
        parts[store / f"{digest[:32]}.parquet"] = [file for file, _ in signed[begin:end]]
    return parts


def _read_part(part: Part, folder: Path, recipe: Recipe, naming: Naming, strict: bool) -> str:
    """Writes the rows of a part, and beside them `notes`, `refused` and the counts of a `Summary`.

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


def _what_was_done(path: Path) -> Any:
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


def _beside(part: Path) -> Path:
    return part.with_suffix(".json")


def _write_table(parts: Iterable[Path], schema: pa.Schema, path: Path) -> None:
    with pq.ParquetWriter(path, schema) as writer:
        for part in parts:
            rows = pq.read_table(part)
            if len(rows):
                writer.write_table(rows.cast(schema))


def _write_sidecar(out: Path, folder: Path, recipe: Recipe, naming: Naming, summary: Summary) -> None:
    done = {
        "folder": str(folder),
        "recipe": {**recipe._asdict(), "shortest_rest": str(recipe.shortest_rest)},
        "names": naming.names,
        "version": version("toy-duration-predictor"),
        **summary._asdict(),
    }
    del done["read"]  # the table does not depend on it
    write_text(out.with_name(f"{out.name}.json"), json.dumps(sealed(done, out), indent=2, ensure_ascii=False) + "\n")
