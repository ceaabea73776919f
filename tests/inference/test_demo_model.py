import os
import re
import subprocess
import sys

import numpy as np
import pytest
from huggingface_hub import ModelCard
from safetensors.torch import load_file

from tests.conftest import LONGEST, ROOT
from toy_duration_predictor import Predictor, SongsDataModule, load_songs
from toy_duration_predictor.inference.places import DEMO_MODEL
from toy_duration_predictor.sharing.hub import save_model
from toy_duration_predictor.training.run_folder import read_metrics
from toy_duration_predictor.training.timing_errors import timing_errors

# The singers of the model are further apart than those of the default songs.
SINGER_EFFECT = 3.0


def test_it_is_small():
    assert sum(file.stat().st_size for file in DEMO_MODEL.iterdir()) < 2_000_000


def test_its_error_is_the_recorded_one():
    table = load_songs("simulated", singer_effect=SINGER_EFFECT)
    card = ModelCard.load(DEMO_MODEL / "README.md").data
    recorded = {result.metric_name: result.metric_value for result in card.eval_results}
    test = table.select(SongsDataModule(table).split.test.tolist())
    predictor = Predictor.load("demo")
    for column, whose in (("predicted", ""), ("quantized", " of the copy baseline")):
        off = []
        for song in test:
            rest, quantized = np.array(song["pitch"]) == 0, np.array(song["quantized_durations"])
            of = quantized if column == "quantized" else predictor.predict(quantized, song["singer_id"], rest=rest)
            off.append(timing_errors(of, song["durations"], rest))
        onset, duration = (np.concatenate([getattr(each, name) for each in off]) for name in ("onset", "duration"))
        assert onset.mean() == pytest.approx(recorded[f"MAE of onsets{whose}, ticks"], rel=1e-3)
        assert duration.mean() == pytest.approx(recorded[f"MAE{whose}, ticks"], rel=1e-3)


def test_its_singers_are_audibly_apart():
    predictor = Predictor.load("demo")
    song = load_songs("simulated")[0]
    rest = np.array(song["pitch"]) == 0
    sung = np.array([predictor.predict(song["quantized_durations"], each, rest=rest) for each in predictor.singers])
    onsets = (np.cumsum(sung, axis=1) - sung)[:, ~rest]
    apart = np.abs(onsets[:, None] - onsets).mean(-1)  # ticks
    assert apart.max() * song["tempo"] / song["ticks_per_beat"] / 1000 >= 15  # milliseconds


@pytest.mark.slow
def test_the_command_beside_it_gives_its_weights(tmp_path):
    command = re.search(r"python (scripts/train\.py .*)", (DEMO_MODEL / "README.md").read_text())[1]
    given = ["trainer.progress=false", f"logs={tmp_path / 'logs'}"]
    subprocess.run(
        [sys.executable, *command.split(), *given], cwd=ROOT, check=True, capture_output=True, timeout=LONGEST
    )
    [run] = tmp_path.glob("logs/model_b-*")
    save_model(run, tmp_path / "demo")
    trained, shipped = (load_file(folder / "model.safetensors") for folder in (tmp_path / "demo", DEMO_MODEL))
    assert trained.keys() == shipped.keys()
    results = ModelCard.load(DEMO_MODEL / "README.md").data.eval_results
    recorded = {result.metric_name: result.metric_value for result in results}
    assert read_metrics(run)["test/mae"] == pytest.approx(recorded["MAE, ticks"], rel=0.02)  # on any machine
    if os.environ.get("TDP_RETRAIN") == "same":
        assert all((trained[name] == shipped[name]).all() for name in shipped)
