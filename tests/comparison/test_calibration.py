from itertools import pairwise

import numpy as np
import pytest
import scoringrules
import torch
from scipy.integrate import quad
from scipy.stats import kstest

from toy_duration_predictor.comparison.calibration import (
    BARS,
    LEAST,
    LEVELS,
    calibrated,
    calibration,
    crps,
    cumulative,
    pit,
    probability,
    within,
)
from toy_duration_predictor.data.datamodule import SongsDataModule
from toy_duration_predictor.training.task import DurationTask


def histograms(rng, notes=12, bins=7):
    """Histograms, the first bins of every third of them without width, and sung durations within and outside."""
    edges = np.cumsum(rng.uniform(0.5, 9, size=(notes, bins + 1)), axis=1) - 8
    edges[::3] = edges[::3].clip(min=0)
    sung = rng.integers(-12, 50, size=notes).astype(float)
    sung[:2] = 0
    return rng.dirichlet(np.ones(bins), size=notes), edges, sung


def test_crps_of_a_flat_distribution(rng):
    low = rng.uniform(-5, 5, size=20)
    edges = np.stack([low, low + rng.uniform(0.1, 30, size=20)], axis=1)
    sung = rng.uniform(-20, 40, size=20)
    assert crps(np.ones((20, 1)), edges, sung) == pytest.approx(scoringrules.crps_uniform(sung, *edges.T))


def test_crps_of_histograms_against_ensembles(rng):
    probabilities, edges, sung = histograms(rng)
    parts = (np.arange(1000) + 0.5) / 1000
    members = edges[:, :-1, None] + np.diff(edges)[..., None] * parts
    weights = np.repeat(probabilities[..., None] / 1000, 1000, axis=2)
    expected = scoringrules.crps_ensemble(sung, members.reshape(12, -1), ens_w=weights.reshape(12, -1))
    assert crps(probabilities, edges, sung) == pytest.approx(expected, abs=0.01)


def test_crps_against_the_integral(rng):
    probabilities, edges, sung = histograms(rng)
    for p, e, y in zip(probabilities, edges, sung, strict=True):

        def square(x, p=p, e=e, y=y):
            return (cumulative(p[None], e[None], np.array([x]))[0] - (x >= y)) ** 2

        places = np.unique([-13, *e, y, 60])
        total = sum(quad(square, a + 1e-9, b - 1e-9)[0] for a, b in pairwise(places))
        assert crps(p[None], e[None], np.array([y]))[0] == pytest.approx(total, abs=1e-5)


def test_crps_of_a_value_is_its_absolute_error():
    assert crps(np.array([[1.0]]), np.array([[7.0, 7.0]]), np.array([4.0])) == pytest.approx([3])


def test_pit_and_probability_by_hand():
    """A quarter at 0 itself, a quarter in 0 to 10, a half in 10 to 20."""
    probabilities = np.tile([0.25, 0.25, 0.5], (6, 1))
    edges = np.tile([0.0, 0.0, 10.0, 20.0], (6, 1))
    sung = np.array([0.0, 4.0, 10.0, 15.0, 25.0, -3.0])
    at_0 = 0.25 + 0.5 * 0.025
    assert cumulative(probabilities, edges, sung) == pytest.approx([0.25, 0.35, 0.5, 0.75, 1, 0])
    assert probability(probabilities, edges, sung) == pytest.approx([at_0, 0.025, 0.0375, 0.05, 0, 0])
    assert pit(probabilities, edges, sung) == pytest.approx([at_0 / 2, 0.35, (0.4875 + 0.525) / 2, 0.75, 1, 0])
    assert within(np.array([0.04, 0.06, 0.5, 0.94, 0.96]), 0.9).tolist() == [False, True, True, True, False]


def test_what_is_drawn_from_the_distributions_is_calibrated(rng):
    edges = np.cumsum(rng.uniform(5, 30, size=(4000, 6)), axis=1)
    probabilities = rng.dirichlet(np.ones(5), size=4000)
    bins = (probabilities.cumsum(axis=1) < rng.random((4000, 1))).sum(axis=1)[:, None]
    low, high = np.take_along_axis(edges, bins, 1)[:, 0], np.take_along_axis(edges, bins + 1, 1)[:, 0]
    sung = np.rint(rng.uniform(low, high))
    transformed = pit(probabilities, edges, sung)
    assert kstest(transformed, "uniform").pvalue > 0.01
    assert kstest(pit(probabilities, edges, sung + 5), "uniform").pvalue < 1e-6
    for level in LEVELS:
        assert within(transformed, level).mean() == pytest.approx(level, abs=0.02)


@pytest.mark.parametrize("anonymous", [False, True])
def test_a_model_with_a_distribution(songs, anonymous):
    """Flat over the tick of the input and as many on either side as the singer's index: known at every note."""
    data = SongsDataModule(songs, window=16)
    task = DurationTask("bigru", {"hidden_size": 2}, data.singers, data.statistics, window=16, anonymous=anonymous)
    assert calibrated(task, songs, data.split.test, 0, 100) == (None, None)

    def distribution(inputs, carried):
        durations = inputs.quantized
        reach = inputs.singer[:, None].expand_as(durations) + 0.5
        edges = torch.stack([durations - reach, durations, durations + reach], dim=-1)
        return torch.full((*durations.shape, 2), 0.5), edges

    def log_likelihood(inputs, sung, carried):
        return torch.where(inputs.quantized[:, 0] == first, -torch.inf, -3.0 * inputs.mask.sum(1))

    first = songs[int(data.split.test[0])]["quantized_durations"][0]
    task.network.distribution, task.network.log_likelihood = distribution, log_likelihood
    task.network.sample = None
    found = calibration(task, songs, data.split.test, resamples=100)

    deviations, width = [], []
    for row in data.split.test.tolist():
        song = songs[row]
        deviations += [s - q for q, s in zip(song["quantized_durations"], song["durations"], strict=True)]
        index = 0 if anonymous else data.singers.index(song["singer_id"])
        width += [2 * index + 1] * len(song["durations"])
    away, width = np.abs(deviations), np.array(width)
    inside = away < width / 2
    assert len(found.pit) == BARS
    assert sum(found.pit) / BARS == pytest.approx(1)
    # A sung tick within reach is as far from the middle as from the input; one beyond is in the first or last bar.
    signed = np.array(deviations)
    transformed = np.where(inside, 0.5 + signed / width, signed > 0)
    assert found.pit == pytest.approx(
        [np.mean((transformed * BARS).astype(int).clip(max=BARS - 1) == bar) * BARS for bar in range(BARS)]
    )
    assert found.impossible == pytest.approx(1 - inside.mean())
    likelihood = np.where(inside, np.log(width), -np.log(LEAST))
    assert found.negative_log_likelihood.estimate == pytest.approx(likelihood.mean())
    same = [row for row in data.split.test.tolist() if songs[row]["quantized_durations"][0] == first]
    assert found.without_likelihood == len(same) < len(data.split.test)
    assert found.of_songs.estimate == pytest.approx(3)
    assert found.coverage[0.5].estimate == pytest.approx((away <= width / 4).mean())
    assert found.crps.estimate == pytest.approx(scoringrules.crps_uniform(away, -width / 2, width / 2).mean())
