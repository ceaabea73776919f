"""A folder of MIDI files to a songs table, on all cores, in memory that does not grow with the folder.

The folder is read in parts, which are files until the table is written; see `parts`.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from toy_duration_predictor.data.midi.engines import ENGINES, usable_cores
from toy_duration_predictor.data.midi.naming import Naming, choose_naming
from toy_duration_predictor.data.midi.parts import (
    NAMED_SCHEMA,
    SCHEMA,
    read_part,
    remove_others,
    split_into_parts,
    store_of,
    what_was_done,
    write_table,
)
from toy_duration_predictor.data.midi.recipe import Found, Recipe, validate_recipe
from toy_duration_predictor.data.midi.smf import SUFFIXES
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.files import clear, passed_over, sealed, write, write_text


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
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs={jobs}: give at least 1.")
    validate_recipe(recipe)
    files = find_files(folder)
    naming = choose_naming(files, singer, names)
    with store_of(out) as store:
        parts = split_into_parts(files, store, (recipe, naming, folder.resolve()))
        done = {path: what_was_done(path) for path in parts}
        # A strict preparation reads refused files again, to end at the first of them.
        new = [(path, parts[path]) for path, known in done.items() if known is None or (strict and known["refused"])]
        work = partial(read_part, folder=folder, recipe=recipe, naming=naming, strict=strict)
        for failure in progress(ENGINES[engine](work, new, jobs or usable_cores()), len(new)):
            if failure:
                raise InputError(failure)
        done |= {path: what_was_done(path) for path, _ in new}
        if None in done.values():
            raise InputError(f"{store} cannot be read; look at its disk, and give the command again.")

        refused = {file: reason for part in done.values() for file, reason in part["refused"].items()}
        if len(refused) == len(files):
            clear(store)
            file, reason = next(iter(refused.items()))
            raise InputError(f"None of {len(files)} files can be used; the first is {file}: {reason}.")
        write(out, partial(write_table, parts, NAMED_SCHEMA if naming.numbers else SCHEMA))
        summary = Summary(
            files=len(files),
            read=sum(len(some) for _, some in new),
            songs=len(files) - len(refused),
            notes=sum(part["notes"] for part in done.values()),
            refused=refused,
            **{each: dict(sum((Counter(part[each]) for part in done.values()), Counter())) for each in Found._fields},
            passed_over=passed_over(folder, SUFFIXES),
            singers=naming.in_words(file for file in files if file not in refused),
        )
        _write_sidecar(out, folder, recipe, naming, summary)
        if keep_parts:
            remove_others(store, parts)
        else:
            clear(store)
        return summary


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
