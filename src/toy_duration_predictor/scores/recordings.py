"""Recordings that tell how somebody sings: songs to sing like, and the beginning of a score.

Recordings are MIDI files whose notes lie where they were sung. They are read and quantized as by `tdp prepare`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toy_duration_predictor.data.midi.prepare import find_files
from toy_duration_predictor.data.midi.recipe import Recipe, song
from toy_duration_predictor.data.midi.smf import parse, refuse_large
from toy_duration_predictor.data.midi.voice import read_voice
from toy_duration_predictor.data.midi.voices import refuse_overlap
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.scores.midi import DEFAULT, Reading, read_score
from toy_duration_predictor.scores.score import Score


def read_references(paths: Sequence[str | Path]) -> list[dict[str, Any]]:
    """Returns songs to sing like, rows of a songs table; see `inference.references`.

    Args:
        paths: MIDI files, folders of MIDI files, and songs tables in Parquet format, all by one singer.

    Raises:
        InputError: One of them cannot be used; the message says which, and why.
    """
    rows: list[dict[str, Any]] = []
    for path in map(Path, paths):
        if path.suffix.lower() == ".parquet":
            rows += load_songs("parquet", path=path)
        elif path.is_dir():
            rows += [_row(path / file) for file in find_files(path)]
        else:
            rows.append(_row(path))
    return rows


def read_recording(content: bytes) -> dict[str, Any]:
    """Returns the row of a recording in a MIDI file, without `song_id` and `singer_id`.

    Raises:
        InputError: The file cannot be used; the message says why.
    """
    voice = read_voice(parse(content))
    refuse_overlap(voice.taken)
    return song(voice, Recipe())


def read_beginning(path: str | Path, reading: Reading = DEFAULT) -> Score:
    """Returns a recording of a score's first notes.

    Args:
        path: A MIDI file.
        reading: How its notes are read.

    Raises:
        InputError: It cannot be used; the message says why.
    """
    try:
        return read_score(parse(read_file(Path(path))), reading)[0]
    except InputError as error:
        raise InputError(f"{path}: {str(error).rstrip('.')}.") from error


def read_file(path: Path) -> bytes:
    """Returns a file's content.

    Raises:
        InputError: It is not there, cannot be read, or is too large; the message does not name it.
    """
    try:
        refuse_large(path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror or error}") from error


def _row(path: Path) -> dict[str, Any]:
    try:
        return read_recording(read_file(path))
    except InputError as error:
        raise InputError(f"{path}: {str(error).rstrip('.')}.") from error
