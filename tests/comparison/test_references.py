"""What reference songs are worth, on singers who differ by construction."""

import numpy as np
import pytest

from tests.conftest import SMALL
from toy_duration_predictor.comparison.references import references
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.data.songs import validate_songs
from toy_duration_predictor.training.config import TrainConfig, validated
from toy_duration_predictor.training.predictions import predict_songs
from toy_duration_predictor.training.timing_errors import timing_errors
from toy_duration_predictor.training.train import make_data_and_task

SONGS = 40


@pytest.fixture(scope="module")
def table():
    return validate_songs(simulate_songs(SONGS))


def task_of(config, table):
    """An untrained task whose network answers to the style."""
    data, task = make_data_and_task(validated(config(*SMALL), TrainConfig), table)
    task.network.out.weight.data.normal_(std=0.2)
    task.network.rest_style.weight.data.normal_(std=0.2)
    return data, task.eval()


def test_references_against_predictions_song_by_song(config, table):
    data, task = task_of(config, table)
    found = references(task, table, np.arange(SONGS), seed=0)
    assert list(found["whole songs"]) == ["copy", "nobody", "1 song", "3 songs", "10 songs"]
    assert list(found["second halves"]) == ["nobody", "first half"]
    of_nobody = []
    for batch, predicted in predict_songs(
        task, table, np.arange(SONGS), style=np.zeros((SONGS, data.references.prior.mean.size), np.float32)
    ):
        for i, mask in enumerate(batch.mask):
            notes = (part[i][mask].numpy() for part in (predicted, batch.sung, batch.rest))
            of_nobody.append(timing_errors(*notes).onset / batch.ticks_per_beat[i].item())
    assert found["whole songs"]["nobody"]["onset"] == pytest.approx(np.concatenate(of_nobody).mean(), rel=1e-5)
    # Each singer has two or three of these songs, so ten references are no more than three.
    assert found["whole songs"]["3 songs"] == found["whole songs"]["10 songs"]
    assert found["whole songs"]["1 song"] != found["whole songs"]["nobody"]
    assert found["second halves"]["first half"] != found["second halves"]["nobody"]
    assert found["second halves"]["nobody"]["duration"] != found["whole songs"]["nobody"]["duration"]


def test_a_song_of_rests_alone_has_halves(config, table):
    def silent(song, row):
        return {"pitch": [0] * len(song["pitch"]) if row == 2 else song["pitch"]}

    rests = table.map(silent, with_indices=True)
    _, task = task_of(config, rests)
    found = references(task, rests, np.arange(4), seed=0)
    assert all(np.isfinite(error) for known in found["second halves"].values() for error in known.values())


@pytest.mark.parametrize("overrides", [["model=bigru"], ["data.anonymous=true"], ["training.loss=mae"]])
def test_what_reads_no_style_has_no_references(config, table, overrides):
    """The default network learns styles by its likelihood alone."""
    _, task = make_data_and_task(validated(config(*overrides), TrainConfig), table)
    assert references(task, table, np.arange(SONGS), seed=0) is None
