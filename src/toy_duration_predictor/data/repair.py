"""Sung durations back from a table that holds the quantizer's carried values instead.

`midii.quantize`, given an array, replaces each duration `d` by `c = d + e`, where `e` is the rounding error carried
into it; and rounds `c` to `q`. The error that goes on is `c - q`, so each `d` follows from the note before it, but for
one thing: where `d + e` would be negative, the quantizer leaves `d` alone and keeps `e` as well. After a note that was
rounded up, a short one can therefore be read in two ways,

- `c = d + e`, and `c - q` goes on, or
- `c = d`, with `c + e < 0`, and `e + c - q` goes on.

The readings of a song are the paths through a small lattice of carried errors. The likeliest path is found by the
Viterbi algorithm (Viterbi 1967, doi:10.1109/TIT.1967.1054010), with the likelihood of a duration counted from the paths
of all songs of that resolution, which is repeated until it settles.
"""

import math
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from toy_duration_predictor.errors import InputError

# For each note, the errors that may go on from it, and for each the (error carried in, duration) it may come from.
Lattice = list[dict[int, list[tuple[int, int]]]]

# Counting and searching in turn: on 160 real songs nothing changes after the fourth time.
ROUNDS = 4
# Added to the count of every duration, so that one not seen yet is unlikely and not impossible.
PSEUDO_COUNT = 0.5


class Repaired(NamedTuple):
    """Songs with their sung durations, as far as these could be recovered.

    Attributes:
        sung: int64 `(T,)` for each song, ticks.
        undecided: bool `(T,)` for each song; true where the arithmetic leaves more than one duration, and the likelier
            one was taken.
    """

    sung: list[np.ndarray]
    undecided: list[np.ndarray]


def repair(carried: list[np.ndarray], quantized: list[np.ndarray], resolutions: list[int]) -> Repaired:
    """Recovers sung durations.

    Args:
        carried: int64 `(T,)` for each song; what the table has for the sung durations.
        quantized: int64 `(T,)` for each song.
        resolutions: What is the same for songs in which durations are distributed alike, such as ticks per beat.

    Raises:
        InputError: A song's durations cannot come from that quantizer.
    """
    lattices = [
        _lattice(c.tolist(), q.tolist(), song) for song, (c, q) in enumerate(zip(carried, quantized, strict=True))
    ]
    undecided = [_undecided(lattice) for lattice in lattices]
    # The first count is of those that are certain.
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


def is_carried(carried: np.ndarray, quantized: np.ndarray) -> bool:
    """Returns whether a song's durations, int64 `(T,)`, can come from that quantizer at all."""
    try:
        _lattice(carried.tolist(), quantized.tolist(), 0)
    except InputError:
        return False
    return True


def _lattice(carried: list[int], quantized: list[int], song: int) -> Lattice:
    """Returns all readings of a song in which no duration is below 1 tick: a rest of 0 ticks is none."""
    lattice: Lattice = []
    errors = [0]
    for note, (c, q) in enumerate(zip(carried, quantized, strict=True)):
        onward: dict[int, list[tuple[int, int]]] = {}
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
    alive = set(lattice[-1])
    for note in range(len(lattice) - 1, -1, -1):
        ways = [way for error in alive for way in lattice[note][error]]
        undecided[note] = len({duration for _, duration in ways}) > 1
        alive = {error for error, _ in ways}
    return undecided


def _path(lattice: Lattice, log_likelihood: Callable[[int], float]) -> list[int]:
    """Returns the durations along the likeliest path."""
    best = {0: 0.0}
    chosen: list[dict[int, tuple[int, int]]] = []
    for onward in lattice:
        scores: dict[int, float] = {}
        choices: dict[int, tuple[int, int]] = {}
        for error, ways in onward.items():
            if len(ways) == len(onward) == 1:  # nothing to choose, as for most notes
                scores[error], choices[error] = best[ways[0][0]], ways[0]
                continue
            scores[error], choices[error] = max((best[way[0]] + log_likelihood(way[1]), way) for way in ways)
        best = scores
        chosen.append(choices)
    error = max(best, key=best.__getitem__)
    durations = []
    for choices in reversed(chosen):
        error, duration = choices[error]
        durations.append(duration)
    return durations[::-1]


def _log_likelihood(count: Counter[int]) -> Callable[[int], float]:
    total = count.total() + PSEUDO_COUNT * (len(count) + 1)
    logs = {duration: math.log((number + PSEUDO_COUNT) / total) for duration, number in count.items()}
    unseen = math.log(PSEUDO_COUNT / total)
    return lambda duration: logs.get(duration, unseen)
