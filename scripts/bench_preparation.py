"""Benchmarks of preparing MIDI files: speed, memory as the work grows, and damaged files; see `bench.py`."""

import re
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

from toy_duration_predictor.data.midi.prepare import find_files
from toy_duration_predictor.data.midi.recipe import Recipe, read_row, song
from toy_duration_predictor.data.midi.smf import parse
from toy_duration_predictor.data.midi.voice import read_voice
from toy_duration_predictor.data.schema import QUANTIZED_COLUMN, SUNG_COLUMN
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.sections import Section

# Linux counts KiB, macOS bytes.
MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024


def prepare(folder: Path) -> list[Section]:
    """Times reading on one core against the published preparation of the same files, in turn."""
    files = find_files(folder)
    read_row(folder / next(iter(files)), Recipe())  # compiles the quantizer
    ours, published = [], []
    for _ in range(3):
        began = time.process_time()
        rows = [read_row(folder / file, Recipe())[0] for file in files]
        ours.append((time.process_time() - began) / len(files))
        began = time.process_time()
        same = [_published_preparation(folder / file) for file in files]
        published.append((time.process_time() - began) / len(files))
        for row, (sung, quantized) in zip(rows, same, strict=True):
            assert row[SUNG_COLUMN].tolist() == sung  # noqa: S101
            assert row[QUANTIZED_COLUMN].tolist() == quantized  # noqa: S101
    a, b = min(published), min(ours)
    shown = [
        ("ms a song", f"{1e3 * a:.2f}", f"{1e3 * b:.2f}", f"{a / b:.0f}"),
        ("songs a second and core", f"{1 / a:.0f}", f"{1 / b:.0f}", f"{a / b:.0f}"),
    ]
    heads = ("", "published", "this project", "ratio")
    return [Section(f"{len(files)} songs, processor time, best of 3", heads, shown)]


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
    sung = np.array([row["duration"] for row in kept if row["lyric"] != " " or row["duration"] >= 0.3])
    quantized, _ = midii.quantize(sung.copy(), unit=file.ticks_per_beat // 8)
    return sung.tolist(), quantized


def scale(folder: Path) -> list[Section]:
    """Prepares 1,000, 10,000 and 100,000 songs, each number in a process of its own."""
    files = find_files(folder)
    rows = []
    for songs in (1_000, 10_000, 100_000):
        with TemporaryDirectory() as made:
            source, out = Path(made, "midi"), Path(made, "songs.parquet")
            source.mkdir()
            for i, file in zip(range(songs), cycle(files), strict=False):
                shutil.copyfile(folder / file, source / f"copy_{i:06d}_s{i % 18 + 1:02d}_x.mid")
            code = (
                "import resource, sys, pathlib\n"
                "from toy_duration_predictor.data.midi.prepare import prepare\n"
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
        megabytes = (f"{peak * MEMORY_UNIT / 1e6:.0f}" for peak in (own, child))
        rows.append((f"{count:,}", f"{seconds:.1f}", f"{1e3 * seconds / count:.2f}", *megabytes))
    return [Section("tdp prepare", ("songs", "seconds", "ms a song", "peak memory, MB", "of a worker, MB"), rows)]


def fuzz(folder: Path, files: int = 10_000) -> list[Section]:
    """Damages files in four ways, and reads them: bytes changed, cut, lengths and deltas made huge, events put in."""
    contents = [(folder / file).read_bytes() for file in find_files(folder)]
    rng = np.random.default_rng(0)
    outcomes: Counter[str] = Counter()
    slowest = largest = 0.0
    tracemalloc.start()
    for _ in range(files):
        content = bytearray(contents[rng.integers(len(contents))])
        way = rng.integers(4)
        for where in rng.integers(0, len(content), size=rng.integers(1, 20)):
            if way == 0:
                content[where] = rng.integers(256)
            elif way == 2:
                content[where : where + 4] = bytes([0xFF, 0xFF, 0xFF, 0x7F])
            elif way == 3:
                content[where:where] = bytes([rng.integers(128), rng.integers(128, 256), *rng.integers(0, 256, size=3)])
        if way == 1:
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
    title = f"{files:,} damaged files; slowest {slowest:.2f} s, most memory {largest / 1e6:.0f} MB"
    rows = [(outcome, f"{count:,}") for outcome, count in outcomes.most_common()]
    return [Section(title, ("outcome", "files"), rows)]
