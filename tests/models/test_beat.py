"""Means by metrical position, against loops written out."""

import pytest
import torch

from toy_duration_predictor.models._beat import POSITIONS, BeatMeans, metrical_positions


@pytest.fixture
def means():
    torch.manual_seed(0)
    made = BeatMeans(width=4)
    torch.nn.init.normal_(made.out.weight)
    return made.eval()


@pytest.fixture
def given():
    """Notes of two windows, the second with padding: notes, mask and metrical positions."""
    torch.manual_seed(1)
    mask = torch.arange(30) < torch.tensor([30, 11])[:, None]
    notes = torch.randn(2, 30, 4) * mask[..., None]
    return notes, mask, torch.randint(0, POSITIONS, (2, 30))


def test_metrical_positions_count_grid_lines():
    steps = torch.tensor([[3.0, 0.0, 5.0, 1.0, 2666.0], [8.0, 1.0, 0.0, 0.0, 0.0]])
    assert metrical_positions(steps).tolist() == [[3, 3, 0, 1, 3], [0, 1, 1, 1, 1]]


def test_against_loops(means, given):
    notes, mask, position = given
    added = means(notes, mask, position) - notes
    for window in range(2):
        real = mask[window].nonzero().flatten().tolist()
        for t in real:
            seen = []
            for away in range(POSITIONS):
                there = [u for u in real if (position[window, u] - position[window, t]) % POSITIONS == away]
                values = [torch.cat([means.values(notes[window, u]), torch.ones(1)]) for u in there]
                total = sum(values, start=torch.zeros(means.values.out_features + 1))
                seen.append(total / len(real) * POSITIONS)
            expected = means.out(torch.nn.functional.gelu(means.merge(torch.cat(seen))))
            torch.testing.assert_close(added[window, t], expected)
        assert not added[window, ~mask[window]].any()


def test_where_the_grid_begins_makes_no_difference(means, given):
    notes, mask, position = given
    torch.testing.assert_close(means(notes, mask, (position + 3) % POSITIONS), means(notes, mask, position))


def test_fresh_means_add_nothing(given):
    assert torch.equal(BeatMeans(width=4)(*given), given[0])
