"""Benchmark of what limits a network: songs to learn from, its size, and what no model could know; see `bench.py`."""

import os
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from bench_networks import WIDTH, Trial, make_data, settings, share
from datasets import Dataset
from rich.console import Console
from rich.table import Table

from toy_duration_predictor.data.notes import Notes
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.data.windows import Windows

SONGS = (10, 20, 40, 80)
CHANNELS = (8, 16, 32, 64, 128)
# Notes on either side that make two notes' surroundings the same.
REACHES = (2, 4, 8)


class Training(NamedTuple):
    """One network to train.

    Attributes:
        fold: Whose test songs it is tested on.
        songs: How many training songs it has; None: all.
        channels: Its width.
    """

    fold: int
    songs: int | None
    channels: int


class Tested(NamedTuple):
    """What became of it: songs and notes that it was trained on, and its errors as of `Trial.errors`."""

    songs: int
    notes: int
    errors: dict[int, np.ndarray]


def limits(path: Path, folds: int) -> None:
    """Trains `phase` on ever more songs, and in ever larger sizes; and compares notes with the same surroundings."""
    usual = int(settings("phase").model.sizes["width"])
    every = [(songs, usual) for songs in (*SONGS, None)] + [(None, channels) for channels in CHANNELS]
    sizes = list(dict.fromkeys(every))
    trainings = [Training(fold, *size) for size in sizes for fold in range(1, folds + 1)]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        tested = dict(zip(trainings, pool.map(_train, [path] * len(trainings), trainings), strict=True))
    shown = Table("training songs", "channels", "notes", "share of the copy error", title=f"{path.name}, {folds} folds")
    for songs, channels in sizes:
        some = [tested[Training(fold, songs, channels)] for fold in range(1, folds + 1)]
        count, notes = (np.mean([getattr(each, name) for each in some]) for name in ("songs", "notes"))
        errors = {row: song for each in some for row, song in each.errors.items()}
        shown.add_row(f"{count:.0f}", f"{channels}", f"{notes:,.0f}", f"{share(errors):.3f}")
        if (songs, channels) == (None, usual):
            whole = errors
    Console(width=WIDTH).print(shown)

    table = load_songs("parquet", path=path)
    shown = Table(
        "alike", "of all notes", "best possible from these", "phase", title="shares of the copy error of these notes"
    )
    for reach in REACHES:
        least, at = ambiguity(table, list(whole), reach)
        model, copied = sum(whole[row][:, places].sum(1) for row, places in at.items())
        seen = sum(map(len, at.values())) / sum(song.shape[1] for song in whole.values())
        shown.add_row(f"{reach} notes on either side", f"{seen:.1%}", f"{least / copied:.3f}", f"{model / copied:.3f}")
    Console(width=WIDTH).print(shown)


def ambiguity(table: Dataset, rows: list[int], reach: int) -> tuple[float, dict[int, np.ndarray]]:
    """Returns the least error on notes whose surroundings occur again in the same song, both notes or both rests.

    Whatever is predicted from the surroundings alone is one number for all that share them, and none has a smaller
    sum of absolute errors than the median.

    Args:
        table: A songs table.
        rows: The songs to look at.
        reach: How many quantized durations on either side are the same, beside the note's own.

    Returns:
        The least sum of absolute errors over these notes, ticks; and where in each row they are.
    """
    least, at = 0.0, {}
    sung, quantized = Notes.of(table, "durations"), Notes.of(table, "quantized_durations")
    for row in rows:
        scores = quantized.song(row)
        correction = sung.song(row) - scores
        padded = np.pad(scores, reach, constant_values=-1)
        groups = defaultdict(list)
        for note in range(len(scores)):
            groups[(note % 2, *padded[note : note + 2 * reach + 1].tolist())].append(note)
        again = [np.array(notes) for notes in groups.values() if len(notes) > 1]
        for notes in again:
            least += float(np.abs(correction[notes] - np.median(correction[notes])).sum())
        at[row] = np.concatenate([np.zeros(0, dtype=int), *again])
    return least, at


def _train(path: Path, training: Training) -> Tested:
    """Trains one network with its own settings, and tests it."""
    torch.set_num_threads(1)
    data = make_data("phase", load_songs("parquet", path=path), split=f"fold{training.fold}")
    rows = data.split.train
    if training.songs is not None:
        rows = np.random.default_rng(training.fold).permutation(rows)[: training.songs]
    windows, every = Windows(data.songs, torch.from_numpy(rows), data.window, "quantized"), len(data.train_windows)
    notes = int(windows.songs.lengths(torch.from_numpy(rows)).sum())
    # The same songs again and again, so that few songs are not trained on for fewer steps.
    again = np.resize(rows, len(rows) * -(-every // len(windows)))
    repaired = data.train_windows.repaired
    data.train_windows = Windows(data.songs, torch.from_numpy(again), data.window, "quantized")
    data.train_windows.repaired = repaired
    trial = Trial("phase", data, width=training.channels)
    loader = data.train_dataloader()
    for epoch in range(trial.epochs):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        for batch in loader:
            trial.step(batch)
    return Tested(len(rows), notes, trial.errors())
