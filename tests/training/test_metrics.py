"""Every metric against numpy, batch by batch and for all batches together."""

import numpy as np
import pytest
import torch

from toy_duration_predictor.data.batches import OF_ROWS, Batch
from toy_duration_predictor.training.metrics import METRICS, collection, metric, results
from toy_duration_predictor.training.task import VALIDATED


@pytest.fixture
def batches(rng):
    """Predicted durations and their songs: three of other sizes, the last of unknown resolution and tempo."""

    def make(songs, notes, resolution, tempo):
        mask = np.arange(notes) < rng.integers(2, notes + 1, size=(songs, 1))
        durations = (rng.uniform(0, 1500, size=(songs, notes)) * mask for _ in range(2))
        sung, quantized = (torch.from_numpy(part.round()).float() for part in durations)
        rest = rng.random((songs, notes)) < 0.4
        rest[:, 0] = False
        batch = Batch(
            quantized=quantized,
            sung=sung,
            mask=torch.from_numpy(mask),
            rest=torch.from_numpy(rest),
            start=torch.zeros(songs),
            singer=torch.zeros(songs, dtype=torch.int64),
            step=torch.full((songs,), 15.0),
            ticks_per_beat=torch.tensor(resolution),
            tempo=torch.tensor(tempo),
            row=torch.arange(songs),
        )
        return torch.from_numpy(rng.uniform(0, 1500, size=(songs, notes))).float(), batch

    nan = float("nan")
    return [
        make(3, 9, [480.0, 120.0, 960.0], [500_000.0, nan, 600_000.0]),
        make(2, 4, [480.0, nan], [400_000.0, 500_000.0]),
        make(1, 7, [nan], [nan]),
    ]


def expected(name, batches):
    """Returns a metric in numpy, song by song and note by note."""
    values = []
    for predicted, batch in batches:
        for i, mask in enumerate(batch.mask.numpy()):
            guess, sung, copied = (part[i].numpy().astype(float) for part in (predicted, batch.sung, batch.quantized))
            guess = copied if name.startswith("copy_") else guess
            if name.endswith("mae_published"):
                guess, copied, sung = guess[:128], copied[:128], np.clip(sung[:128], 0, 1000)
                values.append(np.abs((np.clip(guess, 0, 1000) if name.startswith("copy_") else guess) - sung))
                continue
            guess, sung, rest = guess[mask], sung[mask], batch.rest[i].numpy()[mask]
            unit = 1.0
            if name.endswith("_beats"):
                unit = batch.ticks_per_beat[i].item()
            if name.endswith("_ms"):
                unit = batch.ticks_per_beat[i].item() / batch.tempo[i].item() * 1000
            if np.isnan(unit):
                continue
            onsets = [[sum(part[:t]) for t in range(len(part)) if not rest[t]] for part in (guess, sung)]
            if "onset" in name:
                off = np.subtract(*onsets)[1:]
            elif "ioi" in name:
                off = np.subtract(*map(np.diff, onsets))
            elif "notes" in name or "rests" in name:
                off = (guess - sung)[rest == ("rests" in name)]
            else:
                off = guess - sung
            values.append(off**2 if name == "rmse" else np.abs(off) / unit)
    mean = np.concatenate(values).mean()
    return np.sqrt(mean) if name == "rmse" else mean


# The published metric counts what fills a window of 128 notes; these songs are shorter, so their rows are shorter, too.
OWN = [name for name in METRICS if "published" not in name]


@pytest.mark.parametrize("name", OWN)
def test_a_metric_against_numpy(batches, name):
    metrics = collection(*VALIDATED, name)
    for some in (batches, batches[:1]):
        for predicted, batch in some:
            metrics.update(predicted, batch)
        assert results(metrics)[name].item() == pytest.approx(expected(name, some), rel=1e-5)
        metrics.reset()


@pytest.mark.parametrize("name", ["mae_published", "copy_mae_published"])
def test_the_published_metric_counts_the_padding_of_windows(batches, name):
    def padded(part):
        return torch.nn.functional.pad(part, (0, 256 - part.shape[1])) if part.ndim == 2 else part

    metrics = collection("mae", "copy_mae", name)
    longer = [
        (padded(predicted), batch._replace(**{field: padded(getattr(batch, field)) for field in OF_ROWS}))
        for predicted, batch in batches
    ]
    for predicted, batch in longer:
        metrics.update(predicted, batch)
    assert results(metrics)[name].item() == pytest.approx(expected(name, longer), rel=1e-5)


def test_carried_values_have_no_onsets(batches):
    metrics = collection()
    predicted, batch = batches[0]
    metrics.update(predicted, batch._replace(carried=True))
    found = results(metrics)
    assert not [name for name in found if "onset" in name or "ioi" in name]
    assert "mae" in found


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
