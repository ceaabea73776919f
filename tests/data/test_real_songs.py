"""Real songs, where TDP_MSSV_DIR names their folder: figures known from elsewhere, and a short training."""

import numpy as np
import pytest

from tests.conftest import flat
from toy_duration_predictor.data.datamodule import SongsDataModule
from toy_duration_predictor.data.origin import Origin, origin, origins
from toy_duration_predictor.data.quantize import grid_ticks, quantize
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.training.train import train


@pytest.fixture(scope="module", params=["published", "corrected"])
def table(request, mssv):
    return request.param, load_songs("parquet", path=mssv / f"{request.param}.parquet")


def test_the_copy_error_is_the_known_one(table):
    name, songs = table
    error = np.abs(flat(songs["durations"]) - flat(songs["quantized_durations"]))
    assert len(error) == 100_896
    assert error.mean() == pytest.approx({"published": 10.350, "corrected": 12.633}[name], abs=5e-4)


def test_quantizing_the_sung_durations_gives_the_quantized_ones(mssv):
    for song in load_songs("parquet", path=mssv / "corrected.parquet"):
        step = grid_ticks(song["ticks_per_beat"])
        assert quantize(np.array(song["durations"]), step).tolist() == song["quantized_durations"]


def test_each_rounded_by_itself_is_not_accused(mssv):
    rounded = []
    for song in load_songs("parquet", path=mssv / "corrected.parquet"):
        sung = np.array(song["durations"])
        rounded.append(origin(sung, quantize(sung, grid_ticks(song["ticks_per_beat"]), forward_error=False)))
    assert rounded.count(Origin.QUANTIZER) <= 0.01 * len(rounded)
    assert rounded.count(Origin.ROUNDED) >= 0.95 * len(rounded)
    found = origins(load_songs("parquet", path=mssv / "published.parquet"))
    assert found.count(Origin.QUANTIZER) >= 0.95 * len(found)


def test_the_published_split_and_its_copy_error(mssv):
    """The published measure, by numpy: windows of 128 with their padding, both sides clamped to 0..1000.

    With the published code, copying has 8.15 ticks on this table.
    """
    songs = load_songs("parquet", path=mssv / "published.parquet")
    data = SongsDataModule(songs, split="published")
    assert [len(side) for side in data.split] == [128, 16, 16]
    total = positions = 0
    for row in data.split.test:
        pair = (np.clip(songs[int(row)][c], 0, 1000) for c in ("durations", "quantized_durations"))
        total += np.abs(np.subtract(*pair)).sum()
        positions += -(-len(songs[int(row)]["durations"]) // 128) * 128
    assert total / positions == pytest.approx(8.15, abs=5e-3)


def test_simulated_songs_resemble_real_ones(mssv):
    """Copy error and rest and note lengths in beats: a fifth apart at the most."""

    def figures(songs):
        beats = [np.divide(song["durations"], song["ticks_per_beat"]) for song in songs]
        copied = [np.divide(song["quantized_durations"], song["ticks_per_beat"]) for song in songs]
        notes, rests = flat([b[::2] for b in beats]), flat([b[1::2] for b in beats])
        return [
            np.abs(flat(beats) - flat(copied)).mean(),
            *np.percentile(notes, [25, 50, 75, 90]),
            *np.percentile(rests, [25, 50, 75, 90]),
        ]

    real = figures(load_songs("parquet", path=mssv / "corrected.parquet"))
    assert figures(simulate_songs()) == pytest.approx(real, rel=0.2)


@pytest.mark.slow
def test_a_short_training_beats_copying(config, mssv):
    short = ("model.width=16", "model.layers=2", "training.max_epochs=2")
    path = f"data.path={mssv / 'corrected.parquet'}"
    assert train(config("experiment=model_b", "data=parquet", path, *short))["test/skill"] > 0
