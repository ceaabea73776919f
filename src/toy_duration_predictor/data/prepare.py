"""A folder of MIDI files to a songs table, on all cores, in memory that does not grow with the folder.

Rows go to a store, an SQLite file, as they are made. So interrupted work goes on where it stopped, and files that have
not changed since are not read again.
"""

import json
import multiprocessing
import os
import re
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import closing
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toy_duration_predictor.data.files import write, write_text
from toy_duration_predictor.data.midi import read_voice
from toy_duration_predictor.data.recipe import Recipe, check, song
from toy_duration_predictor.data.smf import LARGEST_FILE, parse
from toy_duration_predictor.errors import InputError

# File names of two corpora: ba_05688_-4_a_s02_m_02.mid and SINGER_16_10TO29_CLEAR_FEMALE_BALLAD_C0632.mid.
NAMES = r"[a-z]+_(?P<song>\d+)_(?:.*_)?s(?P<singer>\d+)_.*|SINGER_(?P<singer_>\d+)_.*_(?P<song_>[A-Z]+\d+)"

# Files that a process reads before it hands their rows over, and rows that are written at a time.
FILES_AT_ONCE, ROWS_AT_ONCE = 50, 1000
# Below this many files, starting processes takes longer than reading.
FILES_WORTH_PROCESSES = 400

SCHEMA = pa.schema(
    [
        ("song_id", pa.string()),
        ("singer_id", pa.int64()),
        ("ticks_per_beat", pa.int64()),
        ("tempo", pa.int64()),
        ("pitch", pa.list_(pa.int64())),
        ("durations", pa.list_(pa.int64())),
        ("quantized_durations", pa.list_(pa.int64())),
    ]
)
LISTS = ("pitch", "durations", "quantized_durations")


class Read(NamedTuple):
    """What became of a file: a row of the store. A list is the bytes of an int32 array.

    Attributes:
        file: Path within the folder.
        signature: Size and time of change.
        refused: Why it cannot be used; None for a song, and then the rest is known.
        repairs: JSON; see `Voice.repairs`.
    """

    file: str
    signature: str
    refused: str | None
    repairs: str = "{}"
    song_id: str | None = None
    singer_id: int | None = None
    ticks_per_beat: int | None = None
    tempo: int | None = None
    pitch: bytes | None = None
    durations: bytes | None = None
    quantized_durations: bytes | None = None


class Summary(NamedTuple):
    """What a preparation did.

    Attributes:
        files: MIDI files in the folder.
        read: How many of them were read this time.
        songs: Rows of the table.
        notes: Durations in it.
        refused: Why each file that is not in it cannot be used.
        repairs: How often each kind of untidiness was met; see `data.midi`.
    """

    files: int
    read: int
    songs: int
    notes: int
    refused: dict[str, str]
    repairs: dict[str, int]


def read_files(files: list[tuple[str, str]], folder: str, recipe: Recipe, names: str) -> list[Read]:
    """Reads some files; this is what each process does, whoever starts it.

    Args:
        files: Paths within the folder, and signatures.
        folder: Where they are.
        recipe: How a performance becomes a row.
        names: A regular expression for file names without their ending; see `prepare`.
    """
    return [_read_file(file, signature, folder, recipe, names) for file, signature in files]


def _read_file(file: str, signature: str, folder: str, recipe: Recipe, names: str) -> Read:
    try:
        path = Path(folder, file)
        song_id, singer_id = song_and_singer(path.stem, names)
        if path.stat().st_size > LARGEST_FILE:
            raise InputError(f"it is larger than {LARGEST_FILE >> 20} MiB")
        voice = read_voice(parse(path.read_bytes()), recipe.track)
        row = song(voice, recipe)
    except (InputError, OSError) as error:
        return Read(file, signature, refused=str(error).rstrip("."))
    lists = {name: row.pop(name).astype(np.int32).tobytes() for name in LISTS}
    return Read(file, signature, None, json.dumps(voice.repairs), song_id, singer_id, **row, **lists)


def song_and_singer(name: str, names: str) -> tuple[str, int]:
    """Returns the song and the singer that a file name, without its ending, stands for.

    Raises:
        InputError: The name does not fit the pattern.
    """
    match = re.fullmatch(names, name)
    groups = {key.rstrip("_"): value for key, value in match.groupdict().items() if value} if match else {}
    if not groups.get("singer", "").isdecimal() or len(groups["singer"]) > 18:
        raise InputError(f"its name does not say the singer's number by the pattern {names}")
    return groups.get("song", name), int(groups["singer"])


def prepare(
    folder: str | Path,
    out: str | Path,
    recipe: Recipe = Recipe(),  # noqa: B008
    names: str = NAMES,
    strict: bool = False,
    jobs: int | None = None,
    engine: str = "local",
    keep_store: bool = False,
    progress: Callable[[Iterable[Any], int], Iterable[Any]] = lambda batches, _: batches,
) -> Summary:
    """Makes a songs table of all `.mid` and `.midi` files below a folder, in the order of their paths.

    Beside the table, `OUT.json` says what was done. Files that cannot be used are left out, and named there.

    Args:
        folder: Where the files are.
        out: The table, in Parquet format.
        recipe: How a performance becomes a row.
        names: A regular expression for file names without their ending, with a group `singer` (a number) and, if names
            tell the songs apart, a group `song`; otherwise every file is a song of its own.
        strict: Whether a file that cannot be used ends the work.
        jobs: Processes; None is as many as there are cores.
        engine: `local` processes, or `ray`: Ray Data, on this machine or on the cluster that RAY_ADDRESS names.
        keep_store: Whether to keep the store, so that another preparation reads only what has changed.
        progress: Wraps the batches that are read; their number is its second argument.

    Raises:
        InputError: The folder or the pattern cannot be used, no file can be, or one cannot and `strict` is given.
    """
    folder, out = Path(folder), Path(out)
    if not out.name or out.is_dir():
        raise InputError(f"The table's name '{out}' is that of a folder; give a file's, such as songs.parquet.")
    check(recipe)
    files = find_files(folder)
    try:
        groups = re.compile(names).groupindex
    except re.error as error:
        raise InputError(f"The pattern {names} is no regular expression: {error}.") from error
    if "singer" not in groups:
        raise InputError(f"The pattern {names} has no group (?P<singer>...), which says the singer's number.")

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out.parent} cannot be made: {error.strerror or error}.") from error
    store_path = out.with_name(f".{out.name}.store")
    work = partial(read_files, folder=str(folder), recipe=recipe, names=names)
    made_by = json.dumps([recipe, names, version("toy-duration-predictor"), str(folder.resolve())])
    with closing(_open_store(store_path, made_by)) as store:
        known = dict(store.execute("SELECT file, signature FROM songs"))
        store.executemany("DELETE FROM songs WHERE file = ?", [(file,) for file in known.keys() - files.keys()])
        new = [(file, signature) for file, signature in files.items() if known.get(file) != signature]
        batches = [new[i : i + FILES_AT_ONCE] for i in range(0, len(new), FILES_AT_ONCE)]
        engines = {"local": _local, "ray": _ray}
        if engine not in engines:
            raise InputError(f"engine={engine}: there is no such engine; known: {', '.join(engines)}")
        for rows in progress(engines[engine](work, batches, jobs or os.cpu_count() or 1), len(batches)):
            places = ", ".join("?" * len(Read._fields))
            store.executemany(f"INSERT OR REPLACE INTO songs VALUES ({places})", rows)  # noqa: S608
            store.commit()
            if strict and any(row.refused for row in rows):
                break
        refused = store.execute("SELECT file, refused FROM songs WHERE refused IS NOT NULL ORDER BY file").fetchone()
        if strict and refused:
            raise InputError(f"{folder / refused[0]}: {refused[1]}.")
        if store.execute("SELECT count(*) FROM songs WHERE refused IS NULL").fetchone() == (0,):
            store_path.unlink(missing_ok=True)
            raise InputError(f"None of {len(files)} files can be used; the first is {refused[0]}: {refused[1]}.")
        summary = _write_table(store, out, len(files), len(new))
    _write_sidecar(out, folder, recipe, names, summary)
    if not keep_store:
        store_path.unlink(missing_ok=True)
    return summary


def find_files(folder: Path) -> dict[str, str]:
    """Returns the MIDI files below a folder, sorted, as paths within it, and their signatures.

    Raises:
        InputError: There is no such folder, or no such file in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give one with MIDI files.")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".mid", ".midi") and path.is_file())
    if not paths:
        raise InputError(f"{folder} has no .mid or .midi files.")
    for path in paths:
        try:
            path.as_posix().encode()
        except UnicodeEncodeError as error:
            raise InputError(f"The name {path.as_posix()!r} is not UTF-8; rename the file.") from error
    stats = ((path, path.stat()) for path in paths)
    return {path.relative_to(folder).as_posix(): f"{stat.st_size}-{stat.st_mtime_ns}" for path, stat in stats}


def _open_store(path: Path, made_by: str) -> sqlite3.Connection:
    """Opens a store, or begins a new one if it is of another recipe, or damaged."""
    for _ in range(2):
        try:
            store = sqlite3.connect(path)
        except sqlite3.OperationalError as error:
            raise InputError(f"{path.parent} cannot be written ({error}).") from error
        try:
            store.execute("CREATE TABLE IF NOT EXISTS made_by (recipe TEXT)")
            store.execute(f"CREATE TABLE IF NOT EXISTS songs ({', '.join(Read._fields)}, PRIMARY KEY (file))")
            found = store.execute("SELECT recipe FROM made_by").fetchone()
            if found is None:
                store.execute("INSERT INTO made_by VALUES (?)", (made_by,))
                store.commit()
            if found in (None, (made_by,)):
                return store
        except sqlite3.OperationalError as error:
            raise InputError(
                f"{path} cannot be used ({error}); is another preparation writing the same table?"
            ) from error
        except sqlite3.DatabaseError:
            pass
        store.close()
        path.unlink()
    raise InputError(f"{path} cannot be written.")


def _local(work: Callable[..., list[Read]], batches: list[Any], jobs: int) -> Iterator[list[Read]]:
    """Yields the rows of each batch, from processes if that is worth it; a few batches ahead of what is taken."""
    if jobs == 1 or sum(map(len, batches)) < FILES_WORTH_PROCESSES:
        yield from map(work, batches)
        return
    left = iter(batches)
    # A new interpreter a process: a fork of this one would share its threads' locks.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=_follow_parent) as pool:
        try:
            running = {pool.submit(work, batch) for batch in islice(left, 2 * jobs)}
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {pool.submit(work, batch) for batch in islice(left, len(done))}
                yield from (each.result() for each in done)
        finally:
            pool.shutdown(cancel_futures=True)


def _follow_parent() -> None:
    """Leaves Ctrl-C, which reaches all processes of a terminal, to the parent; and ends when the parent is no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()


def _ray(work: Callable[..., list[Read]], batches: list[Any], jobs: int) -> Iterator[list[Read]]:
    """Yields the same rows, made by Ray Data."""
    try:
        import ray
    except ImportError as error:
        raise InputError("engine=ray needs Ray: pip install 'toy-duration-predictor[ray]'.") from error
    address = os.environ.get("RAY_ADDRESS")
    if not ray.is_initialized():
        ray.init(address=address, num_cpus=None if address else jobs, log_to_driver=False, logging_level="warning")
    read = ray.data.from_items([{"batch": batch} for batch in batches]).map(lambda row: {"rows": work(row["batch"])})
    for row in read.iter_rows():
        yield [Read(*each) for each in row["rows"]]


def _write_table(store: sqlite3.Connection, out: Path, files: int, read: int) -> Summary:
    """Writes the store's songs, in the order of their files."""
    refused = dict(store.execute("SELECT file, refused FROM songs WHERE refused IS NOT NULL ORDER BY file"))
    columns = ", ".join(SCHEMA.names)
    query = store.execute(f"SELECT {columns} FROM songs WHERE refused IS NULL ORDER BY file")  # noqa: S608
    notes = 0

    def save(path: Path) -> None:
        nonlocal notes
        with pq.ParquetWriter(path, SCHEMA) as writer:
            while rows := query.fetchmany(ROWS_AT_ONCE):
                table = {
                    name: [np.frombuffer(each, np.int32) for each in values] if name in LISTS else values
                    for name, values in zip(SCHEMA.names, zip(*rows, strict=True), strict=True)
                }
                notes += sum(map(len, table["durations"]))
                writer.write_table(pa.table(table, SCHEMA))

    write(out, save)
    repairs: Counter[str] = Counter()
    for (each,) in store.execute("SELECT repairs FROM songs WHERE repairs != '{}'"):
        repairs.update(json.loads(each))
    return Summary(files, read, files - len(refused), notes, refused, dict(repairs))


def _write_sidecar(out: Path, folder: Path, recipe: Recipe, names: str, summary: Summary) -> None:
    done = {
        "folder": str(folder),
        "recipe": recipe._replace(shortest_rest=str(recipe.shortest_rest))._asdict(),  # type: ignore[arg-type]
        "names": names,
        "version": version("toy-duration-predictor"),
        **summary._asdict(),
    }
    del done["read"]
    text = json.dumps(done, indent=2, ensure_ascii=False) + "\n"
    write_text(out.with_name(f"{out.name}.json"), text)
