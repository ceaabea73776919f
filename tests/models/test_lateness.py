"""Lateness against a score, against sums and distributions that are written out."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import laplace

from toy_duration_predictor.models import Inputs, _lateness, build

NOTE, REST = False, True


def inputs(quantized, rest, step=15, start=0.0, rows=1):
    """Rows of one score, ticks."""
    return Inputs(
        quantized=torch.tensor(quantized, dtype=torch.float32).expand(rows, -1),
        mask=torch.ones(rows, len(quantized), dtype=torch.bool),
        step=torch.full((rows,), float(step)),
        rest=torch.tensor(rest).expand(rows, -1),
        start=torch.full((rows,), float(start)),
        singer=torch.zeros(rows, dtype=torch.long),
    )


def make(seed=0, std=0.3):
    torch.manual_seed(seed)
    sizes = {"num_singers": 3, "phases": 3, "width": 8, "layers": 2}
    network = build("phase", {"style_features": 4.0, "scores": 1.0}, **sizes)
    for parameter in network.parameters():
        if parameter.requires_grad and not parameter.any():
            torch.nn.init.normal_(parameter, std=std)
    return network.eval()


@pytest.mark.parametrize("start", [0.0, 7.0, math.nan])
@pytest.mark.parametrize(
    ("quantized", "rest", "step"),
    [([9, 0], [NOTE, REST], 3), ([90, 33], [NOTE, NOTE], 3), ([40, 4], [NOTE, REST], 4), ([4, 9], [REST, NOTE], 3)],
)
def test_probabilities_of_all_performances_add_up_to_1(quantized, rest, step, start):
    # The first of a group may be below 0, which needs no special case; what follows in the group may not.
    second = range(0 if rest[1] else -150, 250)
    every = torch.tensor(list(itertools.product(range(-150, 250), second))).float()
    score = inputs(quantized, rest, step, start, rows=len(every))
    assert make().log_likelihood(score, every).exp().sum().item() == pytest.approx(1, abs=1e-5)


def tick(off, scale):
    off = -abs(off)  # on this side differences are of small numbers, and exact
    return laplace.cdf(off + 0.5, scale=scale) - laplace.cdf(off - 0.5, scale=scale)


def test_the_likelihood_is_that_of_laplace_distributions_written_out():
    score = inputs([30, 0, 45, 15, 60, 15, 0], [NOTE, REST, NOTE, NOTE, NOTE, REST, REST], start=3)
    sung = [31, 4, 38, 22, 45, 9, 6]
    network = make()
    network.lateness = lambda _: _lateness.Lateness(*(part[None] for part in said), *found[-2:])
    found = _lateness.read(torch.zeros(1, 7, _lateness.OUTPUTS), score)
    said = torch.tensor(np.random.default_rng(0).uniform(0.2, 4, (6, 7))).float()
    pull, shift, far, spread, rest, narrow = said.double().numpy()
    late, expected = 3.0, 0.0
    for group in ([0, 1], [2], [3], [4, 5, 6]):
        end, after = group[-1], late + sum(sung[i] - score.quantized[0, i].item() for i in group)
        middle = late - pull[end] * min(max(late, -far[end]), far[end]) + shift[end]
        expected += math.log(tick(after - middle, spread[end]))
        for i in group[1:]:
            above = laplace.sf(-0.5 - rest[i], scale=narrow[i])
            expected += math.log(tick(sung[i] - rest[i], narrow[i]) / above)
        late = after
    likelihood = network.log_likelihood(score, torch.tensor([sung]).float()).item()
    assert likelihood == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e4])
@pytest.mark.parametrize("off", [0.0, 0.3, 0.5, 0.7, 40.0, 1e5])
def test_the_probability_of_a_tick_is_exact_and_has_a_gradient(off, scale):
    parts = [torch.tensor(value, requires_grad=True) for value in (off, scale)]
    found = _lateness._log_laplace(*parts)
    found.backward()
    assert all(part.grad.isfinite() for part in parts)
    if off / scale < 500 and off < 1e4:
        assert found.item() == pytest.approx(math.log(tick(off, scale)), rel=1e-3, abs=1e-5)


def test_a_fresh_network_predicts_the_score():
    score = inputs([30, 0, 45, 15], [NOTE, REST, NOTE, NOTE])
    torch.testing.assert_close(make(std=0.0)(score), score.quantized)


def test_predictions_are_medians_of_samples():
    score = inputs([300, 150, 450, 150, 600, 200], [NOTE, REST, NOTE, NOTE, NOTE, REST], step=60, rows=4000)
    network = make()
    sampled = network.sample(score, generator=torch.Generator().manual_seed(0))
    predicted = network(score)[0]
    # Ends of groups are onsets; the rests in them have medians of their own.
    ends = [1, 2, 3, 5]
    torch.testing.assert_close(sampled.cumsum(1).median(0).values[ends], predicted.cumsum(0)[ends], atol=5, rtol=0)
    torch.testing.assert_close(sampled.median(0).values[[1, 5]], predicted[[1, 5]], atol=5, rtol=0)
    probabilities, edges = network.distribution(score._replace(**{name: part[:1] for name, part in of_rows(score)}))
    assert probabilities.sum(-1) == pytest.approx(1, abs=1e-5)
    assert (edges.diff(dim=-1) > 0).all()
    half = (edges[0] >= predicted[:, None]).int().argmax(1) - 1
    below = probabilities[0].cumsum(1).gather(1, half[:, None])[[1, 5], 0]
    torch.testing.assert_close(below, torch.full((2,), 0.5), atol=0.15, rtol=0)


def test_samples_are_as_likely_as_the_likelihood_says():
    score = inputs([60, 2], [NOTE, REST], step=15, rows=20_000)
    network = make()
    sampled = network.sample(score, generator=torch.Generator().manual_seed(0))
    rests = torch.arange(40.0)
    # Whatever the note, by which the likelihood of both is summed.
    notes = torch.arange(-100.0, 400.0)
    both = torch.cartesian_prod(notes, rests)
    likelihood = network.log_likelihood(inputs([60, 2], [NOTE, REST], rows=len(both)), both).exp()
    expected = likelihood.view(len(notes), -1).sum(0)
    found = torch.histc(sampled[:, 1].round(), bins=40, min=-0.5, max=39.5) / len(sampled)
    torch.testing.assert_close(found[1:].double(), expected[1:], atol=0.01, rtol=0)


def of_rows(score):
    return ((name, part) for name, part in score._asdict().items() if part is not None)


@given(st.lists(st.tuples(st.integers(0, 200), st.booleans()), min_size=1, max_size=20), st.integers(0, 5))
def test_no_duration_is_below_0_and_padding_changes_nothing(notes, seed):
    quantized, rest = (list(part) for part in zip(*notes, strict=True))
    network, score = make(seed), inputs(quantized, rest)
    padded = inputs([*quantized, 0, 0], [*rest, False, False])
    padded.mask[:, -2:] = False
    with torch.no_grad():
        for ask in (network, lambda given: network.sample(given, generator=torch.Generator().manual_seed(0))):
            assert (ask(score) >= 0).all()
            assert not ask(padded)[:, -2:].any()
        torch.testing.assert_close(network(padded)[:, :-2], network(score))
        sung = network.sample(score).round()
        likelihoods = (
            network.log_likelihood(score, sung),
            network.log_likelihood(padded, torch.nn.functional.pad(sung, (0, 2))),
        )
    torch.testing.assert_close(*likelihoods)
