"""Benchmark of telling sung durations, each rounded by itself, from carried values; see `bench.py`."""

from pathlib import Path
from time import perf_counter

import numpy as np

from toy_duration_predictor.data.midi.prepare import find_files
from toy_duration_predictor.data.midi.recipe import Limit, Recipe, read_row
from toy_duration_predictor.data.origin import Origin, origin
from toy_duration_predictor.data.quantize import carried, quantize
from toy_duration_predictor.data.schema import SUNG_COLUMN
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.sections import Section

SIMULATED, SEED = 1200, 1
# Notes of a row's beginning; None is the whole row.
BEGINNINGS = (None, 100, 50, 20, 10)
# 0.3 s at the tempo of simulated songs.
SHORTEST_BEATS = 0.6
FOUND = {
    "carried": (Origin.QUANTIZER,),
    "sung": (Origin.SINGER, Origin.ROUNDED),
    "undecided": (Origin.UNDECIDED, Origin.EITHER),
}
# A song's durations, `(T,)`, and its ticks per beat.
Sung = tuple[np.ndarray, int]


def origins(folder: Path) -> list[Section]:
    """Quantizes real and simulated songs in both ways, and asks of each row by itself what its durations are."""
    files = find_files(folder)

    def real(recipe: Recipe) -> list[Sung]:
        rows = (read_row(folder / file, recipe)[0] for file in files)
        return [(row[SUNG_COLUMN], row["ticks_per_beat"]) for row in rows]

    table = simulate_songs(SIMULATED, SEED)
    simulated = [
        (np.array(song), ticks) for song, ticks in zip(table[SUNG_COLUMN], table["ticks_per_beat"], strict=True)
    ]
    return [
        _told_apart(f"{len(files)} real songs", real(Recipe())),
        _told_apart("The same without rests under 0.3 s", real(Recipe(shortest_rest=Limit(0.3, "s")))),
        _told_apart(f"{SIMULATED:,} simulated songs", simulated),
        _told_apart("The same without rests under 0.3 s", list(map(_without_short_rests, simulated))),
    ]


def _told_apart(title: str, songs: list[Sung]) -> Section:
    steps = [ticks // 8 for _, ticks in songs]
    sung = [durations for durations, _ in songs]
    made = {
        "carried": [(carried(s, step), quantize(s, step)) for s, step in zip(sung, steps, strict=True)],
        "rounded": [(s, quantize(s, step, forward_error=False)) for s, step in zip(sung, steps, strict=True)],
    }
    rows = []
    for kind, pairs in made.items():
        for notes in BEGINNINGS:
            began = perf_counter()
            found = [origin(durations[:notes], quantized[:notes]) for durations, quantized in pairs]
            each = 1e3 * (perf_counter() - began) / len(found)
            shares = (f"{sum(one in kinds for one in found) / len(found):.1%}" for kinds in FOUND.values())
            rows.append((kind, "all" if notes is None else str(notes), *shares, f"{each:.2f}"))
    return Section(title, ("made as", "notes", *FOUND, "ms a row"), rows)


def _without_short_rests(song: Sung) -> Sung:
    """Gives short rests to the notes after them."""
    durations, ticks = song
    short = durations[1::2] < SHORTEST_BEATS * ticks
    # Every second point in time is the end of a rest; the ends of short ones are left out, and the starts stay.
    times = np.concatenate([[0], np.cumsum(durations)])
    return np.diff(np.delete(times, 2 * np.flatnonzero(short) + 2)), ticks
