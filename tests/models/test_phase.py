"""The CRF over phases, against sums over all paths that are written out."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toy_duration_predictor.data.quantize import carried, quantize
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.models import build

STEP = 15
QUANTIZED = [2, 0, 1, 1, 0]
SINGER, MASK = torch.tensor([1]), torch.tensor([[True] * 5 + [False] * 2])
INPUTS = (torch.tensor([[*(STEP * q for q in QUANTIZED), 0.0, 0.0]]), SINGER, MASK, torch.tensor([float(STEP)]))


def make(of_carried=0.0, **sizes):
    torch.manual_seed(0)
    network = build("phase", {"carried": of_carried}, num_singers=3, **{"phases": 3, "width": 8, "layers": 2, **sizes})
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.5)
    return network.eval()


def paths(network, of_carried):
    """Yields the weight and the durations, ticks, of all paths."""
    size = network.phases
    unary, pairwise = (part[0].detach().double().numpy() for part in network.log_potentials(*INPUTS))
    for path in itertools.product(range(size), repeat=len(QUANTIZED) + 1):
        ends = itertools.pairwise(path)
        log_potentials = (unary[t, j] + pairwise[t, j - i + size - 1] for t, (i, j) in enumerate(ends))
        weight = math.exp(sum(log_potentials)) / size
        phases = [(k - size // 2) / size for k in path]
        durations = []
        for q, start, end in zip(QUANTIZED, phases, phases[1:], strict=False):
            is_whole = of_carried and not (q == 0 and end < 0)
            durations.append(round(STEP * (q + end - start * (not is_whole))))
        yield weight, durations


@pytest.mark.parametrize("of_carried", [0.0, 1.0])
def test_likelihood_against_all_paths(of_carried):
    network = make(of_carried)
    weights = {}
    for weight, durations in paths(network, of_carried):
        weights[tuple(durations)] = weights.get(tuple(durations), 0) + weight
    total = sum(weights.values())
    checked = 0
    for durations, weight in weights.items():
        if min(durations) >= 0 and weight / total > 1e-6:
            sung = torch.tensor([[*map(float, durations), 0.0, 0.0]])
            likelihood = network.log_likelihood(*INPUTS, sung).item()
            assert likelihood == pytest.approx(math.log(weight / total), abs=1e-3)
            checked += 1
    assert checked > 20


@pytest.mark.parametrize("of_carried", [0.0, 1.0])
def test_distribution_against_all_paths(of_carried):
    network = make(of_carried)
    expected = np.zeros((len(QUANTIZED), 2 * network.phases - 1))
    for weight, durations in paths(network, of_carried):
        for t, duration in enumerate(durations):
            expected[t, round((duration / STEP - QUANTIZED[t]) * network.phases) + network.phases - 1] += weight
    probabilities, edges = network.distribution(*INPUTS)
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities[0, : len(QUANTIZED)].detach(), expected, atol=1e-5)
    assert (edges.diff(dim=-1) >= 0).all()
    # The bin of no difference lies round the quantized duration.
    middle = (edges[..., network.phases - 1] + edges[..., network.phases]) / 2
    torch.testing.assert_close(middle[0, [0, 2, 3]], INPUTS[0][0, [0, 2, 3]])


@pytest.mark.parametrize("of_carried", [0.0, 1.0])
def test_prediction_is_the_median(of_carried):
    network = make(of_carried)
    probabilities, edges = (part[0].detach().double() for part in network.distribution(*INPUTS))
    for t, predicted in enumerate(network(*INPUTS)[0, : len(QUANTIZED)].tolist()):
        share = np.interp(predicted, edges[t], np.concatenate([[0], probabilities[t].cumsum(0)]))
        assert share == pytest.approx(0.5, abs=1e-3) or predicted == 0


def test_samples_have_the_distribution_and_the_notes():
    network = make(phases=5)
    sampled = network.sample(*(part.repeat_interleave(4000, dim=0) for part in INPUTS), generator=torch.Generator())
    probabilities, edges = network.distribution(*INPUTS)
    centres = (edges[..., 1:] + edges[..., :-1]) / 2
    expected = (probabilities * centres).sum(-1)[0, :5]
    torch.testing.assert_close(sampled.mean(0)[:5], expected, atol=0.3, rtol=0)
    assert not sampled[:, 5:].any()
    again = network.sample(*(part.repeat_interleave(4000, dim=0) for part in INPUTS), generator=torch.Generator())
    assert torch.equal(sampled, again)


def test_temperature_near_zero_samples_the_likeliest_path():
    network = make()
    best = max(paths(network, 0.0))[1]
    sampled = network.sample(*INPUTS, temperature=0.01)[0, :5]
    assert (sampled - torch.tensor(best)).abs().max() <= STEP / network.phases / 2 + 1e-4


@given(st.lists(st.integers(1, 100), min_size=1, max_size=40), st.sampled_from([15, 60]), st.booleans())
def test_what_the_quantizer_can_do_is_possible(durations, step, of_carried):
    """No song that was quantized with its error carried forward is counted among the impossible ones."""
    original = np.array(durations)
    sung = carried(original, step) if of_carried else original
    quantized = torch.from_numpy(quantize(original, step)).float()[None]
    network = build("phase", {"carried": float(of_carried)}, num_singers=1, phases=15, width=4, layers=1).eval()
    mask, grid = torch.ones_like(quantized, dtype=torch.bool), torch.tensor([float(step)])
    likelihood = network.log_likelihood(
        quantized, torch.tensor([0]), mask, grid, torch.from_numpy(sung).float()[None]
    ).item()
    # Each phase is as likely as any other in an untrained network; rounding to bins may cost one note a little.
    assert -math.log(15 * 15) * (len(durations) + 1) - 20 < likelihood <= 0


@pytest.mark.parametrize(
    ("name", "sizes", "reason"),
    [
        ("phase", {"phases": 4}, "phases must be odd"),
        ("phase", {"kernel": 4}, "kernel must be odd"),
        ("phase_transformer", {"heads": 3}, "heads must be a divisor of width"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(name, sizes, reason):
    with pytest.raises(InputError, match=reason):
        build(name, {}, num_singers=3, **sizes)
