"""From a MIDI file to a row of a songs table: the part of the song, its rests, and its durations on a grid."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from toy_duration_predictor.data.midi.encodings import checked_encoding
from toy_duration_predictor.data.midi.smf import parse, refuse_large
from toy_duration_predictor.data.midi.voice import Voice, read_voice
from toy_duration_predictor.data.midi.voices import checked_number, refuse_overlap
from toy_duration_predictor.data.quantize import ANY_GRID, carried, grid_ticks, quantize
from toy_duration_predictor.data.schema import LONGEST, QUANTIZED_COLUMN, SUNG_COLUMN
from toy_duration_predictor.errors import InputError


class Limit(NamedTuple):
    """A length with its unit: `ticks`, `beats` or `s`."""

    value: float
    unit: str

    @classmethod
    def parse(cls, text: str) -> "Limit":
        """Reads a limit such as `10ticks`, `0.1beats` or `0.05s`.

        Raises:
            InputError: It has no unit, or another unit.

        >>> Limit.parse("0.05 s")
        Limit(value=0.05, unit='s')
        """
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ticks|beats|s)", text.strip())
        if not match:
            raise InputError(f"'{text}' is no length; give a number with its unit, such as 10ticks, 0.1beats or 0.05s.")
        return cls(float(match[1]), match[2])

    def __str__(self) -> str:
        """Returns the text that `parse` reads."""
        return f"{self.value:g}{self.unit}"


class Recipe(NamedTuple):
    """How a performance becomes a row of a songs table.

    The defaults are the published recipe's, except that sung durations are stored.

    Attributes:
        begin: The sung part begins after the first note with this lyric, in files that have it; if it is empty, with
            the first note.
        end: The sung part ends before the first note with this lyric after its beginning; if empty, with the last.
        shortest_rest: A shorter rest is given to the note after it. The published recipe compared 0.3, meant in
            seconds, with ticks, and so removed only rests of 0 ticks, which are none.
        grid: The grid's note value; see `grid_ticks`.
        forward_error: Whether the rounding error of a note is carried on to the next note.
        track: The voice's number; None is found by the rule of `voices`.
        published: Whether carried values are stored in place of the sung durations, as in the published dataset.
        encoding: That of the lyrics, such as `cp949`; None finds it, file by file.
    """

    begin: str = "J"
    end: str = "H"
    shortest_rest: Limit = Limit(0.3, "ticks")
    grid: str = "32"
    forward_error: bool = True
    track: int | str | None = None
    published: bool = False
    encoding: str | None = None


def validate_recipe(recipe: Recipe) -> None:
    """Refuses a recipe by which no song can be made.

    Raises:
        InputError: There is no such grid, or the options exclude each other.
    """
    grid_ticks(ANY_GRID, recipe.grid)  # so only an unknown grid is refused
    if recipe.published and not recipe.forward_error:
        raise InputError("The published recipe carries errors forward; leave out one of the two options.")
    checked_number(recipe.track)
    checked_encoding(recipe.encoding)


class Found(NamedTuple):
    """What there is to count of a file: `Voice.mended`, why its voice was taken, and `Tracks.remarks`."""

    mended: dict[str, int]
    voices: dict[str, int]
    remarks: dict[str, int]


def read_row(path: Path, recipe: Recipe) -> tuple[dict[str, Any], Found]:
    """Returns a MIDI file's row of a songs table, as `song` does, and what there is to count of the file.

    Raises:
        InputError: The file cannot be used.
        OSError: It cannot be read.
    """
    refuse_large(path.stat().st_size)
    tracks = parse(path.read_bytes())
    voice = read_voice(tracks, recipe.track, recipe.encoding)
    refuse_overlap(voice.taken)
    return song(voice, recipe), Found(voice.mended, {voice.taken.why: 1}, dict.fromkeys(tracks.remarks, 1))


def song(voice: Voice, recipe: Recipe) -> dict[str, Any]:
    """Returns the row of one performance, without its song and its singer. Its tempo is the first note's.

    Raises:
        InputError: Nothing is left of the song, or the grid does not divide its resolution.
    """
    step = grid_ticks(voice.ticks_per_beat, recipe.grid)
    part = with_rests(sung_part(voice, recipe), recipe.shortest_rest)
    sung = part.duration
    if sung.max() > LONGEST:
        raise InputError(f"a note or rest is {sung.max()} ticks long, and the longest that can be is {LONGEST}")
    quantized = quantize(sung, step, recipe.forward_error)
    if recipe.published:
        sung = carried(sung, step)
    since = np.searchsorted(part.tempos[:, 0], part.onset[0], side="right") - 1
    return {
        "ticks_per_beat": voice.ticks_per_beat,
        "tempo": int(part.tempos[since, 1]),
        "pitch": part.pitch,
        SUNG_COLUMN: sung,
        QUANTIZED_COLUMN: quantized,
    }


def sung_part(voice: Voice, recipe: Recipe) -> Voice:
    """Returns the notes between the two markers, or all notes where the first marker is missing."""
    begins = bool(recipe.begin) and recipe.begin in voice.lyric
    first = voice.lyric.index(recipe.begin) + 1 if begins else 0
    last = len(voice.lyric)
    if recipe.end and (begins or not recipe.begin) and recipe.end in voice.lyric[first:]:
        last = voice.lyric.index(recipe.end, first)
    if first == last:
        raise InputError(f"no note lies between the lyrics '{recipe.begin}' and '{recipe.end}'")
    part = slice(first, last)
    return voice._replace(
        onset=voice.onset[part], duration=voice.duration[part], pitch=voice.pitch[part], lyric=voice.lyric[part]
    )


def with_rests(notes: Voice, shortest: Limit) -> Voice:
    """Returns notes with the rests between them. A rest shorter than the limit goes to the note after it."""
    ends = notes.onset + notes.duration
    gap = notes.onset[1:] - ends[:-1]
    if shortest.unit == "s":
        too_short = notes.seconds(notes.onset[1:]) - notes.seconds(ends[:-1]) < shortest.value
    else:
        too_short = gap < shortest.value * (notes.ticks_per_beat if shortest.unit == "beats" else 1)
    onset = notes.onset.copy()
    onset[1:] = np.where(too_short, ends[:-1], onset[1:])

    rest = np.flatnonzero(onset[1:] > ends[:-1])
    # Rest i comes before note i + 1.
    starts, stops = (
        np.insert(values, rest + 1, rests) for values, rests in ((onset, ends[rest]), (ends, onset[rest + 1]))
    )
    lyric = np.insert(np.array(notes.lyric, dtype=object), rest + 1, "")
    return notes._replace(
        onset=starts,
        duration=stops - starts,
        pitch=np.insert(notes.pitch, rest + 1, 0),
        lyric=lyric.tolist(),
    )
