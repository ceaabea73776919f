"""Sung durations, recovered from a table that holds carried values in their place.

`midii.quantize` changes the array that it is given. It replaces a duration `d` by `c = d + e`, where `e` is the
rounding error carried into the note, and rounds `c` to `q`. The error carried on is `c - q`. So `d` follows from `c`
and from the note before, with one exception: where `d + e` would be negative, the quantizer leaves `d` as it is, and
carries `e` on as well. A short note after a note that was rounded up can therefore be read in two ways:

- `c = d + e`, and the error carried on is `c - q`; or
- `c = d`, with `c + e < 0`, and the error carried on is `e + c - q`.

The readings of a song are the paths through a small lattice of carried errors. The Viterbi algorithm finds the
likeliest path (Viterbi 1967, doi:10.1109/TIT.1967.1054010). How likely a duration is, is counted on the paths found so
far, in all songs of the same resolution; counting and finding are repeated until the paths settle.
"""

import math
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from datasets import Dataset

from toy_duration_predictor.data.notes import Notes
from toy_duration_predictor.data.quantize import grid_step
from toy_duration_predictor.data.schema import SUNG_COLUMN
from toy_duration_predictor.errors import InputError

# A note's readings, by the error that is carried on from it. A reading is (error carried in, sung duration).
Readings = dict[int, list[tuple[int, int]]]
# The readings of all notes of a song. Two notes hang together where one carries on the error that the other is given.
Lattice = list[Readings]

# Rounds of counting and finding: on 160 real songs nothing changes after the fourth.
ROUNDS = 4
# Added to the count of every duration, so that a duration not seen yet is unlikely but not impossible.
PSEUDO_COUNT = 0.5


class Repaired(NamedTuple):
    """Songs with their sung durations, as far as these could be recovered.

    Attributes:
        sung: int64 `(T,)` for each song, ticks.
        undecided: bool `(T,)` for each song; true where the arithmetic leaves more than one duration. There `sung` has
            the likeliest.
    """

    sung: list[np.ndarray]
    undecided: list[np.ndarray]


def repair_table(table: Dataset, rows: list[int]) -> Dataset:
    """Recovers the sung durations of the rows that have carried values in their place. Other rows stay as they are.

    Args:
        table: A validated songs table.
        rows: Which rows these are; see `origin.origins`.

    Returns:
        The table with one more column, `undecided`, a bool for each note; see `Repaired`.

    Raises:
        InputError: There are no such rows, or a row has no carried values.
    """
    if not rows:
        raise InputError("No row of this table is known to hold carried values, so there is nothing to repair.")
    sung, quantized = (list(Notes.of(table, name).songs(np.arange(len(table)))) for name in ("sung", "quantized"))
    of_rows = [quantized[row] for row in rows]
    done = repair([sung[row] for row in rows], of_rows, list(map(grid_step, of_rows)))
    undecided = [np.zeros(len(song), dtype=bool) for song in sung]
    for row, *repaired in zip(rows, *done, strict=True):
        sung[row], undecided[row] = repaired
    others = {name: table[name] for name in table.column_names if name != SUNG_COLUMN}
    return Dataset.from_dict({**others, SUNG_COLUMN: sung, "undecided": undecided})


def repair(carried: list[np.ndarray], quantized: list[np.ndarray], resolutions: list[int]) -> Repaired:
    """Recovers sung durations.

    Args:
        carried: int64 `(T,)` for each song; the carried values.
        quantized: int64 `(T,)` for each song.
        resolutions: A number for each song, such as its ticks per beat. Songs with the same number share their counts
            of durations.

    Raises:
        InputError: A song's durations are no carried values of its quantized ones.
    """
    lattices = [
        _lattice(c.tolist(), q.tolist(), song) for song, (c, q) in enumerate(zip(carried, quantized, strict=True))
    ]
    undecided = [_undecided(lattice) for lattice in lattices]
    # The first paths are any paths. Only durations that all paths share are counted on them.
    counts: dict[int, Counter[int]] = {resolution: Counter() for resolution in resolutions}
    paths = [_path(lattice, lambda _: 0.0) for lattice in lattices]
    for path, which, resolution in zip(paths, undecided, resolutions, strict=True):
        counts[resolution].update(np.array(path)[~which].tolist())
    for _ in range(ROUNDS):
        paths = [
            _path(lattice, _log_likelihood(counts[resolution]))
            for lattice, resolution in zip(lattices, resolutions, strict=True)
        ]
        counts = {resolution: Counter() for resolution in resolutions}
        for path, resolution in zip(paths, resolutions, strict=True):
            counts[resolution].update(path)
    return Repaired([np.array(path) for path in paths], undecided)


def can_be_carried(durations: np.ndarray, quantized: np.ndarray) -> bool:
    """Returns whether a song's durations, int64 `(T,)`, can be carried values of its quantized ones, int64 `(T,)`."""
    try:
        _lattice(durations.tolist(), quantized.tolist(), 0)
    except InputError:
        return False
    return True


def _lattice(carried: list[int], quantized: list[int], song: int) -> Lattice:
    """Returns all readings of a song in which no duration is below 1 tick: a note or rest of 0 ticks is none."""
    lattice: Lattice = []
    # Nothing is carried into the first note. The errors stay few: the first reading carries on the same error,
    # whatever was carried in, and the second is possible for short notes only.
    errors = [0]
    for note, (c, q) in enumerate(zip(carried, quantized, strict=True)):
        onward: Readings = {}
        for error in errors:
            if c - error >= 1:
                onward.setdefault(c - q, []).append((error, c - error))
            if c >= 1 and c + error < 0:
                onward.setdefault(error + c - q, []).append((error, c))
        if not onward:
            raise InputError(f"Song {song}, note {note}: {c} ticks, quantized to {q}, are no carried value.")
        lattice.append(onward)
        errors = list(onward)
    return lattice


def _undecided(lattice: Lattice) -> np.ndarray:
    """Returns for each note whether paths through the lattice give it different durations."""
    undecided = np.zeros(len(lattice), dtype=bool)
    # From the last note back, so that readings that lead nowhere do not count: every error met here is carried on to
    # the end.
    reached = set(lattice[-1])
    for note in range(len(lattice) - 1, -1, -1):
        readings = [reading for error in reached for reading in lattice[note][error]]
        undecided[note] = len({duration for _, duration in readings}) > 1
        reached = {error for error, _ in readings}
    return undecided


def _path(lattice: Lattice, log_likelihood: Callable[[int], float]) -> list[int]:
    """Returns the durations along the likeliest path."""
    # The log-likelihood of the likeliest path up to a note, by the error that it carries on.
    best = {0: 0.0}
    chosen: list[dict[int, tuple[int, int]]] = []
    for onward in lattice:
        until: dict[int, float] = {}
        choices: dict[int, tuple[int, int]] = {}
        for error, readings in onward.items():
            # Most notes have one reading. What all paths share decides nothing, so its likelihood is left out.
            if len(readings) == len(onward) == 1:
                until[error], choices[error] = best[readings[0][0]], readings[0]
            else:
                until[error], choices[error] = max((best[way[0]] + log_likelihood(way[1]), way) for way in readings)
        best = until
        chosen.append(choices)
    # Back from the likeliest end, by the choices that led there.
    error = max(best, key=best.__getitem__)
    sung = []
    for choices in reversed(chosen):
        error, duration = choices[error]
        sung.append(duration)
    return sung[::-1]


def _log_likelihood(count: Counter[int]) -> Callable[[int], float]:
    total = count.total() + PSEUDO_COUNT * (len(count) + 1)
    logs = {duration: math.log((number + PSEUDO_COUNT) / total) for duration, number in count.items()}
    unseen = math.log(PSEUDO_COUNT / total)
    return lambda duration: logs.get(duration, unseen)
