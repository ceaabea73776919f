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
from toy_duration_predictor.models import Inputs, _crf, build
from toy_duration_predictor.models._decode import FINER

STEP = 15
QUANTIZED = [2, 0, 1, 1, 0]
REST = [False, True, False, False, True]


def inputs(quantized, step, start=0.0, rest=None, rows=1):
    """Rows of one song, ticks; `start` is nan where it is not known."""
    notes = len(quantized)
    return Inputs(
        quantized=torch.tensor(quantized, dtype=torch.float32).expand(rows, -1),
        mask=torch.ones(rows, notes, dtype=torch.bool),
        step=torch.full((rows,), float(step)),
        rest=torch.tensor(rest or [False] * notes).expand(rows, -1),
        start=torch.full((rows,), float(start)),
        singer=torch.zeros(rows, dtype=torch.long),
    )


SONG = inputs([STEP * q for q in QUANTIZED], STEP, rest=REST)


def make(phases=3, **sizes):
    torch.manual_seed(0)
    network = build(
        "phase", {"style_features": 4.0}, num_singers=3, phases=phases, **{"width": 8, "layers": 2, **sizes}
    )
    for parameter in network.parameters():
        if parameter.requires_grad and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.5)
    return network.eval()


def performances(step, notes, errors):
    """Returns all performances of few short notes by what they are quantized to: sung durations, and carried values.

    Each begins after one of these errors, ticks. Only notes that are quantized to one step at most, and at most two
    steps together, are kept, so that none of their performances is left out.
    """
    sung, values = {}, {}
    for error in errors:
        for durations in itertools.product(range(2 * step), repeat=notes):
            # A note before all others leaves the error.
            song = np.array([3 * step + error, *durations])
            quantized = tuple(quantize(song, step)[1:].tolist())
            if max(quantized) <= step and sum(quantized) <= 2 * step:
                sung.setdefault(quantized, set()).add(durations)
                values.setdefault(quantized, set()).add(tuple(carried(song, step)[1:].tolist()))
    return sung, values


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("phases", "step", "notes"), [(3, 3, 4), (3, 6, 3), (5, 8, 3), (5, 3, 3)])
def test_probabilities_of_all_performances_add_up_to_1(phases, step, notes, known):
    network = make(phases)
    possible = [error for error in range(-step, step) if -step <= 2 * error < step]
    for kind, songs in zip((False, True), performances(step, notes, [0] if known else possible), strict=True):
        assert len(songs) >= 7
        for quantized, targets in songs.items():
            given = inputs(quantized, step, 0.0 if known else math.nan, rows=len(targets))
            likelihood = network.log_likelihood(given, torch.tensor(sorted(targets)).float(), kind)
            assert likelihood.exp().sum().item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("start", "kind", "off"),
    [
        (0.0, False, [8, 0, 0, 0, 0]),  # ends beyond its grid line
        (0.0, False, [5, 5, 5, 0, 0]),  # the third does
        (0.0, False, [0, -1, 0, 0, 0]),  # shorter than nothing
        (math.nan, False, [8, 8, 0, 0, 0]),  # whatever the start, one of the two does
        (math.nan, False, [0, -1, 0, 0, 0]),
        (0.0, True, [8, 0, 0, 0, 0]),  # rounded by itself, the value is another one
        (math.nan, True, [0, 0, -8, 0, 0]),
        (0.0, True, [0, -1, 0, 0, 0]),
    ],
)
def test_what_no_quantizer_makes_has_no_probability(start, kind, off):
    song = SONG._replace(start=torch.tensor([start]))
    assert make().log_likelihood(song, song.quantized + torch.tensor([off]), kind).item() == -math.inf


def written_out(unary, pairwise, first, path):
    """Returns the log-probability of a path of states, by sums in logarithms and in double precision, note by note."""
    size = unary.shape[1]
    message, weight = np.array(first, dtype=np.float64), first[path[0]]
    for t, (i, j) in enumerate(itertools.pairwise(path)):
        weight += unary[t, j] + pairwise[t, j - i + size - 1]
        by_pair = message[:, None] + [
            [pairwise[t, b - a + size - 1] + unary[t, b] for b in range(size)] for a in range(size)
        ]
        message = np.logaddexp.reduce(by_pair, axis=0)
    return weight - np.logaddexp.reduce(message)


@pytest.mark.parametrize("scores", [1.0, 40.0, 400.0, 4000.0])
def test_the_likelihood_of_400_notes_with_scores_of_any_size(scores):
    rng = np.random.default_rng(0)
    network = make(15)
    # One tick a phase, so that the path of phases is the path of ticks.
    error = np.concatenate([[0], rng.integers(-7, 8, 400)])
    quantized = STEP * rng.integers(1, 5, 400)
    sung = torch.from_numpy(quantized + np.diff(error)).float()[None]
    unary, pairwise = rng.normal(0, scores, (400, 15)), rng.normal(0, scores, (400, 29))
    # Always the outermost phase is favoured.
    unary[:, 14] += 4
    network.log_potentials = lambda _: (torch.from_numpy(unary)[None], torch.from_numpy(pairwise)[None])
    first = np.where(np.arange(15) == 7, 0.0, -np.inf)
    with np.errstate(invalid="ignore"):
        expected = written_out(unary, pairwise, first, error + 7)
    found = network.log_likelihood(inputs(quantized.tolist(), STEP), sung).item()
    assert found == pytest.approx(expected, rel=1e-9)


def test_the_gradient_is_that_of_a_sum_over_all_paths():
    torch.manual_seed(0)
    size, notes = 3, 4
    mask = torch.tensor([True, True, True, False])[:, None, None].expand(-1, -1, 2)
    first, unary, pairwise = (
        torch.randn(*shape, 2, dtype=torch.float64) for shape in ((size,), (notes, size), (notes, 2 * size - 1))
    )
    pairwise[1, 0] = -torch.inf

    def of_paths(first, unary, pairwise):
        totals = []
        for path in itertools.product(range(size), repeat=4):
            weight = first[path[0]]
            for t, (i, j) in enumerate(itertools.pairwise(path)):
                weight = weight + unary[t, j] + pairwise[t, j - i + size - 1]
            totals.append(weight)
        return torch.stack(totals).logsumexp(0)

    parts = [part.requires_grad_() for part in (first, unary, pairwise)]
    found, expected = _crf.log_partition(_crf.Chain(*parts, mask)), of_paths(*parts)
    torch.testing.assert_close(found, expected)
    for one, other in zip(
        torch.autograd.grad(found.sum(), parts), torch.autograd.grad(expected.sum(), parts), strict=True
    ):
        torch.testing.assert_close(one, other.nan_to_num(), rtol=1e-5, atol=1e-6)


def paths(network, song):
    """Yields the probability and the phases, in steps, of all paths of one row."""
    size = network.phases
    unary, pairwise = (part[0].detach().double().numpy() for part in network.log_potentials(song))
    starts = range(size) if song.start.isnan() else [size // 2]
    found = []
    for start in starts:
        for rest in itertools.product(range(size), repeat=unary.shape[0]):
            path = (start, *rest)
            weight = math.exp(
                sum(unary[t, j] + pairwise[t, j - i + size - 1] for t, (i, j) in enumerate(itertools.pairwise(path)))
            )
            found.append((weight, [(k - size // 2) / size for k in path]))
    total = sum(weight for weight, _ in found)
    return [(weight / total, path) for weight, path in found]


@pytest.mark.parametrize("kind", [False, True])
def test_distribution_against_all_paths(kind):
    network = make()
    size = network.phases
    # How far apart two phases are, in bins, beyond the distance of their bins: of ticks that are evenly spread.
    ticks = STEP // size
    apart = np.subtract.outer(np.arange(ticks), np.arange(ticks)) / ticks
    beyond = [(np.rint(apart) == by).mean() for by in (-1, 0, 1)]
    expected = np.zeros((len(QUANTIZED), 2 * size - 1))
    for weight, path in paths(network, SONG):
        for t, (start, end) in enumerate(itertools.pairwise(path)):
            if kind:
                keeps = QUANTIZED[t] == 0 and end < 0
                expected[t, round((end - start * keeps) * size) + size - 1] += weight
            else:
                bins = round((end - start) * size) + size - 1
                for by, share in zip((-1, 0, 1), beyond, strict=True):
                    # Beyond the outermost bin is nothing.
                    expected[t, bins + by if 0 <= bins + by < 2 * size - 1 else bins] += weight * share
    probabilities, edges = network.distribution(SONG, kind)
    np.testing.assert_allclose(probabilities[0].detach(), expected, atol=1e-5)
    assert (edges.diff(dim=-1) >= 0).all()
    # The bin of no difference lies round the quantized duration.
    middle = (edges[..., network.phases - 1] + edges[..., network.phases]) / 2
    torch.testing.assert_close(middle[0, [0, 2, 3]], SONG.quantized[0, [0, 2, 3]])


def test_the_prediction_has_the_least_expected_error_of_all_paths():
    network = make()
    song = inputs([2 * STEP, 0, STEP], STEP, rest=[False, True, False])
    weighted = paths(network, song)
    within = (np.arange(15) - 7) / 15 / network.phases  # where in its bin a phase may lie

    def expected(off, of_path):
        """The mean distance of `off` from what each path has, evenly spread over its bin."""
        return sum(weight * np.abs(off - of_path(path) - within).mean() for weight, path in weighted)

    choices = FINER * network.phases
    grid = (np.arange(choices) + 0.5) / choices - 0.5
    onset = {x: expected(x, lambda path: path[2]) for x in grid}
    durations = [
        {
            d: expected(d, lambda path, t=t: path[t + 1] - path[t])
            for d in np.round(np.subtract.outer(grid, grid), 9).ravel()
        }
        for t in range(3)
    ]
    costs = {}
    for ends in itertools.product(grid, repeat=3):
        path = (0.0, *ends)
        off = np.round(np.diff(path), 9)
        if (np.array([2, 0, 1]) + off >= -1e-6).all():
            costs[ends] = onset[ends[1]] + sum(
                durations[t][min(durations[t], key=lambda d, x=off[t]: abs(d - x))] for t in range(3)
            )
    found = ((network(song)[0] - song.quantized[0]).cumsum(0) / STEP).detach().numpy()
    best = min(costs.values())
    assert costs[min(costs, key=lambda ends: np.abs(np.array(ends) - found).sum())] == pytest.approx(best, abs=2e-3)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.sampled_from([1, 15, 60]), st.booleans())
def test_running_totals_stay_with_the_grid(steps, step, sampled):
    network = make(15)
    song = inputs([step * q for q in steps], step, rest=[i % 2 == 1 for i in range(len(steps))])
    predicted = (network.sample(song) if sampled else network(song))[0].detach()
    assert (predicted >= 0).all()
    late = (predicted - song.quantized[0]).double().cumsum(0)
    assert (late.abs() <= step / 2 + 1e-3).all()


def test_samples_have_the_distribution_of_onsets_and_of_durations():
    network = make(phases=5)
    rows = 4000
    song = inputs([STEP * q for q in QUANTIZED], STEP, rest=REST, rows=rows)
    sampled = network.sample(song, generator=torch.Generator().manual_seed(0))
    weighted = paths(network, SONG)
    late = (sampled - song.quantized).cumsum(1)
    expected = sum(weight * np.array(path[1:]) for weight, path in weighted) * STEP
    # Notes that end on the line on which they begin may be moved a little within a phase.
    torch.testing.assert_close(late.double().mean(0), torch.from_numpy(expected), atol=0.6, rtol=0)
    assert torch.equal(sampled, network.sample(song, generator=torch.Generator().manual_seed(0)))


def test_temperature_near_zero_samples_the_likeliest_path():
    network = make()
    best = np.array(max(paths(network, SONG))[1][1:]) * STEP
    late = (network.sample(SONG, temperature=0.01) - SONG.quantized)[0].cumsum(0)
    assert (late - torch.from_numpy(best)).abs().max() <= STEP / network.phases / 2 + 1e-3


@given(
    st.lists(st.integers(1, 100), min_size=1, max_size=40),
    st.sampled_from([4, 15, 60, 62]),
    st.booleans(),
    st.booleans(),
)
def test_what_the_quantizer_can_do_is_possible(durations, step, kind, known):
    """No song that was quantized with its error carried forward is counted among the impossible ones."""
    original = np.array(durations)
    sung = carried(original, step) if kind else original
    song = inputs(quantize(original, step).tolist(), step, 0.0 if known else math.nan)
    with torch.no_grad():
        likelihood = make(15, width=4, layers=1).log_likelihood(song, torch.from_numpy(sung).float()[None], kind).item()
    assert math.isfinite(likelihood)
    assert likelihood <= 1e-6


def test_a_known_start_is_where_the_path_begins():
    network = make(15)
    song = SONG._replace(start=torch.tensor([5.0]))
    late = 5 + (network.sample(song) - song.quantized)[0].cumsum(0)
    assert (late.abs() <= STEP / 2 + 1e-3).all()
    # 5 ticks behind the line, a note that loses 12 ticks would end before its own line's phases; one that loses 8 not.
    sung = song.quantized.clone()
    sung[0, 0] -= 12
    assert network.log_likelihood(song, sung).isfinite()
    assert network.log_likelihood(SONG, sung) == -math.inf


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
        build(name, {"style_features": 4.0}, num_singers=3, **sizes)
