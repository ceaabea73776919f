"""Speed, size and likeness, measured on this machine.

    loading             from songs table to first batch, time spent on data in a training step, and peak memory, for a
                        table of the published size
    corpus [TABLE ...]  figures of the embedded corpus beside those of songs tables
    prepare DIR         songs a second and core, beside the published preparation of the same files
    scale DIR           memory and time of preparing ever more songs, made from the files of a folder
    fuzz DIR            what becomes of damaged files, made from those of a folder

Absolute times depend on the machine and on what else it does; ratios of one run can be compared.
"""

import argparse
import re
import resource
import shutil
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import midii
import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from rich.console import Console
from rich.table import Table

from toy_duration_predictor.data.datamodule import SongsDataModule
from toy_duration_predictor.data.midi import read_voice
from toy_duration_predictor.data.prepare import NAMES, find_files, read_files
from toy_duration_predictor.data.recipe import Recipe, song
from toy_duration_predictor.data.smf import parse
from toy_duration_predictor.data.songs import ragged, validate_songs
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.task import DurationTask

# ccss17/note-duration-dataset; the number of notes is what 160 of its songs have on average.
PUBLISHED_ROWS, PUBLISHED_NOTES = 4204, 2_700_000


def loading() -> None:
    """Measures the way from a songs table of the published size to batches."""
    few = load_songs("simulated")
    notes = PUBLISHED_NOTES // PUBLISHED_ROWS
    columns: dict[str, list[Any]] = {"singer_id": [few[row % len(few)]["singer_id"] for row in range(PUBLISHED_ROWS)]}
    for name in ("durations", "quantized_durations"):
        endless, _ = ragged(few, name)
        columns[name] = [
            np.take(endless, range(row * notes, (row + 1) * notes), mode="wrap") for row in range(PUBLISHED_ROWS)
        ]
    table = Dataset.from_dict(columns)
    before = _peak_memory()
    began = time.perf_counter()
    data = SongsDataModule(validate_songs(table))
    batches = data.train_dataloader()
    next(iter(batches))
    first_batch = time.perf_counter() - began

    began = time.perf_counter()
    epoch = list(batches)
    on_data = (time.perf_counter() - began) / len(epoch)
    task = DurationTask("bigru", {}, data.singers, data.statistics)
    optimizer = torch.optim.AdamW(task.parameters())
    began = time.perf_counter()
    for batch in epoch[:10]:
        torch.autograd.backward(task.loss(batch))
        optimizer.step()
        optimizer.zero_grad()
    on_step = (time.perf_counter() - began) / 10

    shown = Table("loading", "", title=f"{len(table):,} songs, {len(ragged(table, 'durations')[0]):,} notes")
    shown.add_row("songs table to first batch", f"{first_batch:.2f} s")
    shown.add_row("data, share of a training step of the default network", f"{on_data / on_step:.2%}")
    shown.add_row("notes gathered per second", f"{data.notes_train / (on_data * len(epoch)):,.0f}")
    shown.add_row("peak memory of the process", f"{_peak_memory():.2f} GB, {before:.2f} GB before the datamodule")
    Console().print(shown)


def corpus(paths: list[Path]) -> None:
    """Prints what the embedded corpus and other tables look like, side by side."""
    tables = {"simulated": load_songs("simulated")} | {path.stem: load_songs("parquet", path=path) for path in paths}
    shown = Table("", *tables, title="sung durations; beats where no unit is given")
    columns = [_figures(table) for table in tables.values()]
    for row in columns[0]:
        shown.add_row(row, *(column.get(row, "") for column in columns))
    Console().print(shown)


def _figures(table: Dataset) -> dict[str, str]:
    """Returns figures of a table whose resolutions are known, as text."""
    sung, offsets = ragged(table, "durations")
    quantized, _ = ragged(table, "quantized_durations")
    lengths = np.diff(offsets)
    beat = np.repeat(table["ticks_per_beat"], lengths)
    # Songs start with a note, and rests are tiny, or real, between any two notes.
    rest = (np.arange(len(sung)) - np.repeat(offsets[:-1], lengths)) % 2 == 1
    error = np.abs(sung - quantized)
    figures = {
        "songs": f"{len(table)}",
        "notes and rests": f"{len(sung)}",
        "copy error, ticks": f"{error.mean():.2f}",
        "copy error": f"{(error / beat).mean():.4f}",
        "quantized to 0": f"{(quantized == 0).mean():.1%}",
    }
    for name, which in (("note", ~rest), ("rest", rest)):
        for percent in (5, 25, 50, 75, 95):
            figures[f"{name}, {percent}th percentile"] = f"{np.percentile((sung / beat)[which], percent):.3f}"
    return figures


def prepare(folder: Path) -> None:
    """Times reading on one core against the published preparation of the same files, in turn."""
    files = find_files(folder)
    read_files(list(files.items())[:1], str(folder), Recipe(), NAMES)  # compiles the quantizer
    ours, published = [], []
    for _ in range(3):
        began = time.process_time()
        rows = read_files(list(files.items()), str(folder), Recipe(), NAMES)
        ours.append((time.process_time() - began) / len(files))
        began = time.process_time()
        same = [_published_preparation(folder / file) for file in files]
        published.append((time.process_time() - began) / len(files))
        for row, (durations, quantized) in zip(rows, same, strict=True):
            assert np.frombuffer(row.durations or b"", np.int32).tolist() == durations  # noqa: S101
            assert np.frombuffer(row.quantized_durations or b"", np.int32).tolist() == quantized  # noqa: S101
    shown = Table("", "published", "this project", "ratio", title=f"{len(files)} songs, processor time, best of 3")
    a, b = min(published), min(ours)
    shown.add_row("ms a song", f"{1e3 * a:.2f}", f"{1e3 * b:.2f}", f"{a / b:.0f}")
    shown.add_row("songs a second and core", f"{1 / a:.0f}", f"{1 / b:.0f}", f"{a / b:.0f}")
    Console().print(shown)


def _published_preparation(path: Path) -> tuple[list[int], list[int]]:
    """Prepares a file the published way: mido's messages, then rows of a pandas table one by one."""
    try:
        file = midii.MidiFile(path, convert_1_to_0=True, lyric_encoding="utf-8")
        _ = file.lyrics
    except UnicodeDecodeError:
        file = midii.MidiFile(path, convert_1_to_0=True, lyric_encoding="cp949")
    found: list[dict[str, Any]] = []
    now = end = 0
    for message in file.tracks[0]:
        now += message.time
        if message.type == "note_on" and message.velocity:
            if now > end:
                found.append({"start": end, "end": now, "lyric": " "})
            found.append({"start": now, "end": now, "lyric": ""})
        elif message.type == "lyrics" and found:
            text = midii.MessageAnalyzer_lyrics(msg=message, encoding=file.lyric_encoding).lyric
            found[-1]["lyric"] = text.strip() or "?"
        elif message.type in ("note_on", "note_off"):
            found[-1]["end"] = end = now
    table = pd.DataFrame(found)
    table["duration"] = table["end"] - table["start"]
    begin, stop = (table.index[table["lyric"] == mark].tolist()[0] for mark in "JH")
    table = table.iloc[begin + 1 : stop].sort_values("start", kind="stable").reset_index(drop=True)
    notes = table.index[table["lyric"] != " "].tolist()
    table = table.iloc[notes[0] : notes[-1] + 1].reset_index(drop=True)
    merged: list[dict[Any, Any]] = []
    for i in range(len(table)):
        row = table.iloc[i]
        if merged and row["lyric"] == " " == merged[-1]["lyric"]:
            merged[-1]["end"] = row["end"]
            merged[-1]["duration"] = row["end"] - merged[-1]["start"]
        else:
            merged.append(row.to_dict())
    table = pd.DataFrame(merged)
    kept = [table.iloc[i].to_dict() for i in range(len(table))]
    durations = np.array([row["duration"] for row in kept if row["lyric"] != " " or row["duration"] >= 0.3])
    quantized, _ = midii.quantize(durations.copy(), unit=file.ticks_per_beat // 8)
    return durations.tolist(), quantized


def scale(folder: Path) -> None:
    """Prepares 1,000, 10,000 and 100,000 songs; each is measured in a process of its own."""
    files = find_files(folder)
    shown = Table("songs", "seconds", "ms a song", "peak memory, MB", "of a worker, MB", title="tdp prepare")
    for songs in (1_000, 10_000, 100_000):
        with TemporaryDirectory() as made:
            source, out = Path(made, "midi"), Path(made, "songs.parquet")
            source.mkdir()
            for i, file in zip(range(songs), cycle(files), strict=False):
                shutil.copyfile(folder / file, source / f"copy_{i:06d}_s{i % 18 + 1:02d}_x.mid")
            code = (
                "import resource, sys, pathlib\n"
                "from toy_duration_predictor.data.prepare import prepare\n"
                "if __name__ == '__main__':\n"
                "    done = prepare(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))\n"
                "    own, child = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN\n"
                "    print(done.songs, *(resource.getrusage(which).ru_maxrss for which in (own, child)))\n"
            )
            script = Path(made, "measure.py")
            script.write_text(code)
            began = time.perf_counter()
            command = [sys.executable, str(script), str(source), str(out)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
            seconds = time.perf_counter() - began
        count, own, child = map(int, done.stdout.split())
        megabytes = (f"{each * MEMORY_UNIT / 1e6:.0f}" for each in (own, child))
        shown.add_row(f"{count:,}", f"{seconds:.1f}", f"{1e3 * seconds / count:.2f}", *megabytes)
    Console().print(shown)


def fuzz(folder: Path, files: int = 10_000) -> None:
    """Damages files in four ways and reads each: bytes changed, cut, lengths and deltas made huge, events put in."""
    contents = [(folder / file).read_bytes() for file in find_files(folder)]
    rng = np.random.default_rng(0)
    outcomes: Counter[str] = Counter()
    slowest = largest = 0.0
    tracemalloc.start()
    for _ in range(files):
        content = bytearray(contents[rng.integers(len(contents))])
        kind = rng.integers(4)
        for where in rng.integers(0, len(content), size=rng.integers(1, 20)):
            if kind == 0:
                content[where] = rng.integers(256)
            elif kind == 2:
                content[where : where + 4] = bytes([0xFF, 0xFF, 0xFF, 0x7F])
            elif kind == 3:
                content[where:where] = bytes([rng.integers(128), rng.integers(128, 256), *rng.integers(0, 256, size=3)])
        if kind == 1:
            del content[rng.integers(len(content)) :]
        tracemalloc.reset_peak()
        began = time.perf_counter()
        try:
            song(read_voice(parse(bytes(content))), Recipe())
            outcomes["a row"] += 1
        except InputError as error:
            outcomes["refused: " + re.sub(r"0x[0-9a-f]+|\d+", "N", str(error))] += 1
        slowest = max(slowest, time.perf_counter() - began)
        largest = max(largest, tracemalloc.get_traced_memory()[1])
    shown = Table(
        "outcome",
        "files",
        title=f"{files:,} damaged files; slowest {slowest:.2f} s, most memory {largest / 1e6:.0f} MB",
    )
    for outcome, count in outcomes.most_common():
        shown.add_row(outcome, f"{count:,}")
    Console().print(shown)


# Linux counts KiB, macOS bytes.
MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024


def _peak_memory() -> float:
    """Returns the process's peak memory so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MEMORY_UNIT / 1e9


def main() -> None:
    """Runs the benchmark that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("loading").set_defaults(run=lambda _: loading())
    tables = commands.add_parser("corpus")
    tables.add_argument("table", type=Path, nargs="*")
    tables.set_defaults(run=lambda arguments: corpus(arguments.table))
    for name, benchmark in (("prepare", prepare), ("scale", scale), ("fuzz", fuzz)):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path)
        command.set_defaults(run=lambda arguments, benchmark=benchmark: benchmark(arguments.folder))
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
