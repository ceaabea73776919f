import os
import re
import subprocess
import sys

import numpy as np
import pytest
from huggingface_hub import ModelCard
from safetensors.torch import load_file

from tests.conftest import ROOT
from toy_duration_predictor import Predictor, SongsDataModule, load_songs
from toy_duration_predictor.inference.predictor import DEMO_MODEL
from toy_duration_predictor.sharing.hub import save_model
from toy_duration_predictor.training.run_folder import read_metrics


def test_it_is_small():
    assert sum(file.stat().st_size for file in DEMO_MODEL.iterdir()) < 2_000_000


def test_its_error_is_the_recorded_one():
    table = load_songs("simulated")
    card = ModelCard.load(DEMO_MODEL / "README.md").data
    recorded = {result.metric_name: result.metric_value for result in card.eval_results}
    test = table.select(SongsDataModule(table).split.test.tolist())
    predictor = Predictor.load("demo")
    sung = np.concatenate(test["durations"])
    predicted = [
        predictor.predict(song["quantized_durations"], song["singer_id"], song["ticks_per_beat"] / 8) for song in test
    ]
    # The run is tested in windows, a predictor sees whole songs.
    assert np.abs(np.concatenate(predicted) - sung).mean() == pytest.approx(recorded["MAE, ticks"], rel=0.01)
    copied = np.abs(np.concatenate(test["quantized_durations"]) - sung).mean()
    assert copied == pytest.approx(recorded["MAE of the copy baseline, ticks"], abs=1e-4)


def test_its_singers_differ():
    predictor = Predictor.load("demo")
    quantized = load_songs("simulated")[0]["quantized_durations"]
    one, other = (predictor.predict(quantized, singer) for singer in (3, 7))
    assert np.abs(one - other).mean() > 0.3


@pytest.mark.slow
def test_the_command_beside_it_gives_its_weights(tmp_path):
    command = re.search(r"python (scripts/train\.py .*)", (DEMO_MODEL / "README.md").read_text())[1]
    given = ["trainer.progress=false", f"logs={tmp_path / 'logs'}"]
    subprocess.run([sys.executable, *command.split(), *given], cwd=ROOT, check=True, capture_output=True, timeout=600)
    [run] = tmp_path.glob("logs/model_b-*")
    save_model(run, tmp_path / "demo")
    trained, shipped = (load_file(folder / "model.safetensors") for folder in (tmp_path / "demo", DEMO_MODEL))
    assert trained.keys() == shipped.keys()
    recorded = ModelCard.load(DEMO_MODEL / "README.md").data.eval_results[0].metric_value
    assert read_metrics(run)["test/mae"] == pytest.approx(recorded, rel=0.02)  # on any machine
    if os.environ.get("TDP_RETRAIN") == "same":
        assert all((trained[name] == shipped[name]).all() for name in shipped)
