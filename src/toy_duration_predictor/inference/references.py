"""What reference songs tell of their singer's timing; see `data.style`.

Shapes: `F` features of a style.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np

from toy_duration_predictor.data.quantize import grid_step
from toy_duration_predictor.data.rests import guess_rests
from toy_duration_predictor.data.schema import NAME_COLUMN, QUANTIZED_COLUMN, SUNG_COLUMN
from toy_duration_predictor.data.singers import listed
from toy_duration_predictor.data.style import Sums, whole_sums
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.inputs import checked_songs

if TYPE_CHECKING:  # only for the type: it takes a second to import, and who names a singer needs none of it
    from datasets import Dataset

# Rows of a songs table by one singer, or what `reference_sums` made of them.
Like: TypeAlias = Union["Dataset", Sequence[Mapping[str, Any]], Sums]


def reference_sums(like: Like) -> Sums:
    """Returns the sums of features of all songs, float64 `(F,)`. Whoever needs them often adds them up once.

    Args:
        like: Songs by one singer: a songs table, or a list of mappings with its columns `durations` and
            `quantized_durations`, and `pitch` where it is known; where it is not, rests are guessed. Sums are returned
            as they are.

    Raises:
        InputError: There is no song, a song is none, the songs are by several singers, or a song cannot have been
            quantized with its error carried forward.
    """
    if isinstance(like, Sums):
        return like
    songs: list[Any] = list(like) if isinstance(like, Iterable) and not isinstance(like, Mapping) else [like]
    if not all(isinstance(song, Mapping) for song in songs):
        raise InputError(f"like: give a list of songs, each with {SUNG_COLUMN} and {QUANTIZED_COLUMN}, or a table.")
    if not songs:
        raise InputError("like: has no songs; give at least one, or leave it out.")
    singers = {song["singer_id"]: song.get(NAME_COLUMN) for song in songs if song.get("singer_id") is not None}
    if len(singers) > 1:
        names = {singer: name for singer, name in singers.items() if name is not None}
        raise InputError(f"like: has songs by singers {listed(sorted(singers), names)}; give the songs of one of them.")
    sums = [_sums(song, f"like: song {i}") for i, song in enumerate(songs)]
    return Sums(*(np.sum(part, axis=0) for part in zip(*sums, strict=True)))


def _sums(song: Mapping[str, Any], where: str) -> Sums:
    """Returns the sums of one song, float64 `(F,)`; `where` begins the message of an error."""
    from toy_duration_predictor.data.origin import Origin, origin

    given = []
    for column in (QUANTIZED_COLUMN, SUNG_COLUMN):
        if song.get(column) is None:
            raise InputError(f"{where} has no {column}; give both {SUNG_COLUMN} and {QUANTIZED_COLUMN}.")
        durations, several = checked_songs(song[column], f"{where}, {column}")
        if several:
            raise InputError(f"{where}, {column}: must be a flat list of numbers.")
        given.append(np.rint(durations[0]).astype(np.int64))
    quantized, sung = given
    if len(quantized) != len(sung):
        raise InputError(f"{where} has {len(sung)} {SUNG_COLUMN} and {len(quantized)} {QUANTIZED_COLUMN}.")
    if origin(sung, quantized) not in (Origin.SINGER, Origin.EITHER):
        raise InputError(
            f"{where} cannot have been quantized with its error carried forward, so it does not tell when notes begin; "
            f"quantize its sung durations with tdp.quantize, or recover them with tdp audit --repair."
        )
    step = grid_step(quantized)
    pitch = song.get("pitch")
    if pitch is not None and len(pitch) != len(quantized):
        raise InputError(f"{where} has {len(pitch)} pitches for {len(quantized)} {QUANTIZED_COLUMN}.")
    rest = guess_rests(quantized / step) if pitch is None else np.asarray(pitch) == 0
    return whole_sums(quantized, sung, step, rest)
