import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toy_duration_predictor.data.quantize import (
    GRIDS,
    carried,
    grid_step,
    grid_ticks,
    left_behind,
    note_value,
    quantize,
    requantize,
)
from toy_duration_predictor.errors import InputError

durations = st.lists(st.integers(0, 20) | st.integers(0, 5000), min_size=1, max_size=60)
steps = st.sampled_from([15, 60, 120, 7, 1])


def forward_error(durations, step):
    """Error forwarding as the published quantizer has it, written out: a note that the error would make negative keeps
    its length and the error goes on to the next."""
    error, quantized = 0, []
    for duration in durations:
        if duration + error >= 0:
            duration, error = duration + error, 0
        down = duration // step * step
        rounded = down if 2 * (duration - down) < step else down + step
        error += duration - rounded
        quantized.append(rounded)
    return quantized


def round_each(durations, step):
    return [(2 * duration + step) // (2 * step) * step for duration in durations]


@given(durations, steps)
def test_quantize_is_error_forwarding_on_a_copy(durations, step):
    array = np.array(durations, dtype=np.int64)
    assert quantize(array, step).tolist() == forward_error(durations, step)
    assert array.tolist() == durations


@given(durations, steps, st.booleans())
def test_values_are_multiples_and_quantizing_twice_changes_nothing(durations, step, forward):
    quantized = quantize(np.array(durations), step, forward)
    assert (quantized % step == 0).all()
    assert (quantized >= 0).all()
    assert quantize(quantized, step, forward).tolist() == quantized.tolist()


@given(durations, steps)
def test_running_totals_stay_within_half_a_step(durations, step):
    """What is carried is at most half a step, and notes that are shorter than it only make it smaller."""
    drift = np.cumsum(durations) - np.cumsum(quantize(np.array(durations), step))
    assert (np.abs(drift) <= step / 2).all()


@given(durations, steps)
def test_without_forwarding_each_is_rounded_by_itself(durations, step):
    assert quantize(np.array(durations), step, forward_error=False).tolist() == round_each(durations, step)


@given(durations, steps)
def test_carried_values_bear_their_mark(durations, step):
    """Each quantized value is that of its carried value rounded by itself: the mark of the published dataset."""
    array = np.array(durations, dtype=np.int64)
    assert quantize(array, step).tolist() == round_each(carried(array, step).tolist(), step)
    assert array.tolist() == durations


def test_grids():
    assert [grid_ticks(resolution) for resolution in (120, 480, 960)] == [15, 60, 120]
    assert [grid_ticks(480, grid) for grid in ("1", "4", "8", "16", "64", "128")] == [1920, 480, 240, 120, 30, 15]
    assert [grid_ticks(480, grid) for grid in ("4t", "8t", "16t", "32t")] == [320, 160, 80, 40]
    for ticks_per_beat, grid in ((100, "32"), (120, "64"), (4, "32"), (480, "256"), (100, "8t")):
        with pytest.raises(InputError, match=f"1/{grid} does not divide {ticks_per_beat} ticks per beat"):
            grid_ticks(ticks_per_beat, grid)
    for grid in ("3", "512", "0", "t", "8T", "-4", ""):
        with pytest.raises(InputError, match="There is no grid of"):
            grid_ticks(480, grid)


def test_a_step_in_beats_has_one_note_value():
    assert [note_value(grid_ticks(960 * 3, grid) / (960 * 3)) for grid in GRIDS] == list(GRIDS)
    assert [note_value(step) for step in (4, 1 / 8, 1 / 3, 1 / 64, 1 / 96)] == ["1", "32", "8t", "256", "256t"]
    assert [note_value(step) for step in (1 / 5, 0.0, 100.0, 0.1251)] == [None] * 4


@given(st.lists(durations, min_size=1, max_size=3), st.lists(steps, min_size=3, max_size=3))
def test_windows_are_quantized_anew_as_songs_are(songs, song_steps):
    longest = max(map(len, songs))
    padded = torch.tensor([[*song, *[0] * (longest - len(song))] for song in songs]).float()
    step = torch.tensor(song_steps[: len(songs)]).float()
    anew = requantize(padded, step, torch.zeros(len(songs)))
    left = left_behind(padded, anew)
    for row, stored, song, each in zip(anew, left, songs, song_steps, strict=False):
        assert row[: len(song)].tolist() == quantize(np.array(song), each).tolist()
        assert stored[: len(song)].tolist() == carried(np.array(song), each).tolist()


@given(durations, steps, st.floats(-0.5, 0.499))
def test_an_error_carried_in_is_that_of_a_note_before(song, step, share):
    error = int(np.floor(share * step + 0.5)) if step > 1 else 0
    # A first note of 10 steps and the error leaves just that error.
    with_note = quantize(np.array([10 * step + error, *song]), step)
    anew = requantize(torch.tensor([song]).float(), torch.tensor([float(step)]), torch.tensor([float(error)]))
    assert anew[0].tolist() == (with_note[1:] + (with_note[0] - 10 * step) * (np.arange(len(song)) == 0)).tolist()


@pytest.mark.parametrize(
    ("quantized", "step"), [([30, 0, 45], 15), ([60, 120], 60), ([7], 7), ([2, 3], 1), ([0, 0], 1), ([], 1)]
)
@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float64])
def test_the_grid_step_that_durations_show(quantized, step, dtype):
    assert grid_step(np.array(quantized, dtype)) == step
