"""Benchmark of training as the work grows; see `bench.py`."""

import threading
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bench_networks import Trial

from toy_duration_predictor.data.quantize import quantize
from toy_duration_predictor.data.schema import QUANTIZED_COLUMN, SUNG_COLUMN
from toy_duration_predictor.data.songs import ROWS_AT_ONCE, ragged
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.sections import Section

# The rows of ccss17/note-duration-dataset; and its notes, if all rows have as many as 160 of its songs on average.
PUBLISHED_ROWS, PUBLISHED_NOTES = 4204, 2_700_000
UPDATES = 100
# Ticks of a grid step.
STEP = 15


def growth(factors: list[int]) -> list[Section]:
    """Measures training on these multiples of the published number of notes, read from a Parquet file."""
    heads = "file to datamodule, s", "us a note", "training, us a note", "of this on data", "memory, MB", "mapped, MB"
    rows = []
    for factor in factors:
        # In a process of its own, so that a measurement does not count the memory of the one before.
        with TemporaryDirectory() as folder, ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            path = Path(folder, "songs.parquet")
            write_songs(path, factor)
            rows.append(pool.submit(_measure, path).result())
    return [Section("Training on ever more notes", ("notes", *heads), rows)]


def write_songs(path: Path, factor: int) -> None:
    """Writes a songs table of a multiple of the published number of notes, made of simulated songs."""
    few = load_songs("simulated")
    notes = PUBLISHED_NOTES // PUBLISHED_ROWS
    # The same part is written again and again: a table of the largest size would not fit into memory.
    songs = np.resize(ragged(few, "sung")[0], (ROWS_AT_ONCE, notes))
    part = pa.table(
        {
            "singer_id": np.resize(few["singer_id"][:], ROWS_AT_ONCE),
            SUNG_COLUMN: list(songs.astype(np.int32)),
            QUANTIZED_COLUMN: [quantize(song, STEP).astype(np.int32) for song in songs],
        }
    )
    with pq.ParquetWriter(path, part.schema) as writer:
        rows = PUBLISHED_ROWS * factor
        for first in range(0, rows, ROWS_AT_ONCE):
            writer.write_table(part.slice(0, min(ROWS_AT_ONCE, rows - first)))


class Memory(threading.Thread):
    """Watches the most memory that this process holds, MB: its own, and pages of files mapped since it began to watch.

    `held` is its own when it began.

    The system can take back mapped pages where it needs them, but not the process's own. Works on Linux only.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.held, self.before = self._look()
        self.own = self.mapped = 0.0

    def run(self) -> None:
        """Looks forty times a second."""
        while True:
            own, mapped = self._look()
            self.own, self.mapped = max(self.own, own), max(self.mapped, mapped - self.before)
            time.sleep(0.025)

    def _look(self) -> tuple[float, float]:
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        own, mapped = (int(status[key].split()[0]) / 1e3 for key in ("RssAnon", "RssFile"))
        return own, mapped


def _measure(path: Path) -> tuple[str, ...]:
    """Returns a row of `growth`."""
    memory = Memory()
    memory.start()
    began = time.perf_counter()
    trial = Trial("phase", load_songs("parquet", path=path))
    ready, notes = time.perf_counter() - began, int(trial.data.songs.offsets[-1])
    updates = trial.epoch(0)
    next(updates)  # the first update allocates memory, and takes longer
    began = time.perf_counter()
    took, seen = map(sum, zip(*islice(updates, UPDATES), strict=True))
    spent = time.perf_counter() - began
    per_note = f"{1e6 * ready / notes:.2f}", f"{1e6 * spent / seen:.2f}", f"{1 - took / spent:.1%}"
    return f"{notes:,}", f"{ready:.1f}", *per_note, f"{memory.own:.0f}", f"{memory.mapped:.0f}"
