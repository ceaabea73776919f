"""Ways to quantize a song's sung durations: the published one, and others that it has to be better than.

`WAYS` has them all by name; a further way is a function and a line there. All ways keep the number of durations, so
that the errors of all are against the same sung durations.

A grid may not divide a song's resolution: a 1/64 note of 120 ticks per beat would be 7.5 ticks. Such a song gets more
ticks per beat in that way's table, by the smallest factor that divides it, and its sung durations are multiplied, too.
Nothing is rounded by that, and in beats nothing changes.

Shapes: `T` notes and rests of a song.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from datasets import Dataset

from toy_duration_predictor.data.notes import Notes
from toy_duration_predictor.data.origin import declare
from toy_duration_predictor.data.quantize import grid_ticks, quantize
from toy_duration_predictor.data.schema import QUANTIZED_COLUMN, SUNG_COLUMN
from toy_duration_predictor.data.songs import validate_songs
from toy_duration_predictor.errors import InputError, did_you_mean

# A shorter rest is articulation, not silence. The published recipe meant these seconds, and compared them with ticks.
SHORTEST_REST = 0.3


class Song(NamedTuple):
    """What a way is given of a song.

    Attributes:
        sung: int64 `(T,)`, ticks.
        rest: bool `(T,)`; which durations are rests.
        ticks_per_beat: The song's resolution.
        tempo: Microseconds per beat.
    """

    sung: np.ndarray
    rest: np.ndarray
    ticks_per_beat: int
    tempo: int


class Way(NamedTuple):
    """A way to quantize.

    Attributes:
        about: What it does, for the report.
        quantize: Makes quantized durations of a song, int64 `(T,)`, ticks; the other argument is the ticks of a step of
            the finest grid.
        grids: The grids on whose lines onsets and ends are put, each as for `grid_ticks`. The first is the finest.
        package: What has to be installed for it.
    """

    about: str
    quantize: Callable[[Song, int], np.ndarray]
    grids: tuple[str, ...] = ("32",)
    package: str | None = None

    @property
    def installed(self) -> bool:
        """Whether all that it needs is installed."""
        return self.package is None or find_spec(self.package) is not None

    def finer(self, song: Song) -> tuple[Song, int]:
        """Returns a song with as many ticks per beat as the grids need, and the factor by which they are more."""
        whole = (self._whole(song.ticks_per_beat, grid) for grid in self.grids)
        factor = math.lcm(*whole)
        return song._replace(sung=song.sung * factor, ticks_per_beat=song.ticks_per_beat * factor), factor

    def steps(self, ticks_per_beat: int) -> list[int]:
        """Returns the ticks of a step of each grid."""
        return [grid_ticks(ticks_per_beat, grid) for grid in self.grids]

    def __call__(self, song: Song) -> np.ndarray:
        """Quantizes a song whose resolution all grids divide."""
        return self.quantize(song, self.steps(song.ticks_per_beat)[0])

    @staticmethod
    def _whole(ticks_per_beat: int, grid: str) -> int:
        # All grids divide 768 ticks per beat.
        return Fraction(ticks_per_beat * grid_ticks(768, grid), 768).denominator


def forwarded(song: Song, step: int) -> np.ndarray:
    """Carries each rounding error into the next duration, as published; see `quantize`."""
    return quantize(song.sung, step)


def rounded(song: Song, step: int) -> np.ndarray:
    """Rounds each duration by itself."""
    return quantize(song.sung, step, forward_error=False)


def timeline(song: Song, step: int) -> np.ndarray:
    """Rounds each onset and end to the nearest grid line, a half up; durations lie between the lines."""
    lines = (2 * np.cumsum(song.sung) + step) // (2 * step)
    return np.asarray(np.diff(lines, prepend=0) * step)


def absorbed(song: Song, step: int) -> np.ndarray:
    """Gives each rest under 0.3 s to the note before it, then carries errors forward; such a rest is 0 afterwards."""
    short = song.rest & (song.sung * song.tempo < SHORTEST_REST * 1e6 * song.ticks_per_beat)
    short[0] = False  # nothing is before it
    kept = np.flatnonzero(~short)
    quantized = np.zeros_like(song.sung)
    quantized[kept] = quantize(np.add.reduceat(song.sung, kept), step)
    return quantized


def by_music21(song: Song, step: int) -> np.ndarray:
    """Quantizes as `music21.stream.Stream.quantize` does by default: each onset to the nearest 1/16 or eighth triplet.

    It is given the notes, as after reading a MIDI file, and quantizes onsets and lengths apart: a length is chosen that
    reaches the next onset, where one does. So notes may overlap, or leave gaps that nobody sang. Where a rest was sung,
    a note ends where music21 ends it, but not after the next onset. Elsewhere a note ends at the next onset.
    """
    from music21 import note, stream

    times = np.append(0, np.cumsum(song.sung)) / song.ticks_per_beat
    notes = stream.Stream()
    elements = [note.Note(quarterLength=length) for length in np.diff(times)[~song.rest].tolist()]
    elements.append(note.Note())  # it shows where the song's end is put
    onsets = np.append(times[:-1][~song.rest], times[-1])
    for onset, element in zip(onsets.tolist(), elements, strict=True):
        notes.insert(onset, element)
    notes.sort()
    notes.quantize(inPlace=True)

    def ticks(beats: float | Fraction) -> int:
        return round(beats * song.ticks_per_beat)

    begins = np.array([ticks(each.offset) for each in elements])
    ends = np.array([ticks(each.offset + each.quarterLength) for each in elements])
    # Of each duration the number of the note that it is, or that comes next.
    following = np.cumsum(np.append(0, ~song.rest[:-1]))
    starts = np.where(song.rest, np.minimum(ends[following - 1], begins[following]), begins[following])
    starts[song.rest & (following == 0)] = 0  # a rest before the first note
    quantized: np.ndarray = np.diff(np.maximum.accumulate(np.append(starts, begins[-1])))
    return quantized


# By name. The first is what the others are compared with.
WAYS = {
    "forwarded": Way("as published: 1/32, the rounding error carried forward", forwarded),
    "rounded": Way("1/32, each duration rounded by itself", rounded),
    "timeline": Way("1/32, onsets and ends rounded on the time line", timeline),
    "absorbed": Way("1/32, rests under 0.3 s given to the note before, then the error carried forward", absorbed),
    "forwarded_8": Way("1/8, the error carried forward", forwarded, ("8",)),
    "forwarded_16": Way("1/16, the error carried forward", forwarded, ("16",)),
    "forwarded_64": Way("1/64, the error carried forward", forwarded, ("64",)),
    "forwarded_8t": Way("eighth triplets, the error carried forward", forwarded, ("8t",)),
    "forwarded_16t": Way("sixteenth triplets, the error carried forward", forwarded, ("16t",)),
    "music21": Way("music21's own, to 1/16 or eighth triplets", by_music21, ("16", "8t"), "music21"),
}
REFERENCE = next(iter(WAYS))


def check_ways(names: list[str]) -> None:
    """Refuses ways that there are not, and ways without the reference.

    Raises:
        InputError: So it is.
    """
    for name in names:
        if name not in WAYS:
            raise InputError(f"ways={names}: there is no way '{name}'; {did_you_mean(name, list(WAYS))}")
    if REFERENCE not in names:
        raise InputError(f"{REFERENCE} is not among ways={names}; the others are compared with it.")


def songs_of(table: Dataset) -> list[Song]:
    """Returns the songs of a table of sung durations.

    Raises:
        InputError: The resolution or tempo of a song, or what is a rest, is not known.
    """
    for column in ("ticks_per_beat", "tempo", "pitch"):
        if column not in table.column_names or None in table[column]:
            raise InputError(
                f"The songs table does not know the {column} of all songs, which quantizing needs; prepare it from "
                f"MIDI files with tdp prepare."
            )
    rows = np.arange(len(table))
    sung, pitch = (Notes.of(table, name).songs(rows) for name in ("sung", "pitch"))
    known = zip(sung, pitch, table["ticks_per_beat"], table["tempo"], strict=True)
    return [Song(song.astype(np.int64), pitches == 0, *numbers) for song, pitches, *numbers in known]


def quantized_by(way: Way, table: Dataset) -> Dataset:
    """Returns a table of the same songs, quantized by a way; all else is as it was, but for more ticks per beat.

    It says that its durations are sung: those that were rounded one by one look like carried values.
    """
    songs = [way.finer(song)[0] for song in songs_of(table)]
    columns = {
        SUNG_COLUMN: [song.sung for song in songs],
        QUANTIZED_COLUMN: [way(song) for song in songs],
        "ticks_per_beat": [song.ticks_per_beat for song in songs],
    }
    kept = {name: table[name][:] for name in table.column_names}
    quantized = validate_songs(Dataset.from_dict({name: columns.get(name, kept[name]) for name in kept}))
    declare(quantized, "sung")
    return quantized
