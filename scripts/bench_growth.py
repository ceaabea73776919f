"""Benchmark of training as the work grows; see `bench.py`.

Run by itself, `python bench_growth.py TABLE`, it measures one table and prints the figures: each size has a process of
its own, whose memory the others do not touch.
"""

import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bench_networks import WIDTH, Trial, make_data
from rich.console import Console
from rich.table import Table

from toy_duration_predictor.data.quantize import quantize
from toy_duration_predictor.data.songs import ROWS_AT_ONCE, ragged
from toy_duration_predictor.data.sources import load_songs

# ccss17/note-duration-dataset; the number of notes is what 160 of its songs have on average.
PUBLISHED_ROWS, PUBLISHED_NOTES = 4204, 2_700_000
STEPS = 100
# Ticks of a grid step.
STEP = 15


def growth() -> None:
    """Measures steps of training on 1, 10 and 100 times the published number of notes, read from a Parquet file."""
    shown = Table(
        "notes", "file to datamodule, s", "the same, us a note", "training, us a note", "memory, MB", "mapped, MB"
    )
    for factor in (1, 10, 100):
        with TemporaryDirectory() as folder:
            path = Path(folder, "songs.parquet")
            write_songs(path, factor)
            command = [sys.executable, __file__, str(path)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
        notes, ready, a_note, own, mapped = map(float, done.stdout.split()[-5:])
        per_note = (1e6 * each for each in (ready / notes, a_note))
        shown.add_row(
            f"{notes:,.0f}", f"{ready:.1f}", *(f"{each:.2f}" for each in per_note), f"{own:.0f}", f"{mapped:.0f}"
        )
    Console(width=WIDTH).print(shown)


def write_songs(path: Path, factor: int) -> None:
    """Writes a songs table of so many times the published number of notes, made of those of the embedded corpus."""
    few = load_songs("simulated")
    notes = PUBLISHED_NOTES // PUBLISHED_ROWS
    # As many different songs as one part has: each part of the table is the same.
    songs = np.resize(ragged(few, "durations")[0], (ROWS_AT_ONCE, notes))
    part = pa.table(
        {
            "singer_id": np.resize(few["singer_id"][:], ROWS_AT_ONCE),
            "durations": list(songs.astype(np.int32)),
            "quantized_durations": [quantize(song, STEP).astype(np.int32) for song in songs],
        }
    )
    with pq.ParquetWriter(path, part.schema) as writer:
        rows = PUBLISHED_ROWS * factor
        for first in range(0, rows, ROWS_AT_ONCE):
            writer.write_table(part.slice(0, min(ROWS_AT_ONCE, rows - first)))


class Memory(threading.Thread):
    """Watches what this process holds at most: its own memory, and what is mapped of files beyond the first look, MB.

    The system takes mapped pages back where it needs them; its own ones it cannot. From /proc, so on Linux only.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        _, self.before = self._look()
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


def main(path: str) -> None:
    """Prints notes, seconds to a datamodule, seconds a note in training, and memory."""
    memory = Memory()
    memory.start()
    began = time.perf_counter()
    data = make_data("phase", load_songs("parquet", path=path))
    ready = time.perf_counter() - began
    assert data.requantize  # noqa: S101
    trial = Trial("phase", data)
    batches = iter(data.train_dataloader())
    trial.step(next(batches))
    began, seen = time.perf_counter(), 0
    for _ in range(STEPS):
        batch = next(batches)
        trial.step(batch)
        seen += int(batch.mask.sum())
    a_note = (time.perf_counter() - began) / seen
    print(int(data.songs.offsets[-1]), ready, a_note, memory.own, memory.mapped)


if __name__ == "__main__":
    main(sys.argv[1])
