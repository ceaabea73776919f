"""Benchmark of what limits a network: songs to learn from, its size, and what no model could know; see `bench.py`."""

import math
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from bench_networks import WIDTH, Trial, share
from datasets import Dataset
from numpy.lib.stride_tricks import sliding_window_view
from rich.console import Console
from rich.table import Table

from toy_duration_predictor.data.notes import Notes
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.data.windows import Windows

SONGS = (10, 20, 40, 80)
CHANNELS, USUAL = (8, 16, 32, 64, 128), 32
# Notes on either side that make two notes' surroundings the same.
REACHES = (2, 4, 8)
# Songs and notes that a network was trained on, and its errors as of `Trial.errors`.
Tested = tuple[tuple[int, int], dict[int, np.ndarray]]


class Training(NamedTuple):
    """One network to train.

    Attributes:
        path: Its songs.
        fold: Whose test songs it is tested on.
        songs: How many training songs it has; None: all.
        channels: Its width.
    """

    path: Path
    fold: int
    songs: int | None
    channels: int


def limits(path: Path, folds: int) -> None:
    """Trains `phase` on ever more songs, and in ever larger sizes; and compares notes with the same surroundings."""
    sizes = [(songs, USUAL) for songs in (*SONGS, None)] + [(None, width) for width in CHANNELS if width != USUAL]
    trainings = [Training(path, fold, *size) for size in sizes for fold in range(1, folds + 1)]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        tested = list(pool.map(_train, trainings))
    shown = Table("training songs", "channels", "notes", "share of the copy error", title=f"{path.name}, {folds} folds")
    of_size = {size: tested[i * folds : (i + 1) * folds] for i, size in enumerate(sizes)}
    for (_, channels), some in of_size.items():
        songs, notes = np.mean([counts for counts, _ in some], axis=0)
        shown.add_row(f"{songs:.0f}", f"{channels}", f"{notes:,.0f}", f"{share(_together(some)):.3f}")
    Console(width=WIDTH).print(shown)

    table, whole = load_songs("parquet", path=path), _together(of_size[None, USUAL])
    shown = Table(
        "alike", "of all notes", "best possible from these", "phase", title="shares of the copy error of these notes"
    )
    for reach in REACHES:
        least, at = ambiguity(table, list(whole), reach)
        model, copied = sum(whole[row][:, places].sum(1) for row, places in at.items())
        seen = sum(map(len, at.values())) / sum(song.shape[1] for song in whole.values())
        shown.add_row(f"{reach} notes on either side", f"{seen:.1%}", f"{least / copied:.3f}", f"{model / copied:.3f}")
    Console(width=WIDTH).print(shown)


def _together(tested: list[Tested]) -> dict[int, np.ndarray]:
    """Returns the errors of all folds, as of `Trial.errors`."""
    return {row: song for _, errors in tested for row, song in errors.items()}


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
    sung, quantized = Notes.of(table, "sung"), Notes.of(table, "quantized")
    for row in rows:
        scores = quantized.song(row)
        around = sliding_window_view(np.pad(scores, reach, constant_values=-1), 2 * reach + 1)
        rest = np.arange(len(scores))[:, None] % 2
        _, group, count = np.unique(np.hstack([rest, around]), axis=0, return_inverse=True, return_counts=True)
        at[row] = again = np.flatnonzero(count[group] > 1)
        correction = pd.Series((sung.song(row) - scores)[again])
        least += (correction - correction.groupby(group[again]).transform("median")).abs().sum()
    return least, at


def _train(training: Training) -> Tested:
    """Trains one network with its own settings, and tests it."""
    torch.set_num_threads(1)
    table = load_songs("parquet", path=training.path)
    trial = Trial("phase", table, f"data.split=fold{training.fold}", f"model.width={training.channels}")
    data, rows = trial.data, trial.data.split.train
    if training.songs is not None:
        rows = np.random.default_rng(training.fold).permutation(rows)[: training.songs]
    lengths = data.songs.lengths(torch.from_numpy(rows))
    # The same songs again and again, so that few songs are not trained on for fewer updates.
    times = math.ceil(len(data.train_windows) / int((lengths / data.window).ceil().sum()))
    data.train_windows = Windows(data.songs, torch.from_numpy(np.tile(rows, times)), data.window, "quantized")
    for epoch in range(trial.training.max_epochs):
        for _ in trial.epoch(epoch):
            pass
    return (len(rows), int(lengths.sum())), trial.errors()
