"""Benchmark of what limits a network: songs to learn from, its size, and what no model could know; see `bench.py`."""

import math
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import torch
from bench_networks import Trial, share
from datasets import Dataset
from numpy.lib.stride_tricks import sliding_window_view

from toy_duration_predictor.data.batches import Songs
from toy_duration_predictor.data.midi.engines import usable_cores
from toy_duration_predictor.data.notes import Notes
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.data.windows import Windows
from toy_duration_predictor.models._potentials import PhasePotentials
from toy_duration_predictor.sections import Section

SONGS = (10, 20, 40, 80)
CHANNELS, USUAL = (8, 16, 32, 64, 128), 32
# Notes on either side that make two notes' surroundings the same.
REACHES = (2, 4, 8)
# Songs and notes that a network was trained on, and its errors, as `Trial.errors` returns them.
Tested = tuple[tuple[int, int], dict[int, np.ndarray]]


def limits(path: Path, folds: int) -> list[Section]:
    """Trains `phase` on ever more songs, and in ever larger sizes; and compares notes with the same surroundings."""
    # Training songs, None for all; and channels.
    sizes = [(songs, USUAL) for songs in (*SONGS, None)] + [(None, width) for width in CHANNELS if width != USUAL]
    trainings = [(path, fold, *size) for size in sizes for fold in range(1, folds + 1)]
    with ProcessPoolExecutor(usable_cores(), mp_context=get_context("spawn")) as pool:
        tested = list(pool.map(_train, *zip(*trainings, strict=True)))
    of_size = {size: tested[i * folds : (i + 1) * folds] for i, size in enumerate(sizes)}
    rows = []
    for (_, channels), some in of_size.items():
        songs, notes = np.mean([counts for counts, _ in some], axis=0)
        rows.append((f"{songs:.0f}", f"{channels}", f"{notes:,.0f}", f"{share(_together(some)):.3f}"))
    heads = ("training songs", "channels", "notes", "share of the copy error")
    by_size = Section(f"{path.name}, {folds} folds", heads, rows)

    table, whole = load_songs("parquet", path=path), _together(of_size[None, USUAL])
    rows = []
    for reach in REACHES:
        least, at = ambiguity(table, list(whole), reach)
        model, copied = sum(whole[row][:, places].sum(1) for row, places in at.items())
        seen = sum(map(len, at.values())) / sum(song.shape[1] for song in whole.values())
        shares = (f"{seen:.1%}", f"{least / copied:.3f}", f"{model / copied:.3f}")
        rows.append((f"{reach} notes on either side", *shares))
    heads = ("alike", "of all notes", "best possible from these", "phase")
    return [by_size, Section("Shares of the copy error of notes with the same surroundings", heads, rows)]


def _together(tested: list[Tested]) -> dict[int, np.ndarray]:
    """Returns the errors of all folds, as `Trial.errors` returns those of one."""
    return {row: song for _, errors in tested for row, song in errors.items()}


def ambiguity(table: Dataset, rows: list[int], reach: int) -> tuple[float, dict[int, np.ndarray]]:
    """Returns the least error on notes whose surroundings occur again in the same song; rests are not taken for notes.

    A prediction from the surroundings alone is the same number for all notes that share them. No number has a smaller
    sum of absolute errors than the median.

    Args:
        table: A songs table.
        rows: The songs to look at.
        reach: How many quantized durations on either side make the surroundings, beside the note's own.

    Returns:
        The least sum of absolute errors over these notes, ticks; and where in each row they are.
    """
    least, at = 0.0, {}
    sung, quantized = Notes.of(table, "sung"), Notes.of(table, "quantized")
    rests = Songs(table, sorted(set(table["singer_id"]))).rest
    for row in rows:
        song = quantized.song(row)
        around = sliding_window_view(np.pad(song, reach, constant_values=-1), 2 * reach + 1)
        _, group, count = np.unique(
            np.hstack([rests.song(row)[:, None], around]), axis=0, return_inverse=True, return_counts=True
        )
        at[row] = again = np.flatnonzero(count[group] > 1)
        correction = pd.Series((sung.song(row) - song)[again])
        least += (correction - correction.groupby(group[again]).transform("median")).abs().sum()
    return least, at


def _train(path: Path, fold: int, songs: int | None, channels: int) -> Tested:
    """Trains one network with its own settings on so many songs of a fold, and tests it."""
    torch.set_num_threads(1)
    trial = Trial("phase", load_songs("parquet", path=path), f"data.split=fold{fold}", f"model.width={channels}")
    data, rows = trial.data, trial.data.split.train
    if songs is not None:
        rows = np.random.default_rng(fold).permutation(rows)[:songs]
    performed, wrong = data.songs.performed(rows)
    rows = np.setdiff1d(rows, wrong)
    data.references = references = data.songs.references(rows, performed)
    styles, prior = references.of_singers(len(data.singers)), np.stack(references.prior)
    cast(PhasePotentials, trial.task.network).set_styles(torch.from_numpy(styles), torch.from_numpy(prior))
    every = len(data.train_windows)
    anew = performed if trial.training.requantize else None
    data.train_windows = Windows(data.songs, torch.from_numpy(rows), data.window, "quantized", anew, references)
    # Few songs have more epochs, so that they do not get fewer updates than many songs.
    epochs = trial.training.max_epochs * math.ceil(every / len(data.train_windows))
    trial.training = trial.training.model_copy(update={"max_epochs": epochs})
    for epoch in range(epochs):
        for _ in trial.epoch(epoch):
            pass
    lengths = data.songs.lengths(torch.from_numpy(rows))
    return (len(rows), int(lengths.sum())), trial.errors()
