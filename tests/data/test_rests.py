"""The guess at rests, against songs whose rests are known."""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from toy_duration_predictor.data.midi.prepare import prepare
from toy_duration_predictor.data.quantize import grid_step
from toy_duration_predictor.data.rests import LOG_ODDS, TOUCHING, can_be_guessed, guess_rests
from toy_duration_predictor.data.simulate import simulate_songs


def right(table):
    """The share of right guesses in each song, and whether its rests can be guessed."""
    shares, possible = [], []
    for song in table:
        quantized = np.array(song["quantized_durations"])
        steps = quantized / grid_step(quantized)
        shares.append((guess_rests(steps) == (np.array(song["pitch"]) == 0)).mean())
        possible.append(can_be_guessed(steps))
    return np.array(shares), np.array(possible)


def test_rests_of_simulated_songs_are_found():
    shares, possible = right(simulate_songs(100))
    assert shares.mean() > 0.999
    assert possible.all()


def test_the_guess_does_not_go_by_odd_and_even_places():
    steps = np.array([4, 0, 2, 1, 3, 4, 0, 2, 2, 0, 3])  # from the fifth note on, notes touch and change places
    assert guess_rests(steps).tolist() == [False, True] * 2 + [False, False, True, False, False, True, False]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=9))
def test_no_path_is_likelier(steps):
    def logarithm(path):
        moves = sum(np.log(TOUCHING) if b == 0 else np.log1p(-TOUCHING) for a, b in pairwise(path) if a == 0)
        return moves + sum(LOG_ODDS[min(s, len(LOG_ODDS) - 1)] for s, rest in zip(steps, path, strict=True) if rest)

    numbers = range(2 ** len(steps))
    every = ([number >> i & 1 for i in range(len(steps))] for number in numbers)
    best = max(logarithm(path) for path in every if not any(a and b for a, b in pairwise(path)))
    assert logarithm(guess_rests(np.array(steps)).astype(int).tolist()) == pytest.approx(best)


@pytest.mark.skipif("TDP_MSSV_DIR" not in os.environ, reason="real songs are not at hand")
@pytest.mark.parametrize("shortest", ["0.3ticks", "0.3s"])
def test_rests_of_real_songs(tmp_path, shortest):
    from toy_duration_predictor.data.midi.recipe import Limit, Recipe

    folder = Path(os.environ["TDP_MSSV_DIR"]) / "midi"
    prepare(folder, tmp_path / "songs.parquet", Recipe(shortest_rest=Limit.parse(shortest)), jobs=1)
    shares, possible = right(Dataset.from_parquet(str(tmp_path / "songs.parquet"), cache_dir=str(tmp_path)))
    if shortest == "0.3ticks":
        assert shares.mean() > 0.999
        assert shares.min() > 0.97
        assert possible.all()
    else:  # nothing is left to go by, and the songs say so
        assert shares.mean() < 0.6
        assert possible.mean() < 0.02
