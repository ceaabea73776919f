"""Every metric against numpy, batch by batch and for all batches together."""

import numpy as np
import pytest
import torch

from toy_duration_predictor.data.windows import Batch
from toy_duration_predictor.training.metrics import METRICS, collection, metric, results


@pytest.fixture
def batches(rng):
    """Predicted durations and their batches: three of other sizes, the last of unknown resolution."""

    def make(windows, notes, resolution):
        mask = np.arange(notes) < rng.integers(1, notes + 1, size=(windows, 1))
        durations = (rng.uniform(0, 1500, size=(windows, notes)) * mask for _ in range(2))
        sung, quantized = (torch.from_numpy(part.round()).float() for part in durations)
        batch = Batch(
            quantized=quantized,
            sung=sung,
            mask=torch.from_numpy(mask),
            singer=torch.zeros(windows, dtype=torch.int64),
            step=torch.full((windows,), 15.0),
            ticks_per_beat=torch.tensor(resolution),
            row=torch.arange(windows),
        )
        return torch.from_numpy(rng.uniform(0, 1500, size=(windows, notes))).float(), batch

    return [make(3, 9, [480.0, 120.0, 960.0]), make(2, 4, [480.0, float("nan")]), make(1, 7, [float("nan")])]


def expected(name, batches):
    """Returns a metric in numpy, over all notes at once."""
    values = []
    for predicted, batch in batches:
        guess, sung, copied, mask, beat = (
            np.asarray(part, dtype=np.float64)
            for part in (predicted, batch.sung, batch.quantized, batch.mask, batch.ticks_per_beat)
        )
        guess = copied if name.startswith("copy_") else guess
        if name.endswith("mae_published"):
            guess = np.clip(guess, 0, 1000) if name.startswith("copy_") else guess
            values.append(np.abs(guess - np.clip(sung, 0, 1000)).ravel())
        elif name.endswith("mae_beats"):
            counts = (mask == 1) & ~np.isnan(beat)[:, None]
            values.append((np.abs(guess - sung) / beat[:, None])[counts])
        elif name.endswith("mae"):
            values.append(np.abs(guess - sung)[mask == 1])
        elif name == "rmse":
            values.append(np.square(guess - sung)[mask == 1])
    mean = np.concatenate(values).mean()
    return np.sqrt(mean) if name == "rmse" else mean


OWN = ["mae", "copy_mae", "mae_published", "copy_mae_published", "mae_beats", "copy_mae_beats", "rmse"]


@pytest.mark.parametrize("name", OWN)
def test_a_metric_against_numpy(batches, name):
    metrics = collection("mae", "copy_mae", name)
    for some in (batches, batches[:1]):
        for predicted, batch in some:
            metrics.update(predicted, batch)
        assert results(metrics)[name].item() == pytest.approx(expected(name, some), rel=1e-6)
        metrics.reset()


def test_skill_is_left_out_where_copying_is_perfect(batches):
    metrics = collection("mae", "copy_mae")
    predicted, batch = batches[0]
    metrics.update(predicted, batch)
    found = results(metrics)
    assert found["skill"] == 1 - found["mae"] / found["copy_mae"]
    metrics.reset()
    metrics.update(predicted, batch._replace(quantized=batch.sung))
    assert results(metrics).keys() == {"mae", "copy_mae"}


def test_what_nothing_counted_for_is_not_reported(batches):
    metrics = collection()
    metrics.update(*batches[2])
    assert "mae_beats" not in results(metrics)
    assert "mae" in results(metrics)


def test_metrics_that_agree_at_first_do_not_share_what_they_sum(batches):
    metrics = collection("mae", "copy_mae")
    metrics.update(batches[0][1].quantized, batches[0][1])
    assert results(metrics)["skill"] == 0
    metrics.update(*batches[1])
    assert results(metrics)["mae"] != results(metrics)["copy_mae"]


def test_a_new_metric_is_one_function(batches, monkeypatch):
    monkeypatch.setattr("toy_duration_predictor.training.metrics.METRICS", dict(METRICS))
    assert set(OWN) <= METRICS.keys()

    @metric
    def longest(predicted, batch):
        return predicted.amax(1)

    from toy_duration_predictor.training import metrics as module

    assert "longest" in module.METRICS
    metrics = collection()
    metrics.update(*batches[0])
    assert results(metrics)["longest"] == batches[0][0].amax(1).mean()
