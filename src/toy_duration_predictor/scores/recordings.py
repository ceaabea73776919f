"""Recordings that tell how somebody sings: songs to sing like, and the beginning of a score.

Recordings are MIDI files whose notes lie where they were sung. They are read and quantized as by `tdp prepare`, to the
grid on which the model learned.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toy_duration_predictor.data.midi.prepare import find_files
from toy_duration_predictor.data.midi.recipe import Recipe, song
from toy_duration_predictor.data.midi.smf import parse, refuse_large
from toy_duration_predictor.data.midi.voice import read_voice
from toy_duration_predictor.data.midi.voices import refuse_overlap
from toy_duration_predictor.data.quantize import STEP_BEATS, grid_step, note_value
from toy_duration_predictor.data.schema import QUANTIZED_COLUMN
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.scores.midi import DEFAULT, Reading, read_score
from toy_duration_predictor.scores.score import Score


def read_references(paths: Sequence[str | Path], step_beats: float = STEP_BEATS) -> list[dict[str, Any]]:
    """Returns songs to sing like, rows of a songs table; see `inference.references`.

    Args:
        paths: MIDI files, folders of MIDI files, and songs tables in Parquet format, all by one singer.
        step_beats: Beats of the grid step on which the model learned.

    Raises:
        InputError: One of them cannot be used; the message says which, and why.
    """
    rows: list[dict[str, Any]] = []
    for path in map(Path, paths):
        if path.suffix.lower() == ".parquet":
            rows += _table(path, step_beats)
        elif path.is_dir():
            rows += [_row(path / file, step_beats) for file in find_files(path)]
        else:
            rows.append(_row(path, step_beats))
    return rows


def read_recording(content: bytes, step_beats: float = STEP_BEATS) -> dict[str, Any]:
    """Returns the row of a recording in a MIDI file, without `song_id` and `singer_id`.

    Args:
        content: The file.
        step_beats: Beats of the grid step on which the model learned.

    Raises:
        InputError: The file cannot be used; the message says why.
    """
    grid = note_value(step_beats)
    if grid is None:
        raise InputError(f"the model learned on a grid of {step_beats:g} beats, to which no recording is quantized")
    voice = read_voice(parse(content))
    refuse_overlap(voice.taken)
    return song(voice, Recipe(grid=grid))


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


def _table(path: Path, step_beats: float) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = list(load_songs("parquet", path=path))
    for i, row in enumerate(rows):
        # A coarser step may be chance, where a song has no short notes. A finer one is another grid.
        resolution = row.get("ticks_per_beat")
        step = grid_step(np.array(row[QUANTIZED_COLUMN]), resolution)
        if resolution and step < round(step_beats * resolution):
            raise InputError(
                f"{path}: row {i} has a grid step of {step / resolution:.4g} beats, and the model learned with one of "
                f"{step_beats:.4g}; prepare the table on the model's grid (tdp prepare --grid)."
            )
    return rows


def _row(path: Path, step_beats: float) -> dict[str, Any]:
    try:
        return read_recording(read_file(path), step_beats)
    except InputError as error:
        raise InputError(f"{path}: {str(error).rstrip('.')}.") from error
