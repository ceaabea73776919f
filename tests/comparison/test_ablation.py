"""Ablations against the run itself, and a context by hand."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from toy_duration_predictor.comparison.ablation import ablations, derangement
from toy_duration_predictor.comparison.evidence import song_errors
from toy_duration_predictor.data.datamodule import SongsDataModule
from toy_duration_predictor.training.run_folder import load_run


def test_ablations_of_nothing_change_nothing(shared_songs, shared_run):
    task = load_run(shared_run)
    data = SongsDataModule(shared_songs, window=32)
    own = song_errors(pq.read_table(shared_run / "predictions.parquet"))
    found = ablations(task, shared_songs, data.split.test, seed=0)
    for errors in found.values():
        assert errors.row.tolist() == own.row.tolist()
        assert errors.notes.tolist() == own.notes.tolist()
    # A context as wide as the window's is nearly the whole of it; a single note is not.
    wide, none = (np.abs(found[f"context {n}"].error - own.error).sum() for n in (16, 0))
    assert wide < none
    with torch.no_grad():
        task.network.singer_embedding.weight[:] = 0.5
    blind = ablations(task, shared_songs, data.split.test, seed=0)
    for name in ("singer shuffled", "another singer", "mean singer"):
        assert blind[name].error == pytest.approx(blind["singer shuffled"].error)
        assert found[name].error.tolist() != own.error.tolist()


def test_context_against_a_window_of_its_own(shared_songs, shared_run):
    """One note by hand: the window of three notes round it."""
    task = load_run(shared_run)
    row = 8
    song = shared_songs[row]
    found = ablations(task, shared_songs, np.array([row]), seed=0)["context 1"]
    step = torch.tensor([float(np.gcd.reduce(song["quantized_durations"]))])
    total = 0.0
    for i, sung in enumerate(song["durations"]):
        low, high = max(i - 1, 0), min(i + 2, len(song["durations"]))
        window = torch.tensor([song["quantized_durations"][low:high]], dtype=torch.float32)
        singer = torch.tensor([task.singers.index(song["singer_id"])])
        with torch.no_grad():
            mask, step = (
                torch.ones_like(window, dtype=torch.bool),
                torch.tensor([float(np.gcd.reduce(song["quantized_durations"]))]),
            )
            predicted = task.network(window, singer, mask, step)[0, i - low]
        total += abs(predicted.item() - sung)
    assert found.error[0] == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 50])
def test_a_derangement_moves_everything(n):
    order = derangement(n, seed=n)
    assert sorted(order) == list(range(n))
    assert n == 1 or (order != np.arange(n)).all()
