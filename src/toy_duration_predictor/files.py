"""Files and folders that are either there or not, and never half-written."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from toy_duration_predictor.errors import InputError


def write(path: Path, save: Callable[[Path], object]) -> None:
    """Lets `save` write a file beside its place, then moves it into its place.

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
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}.") from error


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


def cache_folder() -> Path:
    """Returns the folder of files that can be made again: TDP_CACHE_DIR, or a folder in the user's cache."""
    own = os.environ.get("TDP_CACHE_DIR")
    users = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(users, "toy_duration_predictor")
