"""What lies below the folder of run folders: runs, sweeps, searches and comparisons, with their states and sizes."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from toy_duration_predictor.errors import InputError, reason_of
from toy_duration_predictor.files import occupied
from toy_duration_predictor.sections import Section
from toy_duration_predictor.training.config import read_config
from toy_duration_predictor.training.failure import kind_of_failure

STATES = ("finished", "interrupted", "pruned", "failed")

# What is not finished, and has changed within so many seconds, may still be at work. It is not deleted.
AT_WORK = 600.0


class Entry(NamedTuple):
    """A folder with results.

    Attributes:
        folder: The folder.
        kind: `run`, `sweep`, `search` or `comparison`.
        state: One of `STATES`.
        arm: A run's arm; or "".
        data: A run's source of songs; or "".
        metrics: A finished run's `metrics.json`.
        size: Bytes of all its files. Runs below a comparison are entries of their own, and not among its files.
        changed: When a file of it was last changed, in seconds since 1970.
    """

    folder: Path
    kind: str
    state: str
    arm: str
    data: str
    metrics: dict[str, Any]
    size: int
    changed: float


def find_entries(root: Path) -> tuple[list[Entry], dict[str, str]]:
    """Returns what lies below a folder, and which folders cannot be read, with the reason.

    Raises:
        InputError: There is no such folder.
    """
    if not root.is_dir():
        raise InputError(f"{root} is no folder; give the folder of run folders.")
    entries, refused = [], {}

    def refuse(error: OSError) -> None:
        refused[str(error.filename)] = str(error.strerror)

    for path, folders, files in os.walk(root, onerror=refuse):
        folder = Path(path)
        folders[:] = [name for name in folders if not name.startswith(".")]  # such as what launchers leave
        kind = _kind(set(files), set(folders))
        if not kind:
            continue
        if kind != "comparison":  # below which there may be runs of its own
            folders.clear()
        try:
            entries.append(_entry(folder, kind))
        # Whatever is in these files: they may be damaged in any way.
        except Exception as error:
            refused[path] = reason_of(error)
    return entries, refused


def _kind(files: set[str], folders: set[str]) -> str:
    if "config.yaml" in files and ("checkpoints" in folders or files & {"sources.json", "metrics.json"}):
        return "run"
    marks = {"multirun.yaml": "sweep", "study.db": "search", "report.json": "comparison"}
    return next((kind for mark, kind in marks.items() if mark in files), "")


def _entry(folder: Path, kind: str) -> Entry:
    stats = [path.lstat() for path in _files(folder, kind) if path.is_file()]
    size, changed = sum(each.st_size for each in stats), max(each.st_mtime for each in stats)
    if kind != "run":
        return Entry(folder, kind, _state(folder, "report.json"), "", "", {}, size, changed)
    config = read_config(folder / "config.yaml")
    state = _state(folder, "metrics.json")
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8")) if state == "finished" else {}
    numbers = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
    return Entry(folder, kind, state, str(config["name"]), str(config["data"]["source"]), numbers, size, changed)


def _files(folder: Path, kind: str) -> list[Path]:
    """Returns the files of an entry, those of a folder before those of the folders in it."""
    found = []
    for path, folders, files in os.walk(folder):
        if kind == "comparison" and Path(path) != folder and _kind(set(files), set(folders)):
            folders.clear()  # a run of its own
        else:
            found += [Path(path, name) for name in files]
    return found


def _state(folder: Path, last: str) -> str:
    """Returns the state of a folder whose last file has this name."""
    if (folder / last).is_file():
        return "finished"
    kind = kind_of_failure(folder)
    # A search has ended the run, by the error of this name.
    return "pruned" if kind == "TrialPruned" else "failed" if kind else "interrupted"


def chosen(
    entries: Iterable[Entry], arm: str | None = None, data: str | None = None, state: str | None = None
) -> list[Entry]:
    """Returns the entries of this arm, source of songs and state."""
    wanted = {"arm": arm, "data": data, "state": state}
    return [
        entry
        for entry in entries
        if all(value is None or getattr(entry, name) == value for name, value in wanted.items())
    ]


def in_order(entries: Iterable[Entry], metric: str | None) -> list[Entry]:
    """Returns the entries, the newest first; or the best first by a metric, and those without it last.

    Raises:
        InputError: No run has the metric.
    """
    entries = sorted(entries, key=lambda entry: -entry.changed)
    if metric is None:
        return entries
    if not any(metric in entry.metrics for entry in entries):
        raise InputError(f"--sort {metric}: no run here has this metric; test/mae and val/quantized_mae are two.")
    sign = -1 if metric.endswith("skill") else 1
    return sorted(entries, key=lambda entry: sign * entry.metrics.get(metric, sign * float("inf")))


def table(entries: list[Entry], root: Path, metric: str | None) -> Section:
    """Returns the entries as a table, with their disk use below it."""
    metric = metric or "test/mae"
    rows = [
        (
            entry.folder.relative_to(root).as_posix(),
            f"{entry.metrics[metric]:.3f}" if metric in entry.metrics else "",
            entry.state,
            size_text(entry.size),
            time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.changed)),
        )
        for entry in entries
    ]
    kinds = [entry.kind for entry in entries]
    counts = ", ".join(f"{kinds.count(kind)} {_plural(kind, kinds.count(kind))}" for kind in dict.fromkeys(kinds))
    total = size_text(sum(entry.size for entry in entries))
    return Section(str(root), ("folder", metric, "state", "size", "changed"), rows, f"{counts or 'Nothing'}: {total}")


def _plural(kind: str, count: int) -> str:
    return kind if count == 1 else {"search": "searches"}.get(kind, f"{kind}s")


def size_text(size: int) -> str:
    """Returns a number of bytes for people.

    >>> size_text(2_340_000)
    '2.3 MB'
    """
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


def delete(entries: Iterable[Entry], at_work: Callable[[Entry], object]) -> Iterator[Entry]:
    """Deletes folders, and yields each when it is gone. Those that may be at work are handed to `at_work` instead.

    Raises:
        InputError: A folder cannot be deleted.
    """
    for entry in entries:
        recent = entry.state != "finished" and time.time() - entry.changed < AT_WORK
        if recent or occupied(entry.folder):
            at_work(entry)
            continue
        try:
            if entry.kind == "comparison":
                _delete_beside_runs(entry.folder)
            else:
                shutil.rmtree(entry.folder)
        except OSError as error:
            raise InputError(f"{error.filename} cannot be deleted: {error.strerror}.") from error
        yield entry


def _delete_beside_runs(folder: Path) -> None:
    """Deletes a comparison, but none of the runs below it, in which processes may be at work."""
    for path in _files(folder, "comparison"):
        path.unlink()
    for place, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):  # runs are in it
            Path(place).rmdir()
