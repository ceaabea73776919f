"""The files of checkpoints: whole or not there, checked when they are read, and free of code.

A checkpoint is a ZIP archive, which has a checksum of each of its parts. Torch does not look at them.
"""

import io
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO

from toy_duration_predictor.errors import InputError, first_line
from toy_duration_predictor.files import write

BEST, LAST, PREVIOUS = "best.ckpt", "last.ckpt", "previous.ckpt"

# Keys by which loaders of Lightning's and Hydra's find something to call.
NAMES_CODE = ("_instantiator", "_class_path", "_target_")


class CheckpointFiles(TorchCheckpointIO):
    """How Lightning writes and reads checkpoints here. The one before `last.ckpt` is kept as `previous.ckpt`."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Writes a checkpoint."""
        if "://" in str(path):  # a callback of the user's may write elsewhere
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        # Torch's own writing to a file takes a full disk for an error of its own.
        archive = io.BytesIO()
        torch.save(checkpoint, archive)
        path = Path(path)
        previous = path.with_name(PREVIOUS) if path.name == LAST else None
        write(path, lambda beside: beside.write_bytes(archive.getbuffer()), before=previous)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """Reads a checkpoint of this project, whatever Lightning asks for."""
        return read_checkpoint(Path(path))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Reads a checkpoint to the CPU.

    Raises:
        InputError: It is damaged, or names code.
        Exception: It is no checkpoint; of any kind.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()
    except OSError:
        raise
    except Exception as error:  # a damaged archive can raise anything
        raise InputError(f"{path} cannot be read as a checkpoint: it is damaged ({first_line(error)}).") from error
    if wrong:
        raise InputError(f"{path} cannot be read as a checkpoint: it is damaged ({wrong} has another checksum).")
    checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if name := _code(checkpoint):
        raise InputError(f"{path} names code to run, under '{name}', and is not used; get it from someone you trust.")
    return checkpoint


def _code(value: Any) -> str | None:
    """Returns the first key within nested values by which code is named."""
    if isinstance(value, dict):
        named = (key for key in NAMES_CODE if key in value)
        return next(named, None) or _code(list(value.values()))
    if isinstance(value, list | tuple):
        return next((name for each in value if (name := _code(each))), None)
    return None
