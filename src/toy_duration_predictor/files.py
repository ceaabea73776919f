"""Files and folders that are either there or not, never half-written, and never read as they were not written."""

import hashlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from toy_duration_predictor.errors import InputError

LOCK = ".lock"
SEAL = "sha256"


def write(path: Path, save: Callable[[Path], object], before: Path | None = None) -> None:
    """Lets `save` write a file beside its place, then moves it into its place once it is on the disk.

    Args:
        path: The file's place.
        save: Writes the file.
        before: Where the file goes that was there before; None for nowhere.

    Raises:
        InputError: The file cannot be written.
    """
    # Beside, because moving a file is atomic within a file system only. With the process's number, because two
    # processes may write the same file.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            save(beside)
            _to_disk(beside)
            if before and path.exists():
                path.replace(before)
            beside.replace(path)
            _to_disk(path.parent)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}.") from error


def passed_over(folder: Path, suffixes: Iterable[str]) -> dict[str, int]:
    """Returns how many files below a folder have names that end in none of the suffixes, by what they end in.

    Hidden files, and files in hidden folders, do not count.
    """
    shown = (path for path in folder.rglob("*") if not any(part[0] == "." for part in path.relative_to(folder).parts))
    ends = Counter(path.suffix.lower() or "no ending" for path in shown if path.is_file())
    return {end: count for end, count in sorted(ends.items()) if end not in suffixes}


def _to_disk(path: Path) -> None:
    """Waits until a file, or what a folder says of its files, would outlast a power cut."""
    with suppress(PermissionError):  # not every system opens folders
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8, as `write` does."""
    write(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def write_folder(folder: Path, save: Callable[[Path], object]) -> None:
    """Lets `save` make a folder beside its place, then moves it there. So no folder is ever there in part.

    Raises:
        InputError: The folder has something in it, or cannot be written.
    """
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise InputError(f"{folder} is there already; name a new folder, or delete it.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            save(beside)
            beside.replace(folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}.") from error


@contextmanager
def alone(folder: Path, wait: Callable[[], object]) -> Iterator[None]:
    """Lets one process at a time into a `with` block, and removes what a process that was killed there had begun.

    Args:
        folder: What the processes share; it is made where there is none.
        wait: Called once if another process is in.

    Raises:
        InputError: The folder cannot be written.
    """
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            wait()
            lock.acquire()
        try:
            for path in (*folder.glob(".*"), *folder.glob("*/.*")):
                if re.fullmatch(r"\..+\.\d+", path.name):  # as `write` names them
                    path.unlink(missing_ok=True)
        except BaseException:
            lock.release()
            raise
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}.") from error
    try:
        yield
    finally:
        # Still held: whoever waits finds its file gone, and makes the next.
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


def occupied(folder: Path) -> bool:
    """Returns whether a process is in an `alone` block of this folder."""
    if not (folder / LOCK).exists():
        return False
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def clear(folder: Path) -> None:
    """Removes all that is in a folder but its lock."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOCK:
            path.unlink(missing_ok=True)


def sealed(content: dict[str, Any], *files: Path) -> dict[str, Any]:
    """Returns the content of a JSON file with checksums: of files that lie beside it, and of the content itself."""
    content = {**content, **{f"{SEAL}/{path.name}": _digest(path) for path in files}}
    return {**content, SEAL: _digest_of_content(content)}


def unsealed(content: dict[str, Any]) -> dict[str, Any]:
    """Returns the content of a JSON file without checksums."""
    return {key: value for key, value in content.items() if key.partition("/")[0] != SEAL}


def damaged(path: Path, content: dict[str, Any], *files: Path) -> Path | None:
    """Returns the first file that is not as it was sealed, or None. What has no checksum is taken as it is.

    Args:
        path: A JSON file.
        content: What was read of it.
        files: Files that lie beside it.
    """
    rest = {key: value for key, value in content.items() if key != SEAL}
    if len(unsealed(content)) < len(content) and content.get(SEAL) != _digest_of_content(rest):
        return path
    sums = ((file, content.get(f"{SEAL}/{file.name}")) for file in files)
    return next((file for file, known in sums if known is not None and known != _digest(file)), None)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of_content(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def cache_folder() -> Path:
    """Returns the folder of files that can be made again: TDP_CACHE_DIR, or a folder in the user's cache."""
    own = os.environ.get("TDP_CACHE_DIR")
    users = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(users, "toy_duration_predictor")
