"""The grid on which a model learned goes with the model."""

import numpy as np
import pytest

from tests.conftest import FEW_SONGS, SHORT
from toy_duration_predictor.data.midi.prepare import prepare
from toy_duration_predictor.data.midi.recipe import Recipe
from toy_duration_predictor.data.quantize import quantize
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.scores.recordings import read_references
from toy_duration_predictor.sharing.hub import _hub_model
from toy_duration_predictor.training.train import train


def test_a_run_and_its_saved_model_know_their_grid(tmp_path, config, shared_run):
    assert Predictor.load(shared_run).step_beats == Predictor.load("demo").step_beats == 1 / 8

    def on_16ths(song):
        return {"quantized_durations": quantize(np.array(song["durations"]), song["ticks_per_beat"] // 4)}

    simulate_songs(12).map(on_16ths).to_parquet(tmp_path / "songs.parquet")
    settings = [each for each in SHORT if each not in FEW_SONGS]
    songs = ("data=parquet", f"data.path='{tmp_path / 'songs.parquet'}'", "data.split=published")
    run = train(config(*settings, *songs))["run/folder"]
    assert Predictor.load(run).step_beats == 1 / 4
    _hub_model(run, "me/mine").save_pretrained(tmp_path / "model")
    assert Predictor.load(tmp_path / "model").step_beats == 1 / 4


@pytest.mark.parametrize(("grid", "step_beats"), [("32", 1 / 8), ("16", 1 / 4), ("16t", 1 / 6)])
def test_recordings_are_put_on_the_models_grid(folder, tmp_path, grid, step_beats):
    prepare(folder, tmp_path / "songs.parquet", Recipe(grid=grid))
    of_table = read_references([tmp_path / "songs.parquet"], step_beats)
    assert len(of_table) == 4
    for row, same in zip(read_references([folder], step_beats), of_table, strict=True):
        assert row["quantized_durations"].tolist() == same["quantized_durations"]


def test_what_is_on_another_grid_is_refused(folder, tmp_path):
    prepare(folder, tmp_path / "songs.parquet")
    with pytest.raises(InputError, match=r"row 0 has a grid step of 0\.125 beats, and the model learned with one of 0"):
        read_references([tmp_path / "songs.parquet"], 1 / 4)
    with pytest.raises(InputError, match=r"\.mid: the model learned on a grid of 0\.2 beats, to which no recording"):
        read_references([folder], 1 / 5)
