"""The converters of `libresvip`, one a format, without its plug-in manager, its graphical programs and its traces.

What they are given is written by others. So archives, compressed files and XML are looked at before they are read, and
whatever a converter raises becomes a sentence. A converter reads a file and writes one, both in a folder of its own.
"""

import base64
import binascii
import importlib
import io
import json
import pkgutil
import re
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from toy_duration_predictor.data.midi.smf import LARGEST_FILE, refuse_large
from toy_duration_predictor.errors import InputError, first_line

# MusicXML has two suffixes. Other XML files than scores have this one, too, so that a folder's are left alone.
XML = ".xml"
ZSTANDARD = b"\x28\xb5\x2f\xfd"
# The same within ACE Studio's JSON.
PACKED = re.compile(rb'"content"\s*:\s*"(KLUv[^"]*)"')


class Converter:
    """Reads and writes projects of one format.

    Args:
        suffix: The format's.

    Raises:
        InputError: The extra `editors` is not installed.
    """

    def __init__(self, suffix: str) -> None:
        self._suffix, self._is_musicxml = suffix, suffix in (XML, ".musicxml")
        # libresvip's own plug-in manager would import all formats, and a user's own.
        with _as_it_was():
            try:
                from libresvip.extension.base import SVSConverter

                package = importlib.import_module(
                    f"libresvip.plugins.{'musicxml' if self._is_musicxml else suffix[1:]}"
                )
                modules = [each.name for each in pkgutil.iter_modules(package.__path__)]
                name = next(each for each in modules if each.endswith("_converter"))
                module = importlib.import_module(f"{package.__name__}.{name}")
            except ImportError as error:
                raise InputError(
                    f"{suffix} files need libresvip, which is not installed; "
                    f"pip install 'toy-duration-predictor[editors]'"
                ) from error
        classes = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, SVSConverter)]
        self._format: Any = next(each for each in classes if each.__module__ == module.__name__)

    def load(self, content: bytes) -> tuple[Any, list[str]]:
        """Returns libresvip's project in a file, and its warnings.

        Raises:
            InputError: The file cannot be read; the message says why.
        """
        _refuse_bombs(content)

        def work(path: Path) -> Any:
            path.write_bytes(content)
            # Of dynamics in MusicXML libresvip makes a curve that it cannot write, and its tempos come a bar late.
            project = self._format.load(path, {"import_dynamics": False})
            if self._is_musicxml and project.song_tempo_list:
                late = project.song_tempo_list[0].position
                for tempo in project.song_tempo_list:
                    tempo.position -= late
            return project

        return self._in_folder(work, "read")

    def dump(self, project: Any) -> tuple[bytes, list[str]]:
        """Returns a project's file, and libresvip's warnings. It may change the project.

        Raises:
            InputError: The project cannot be written; the message says why.
        """

        def work(path: Path) -> bytes:
            self._format.dump(path, project, {})
            return path.read_bytes()

        return self._in_folder(work, "write")

    def _in_folder(self, work: Callable[[Path], Any], what: str) -> tuple[Any, list[str]]:
        from libresvip.core.warning_types import CatchWarnings

        caught = CatchWarnings()
        with tempfile.TemporaryDirectory() as folder, _as_it_was():
            try:
                with caught:
                    result = work(Path(folder) / f"score{self._suffix}")
            except Exception as error:
                raise InputError(
                    f"libresvip cannot {what} it ({type(error).__name__}: {first_line(error).replace(folder, '')})"
                ) from error
        return result, caught.output.splitlines()


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Undoes what an import of libresvip changes for everybody: how JSON is written, and which module is `yaml`."""
    encoder: Any = json._default_encoder  # type: ignore[attr-defined]
    separators, yaml = (encoder.item_separator, encoder.key_separator), sys.modules.get("yaml")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries that libresvip uses in their old ways
            yield
    finally:
        encoder.item_separator, encoder.key_separator = separators
        if yaml is not None:
            sys.modules["yaml"] = yaml


def _refuse_bombs(content: bytes) -> None:
    """Refuses what is small as a file, and large once it is read.

    Raises:
        InputError: An archive or a compressed file is too large, or XML defines entities.
    """
    if content.startswith(b"PK"):
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(content)) as archive:
            refuse_large(sum(each.file_size for each in archive.infolist()))
    if b"<!ENTITY" in content.replace(b"\0", b""):  # without zeros, UTF-16 reads as ASCII does
        raise InputError("its XML defines entities, which no editor writes")
    packed = PACKED.search(content)
    if packed or ZSTANDARD in content:
        from libresvip.plugins.dspx.dspx_io import zstd

        # Whoever reads it properly will say what is wrong with it.
        with suppress(binascii.Error, zstd.ZstdError, EOFError):
            frames = base64.b64decode(packed[1]) if packed else content[content.index(ZSTANDARD) :]
            with zstd.ZstdFile(io.BytesIO(frames)) as file:
                refuse_large(len(file.read(LARGEST_FILE + 1)))
