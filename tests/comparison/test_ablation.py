"""Ablations against the run itself, and a context by hand."""

import numpy as np
import pytest
import torch

from toy_duration_predictor.comparison.ablation import CONTEXTS, ablations, derangement
from toy_duration_predictor.comparison.evidence import measured
from toy_duration_predictor.data.datamodule import SongsDataModule
from toy_duration_predictor.models import Inputs
from toy_duration_predictor.training.predictions import predict_songs, predictions_table
from toy_duration_predictor.training.run_folder import load_run
from toy_duration_predictor.training.task import DurationTask
from toy_duration_predictor.training.timing_errors import MEASURES

OF_SINGERS = ("singer shuffled", "another singer", "mean singer", "no singer")


@pytest.mark.parametrize("value", [0.5, 0.0])
def test_ablations_of_nothing_change_nothing(shared_songs, shared_run, value):
    """Where all singers are alike it does not matter who sings, and where all are nobody, not even nobody."""
    task = load_run(shared_run)
    data = SongsDataModule(shared_songs, window=32)
    rows = np.sort(data.split.test)
    # The test songs' singers have no training songs.
    torch.manual_seed(0)
    task.network.singer_embedding.weight.normal_()
    predicted = torch.cat([notes[batch.mask] for batch, notes in predict_songs(task, shared_songs, rows)])
    own = measured(predictions_table(shared_songs, rows, predicted.numpy()))["ticks"]
    found = ablations(task, shared_songs, data.split.test, seed=0)
    assert set(found) == {*OF_SINGERS, *(f"context {notes}" for notes in CONTEXTS)}
    for name, by_unit in found.items():
        errors = by_unit["ticks"]
        assert [measure for measure in errors if measure in MEASURES] == (
            ["duration"] if name.startswith("context") else list(MEASURES)
        )
        for measure, of in errors.items():
            assert of.row.tolist() == own[measure].row.tolist()
            assert of.notes.tolist() == own[measure].notes.tolist()
    # A context as wide as all that the network sees is nearly the whole of it; a single note is not.
    wide, none = (
        np.abs(found[f"context {n}"]["ticks"]["duration"].error - own["duration"].error).sum() for n in (16, 0)
    )
    assert wide < none
    task.network.singer_embedding.weight[:] = value
    blind = ablations(task, shared_songs, data.split.test, seed=0)
    for measure in MEASURES:
        errors = {name: blind[name]["ticks"][measure].error for name in OF_SINGERS}
        for name in OF_SINGERS[:3]:
            assert errors[name] == pytest.approx(errors["singer shuffled"])
            assert found[name]["ticks"][measure].error.tolist() != own[measure].error.tolist()
        assert (errors["no singer"] == pytest.approx(errors["mean singer"])) == (value == 0)


@pytest.mark.parametrize(
    ("network", "sizes"), [("bigru", {"hidden_size": 2}), ("phase", {"width": 4, "layers": 1, "phases": 3})]
)
def test_a_network_without_styles_cannot_be_told_nobody(shared_songs, network, sizes):
    """Nor one that was trained by another loss than the likelihood, and has learned none."""
    data = SongsDataModule(shared_songs, window=32)
    task = DurationTask(network, sizes, data.singers, data.statistics, window=32)
    found = ablations(task, shared_songs, data.split.test, seed=0)
    assert {name for name in found if not name.startswith("context")} == {*OF_SINGERS} - {"no singer"}


def test_context_against_a_window_of_its_own(shared_songs, shared_run):
    """One note by hand: the window of three notes round it, whose start is known at the song's beginning only."""
    task = load_run(shared_run).eval()
    row = 8
    song = shared_songs[row]
    found = ablations(task, shared_songs, np.array([row]), seed=0)["context 1"]["ticks"]["duration"]
    step = torch.tensor([float(np.gcd.reduce(song["quantized_durations"]))])
    total = 0.0
    for i, sung in enumerate(song["durations"]):
        low, high = max(i - 1, 0), min(i + 2, len(song["durations"]))
        window = torch.tensor([song["quantized_durations"][low:high]], dtype=torch.float32)
        inputs = Inputs(
            quantized=window,
            mask=torch.ones_like(window, dtype=torch.bool),
            step=step,
            rest=torch.tensor([song["pitch"][low:high]]) == 0,
            start=torch.tensor([torch.nan if low else 0.0]),
            singer=torch.tensor([task.singers.index(song["singer_id"])]),
        )
        with torch.no_grad():
            predicted = task.network(inputs)[0, i - low]
        total += abs(predicted.item() - sung)
    assert found.error[0] == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 50])
def test_a_derangement_moves_everything(n):
    order = derangement(n, seed=n)
    assert sorted(order) == list(range(n))
    assert n == 1 or (order != np.arange(n)).all()
