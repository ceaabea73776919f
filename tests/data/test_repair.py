import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import flat
from toy_duration_predictor.data.quantize import carried, quantize
from toy_duration_predictor.data.repair import _lattice, _undecided, repair
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError

durations = st.lists(st.integers(1, 12) | st.integers(1, 300), min_size=1, max_size=40)


def spoil(sung, step):
    return carried(np.array(sung), step), quantize(np.array(sung), step)


def readings(c, q):
    """Every sequence of durations that the quantizer turns into these values, by trying all."""
    found = [([], 0)]
    for carried_, quantized in zip(c, q, strict=True):
        longer = []
        for sung, error in found:
            for duration in range(1, max(c) + 61):
                total = duration + error if duration + error >= 0 else duration
                if total == carried_:
                    kept = 0 if duration + error >= 0 else error
                    longer.append(([*sung, duration], kept + carried_ - quantized))
        found = longer
    return [sung for sung, _ in found]


@given(durations, st.sampled_from([15, 60, 7]))
def test_the_quantizer_turns_it_back_into_what_was_given(sung, step):
    c, q = spoil(sung, step)
    done = repair([c], [q], [step])
    assert carried(done.sung[0], step).tolist() == c.tolist()
    assert quantize(done.sung[0], step).tolist() == q.tolist()
    assert done.sung[0].min() >= 1


@given(durations, st.sampled_from([15, 60, 7]))
def test_what_is_decided_is_right(sung, step):
    c, q = spoil(sung, step)
    done = repair([c], [q], [step])
    decided = ~done.undecided[0]
    assert done.sung[0][decided].tolist() == np.array(sung)[decided].tolist()


@given(st.lists(st.integers(1, 12) | st.integers(1, 40), min_size=1, max_size=8))
def test_undecided_are_the_notes_that_readings_differ_in(sung):
    c, q = (values.tolist() for values in spoil(sung, 15))
    all_readings = readings(c, q)
    assert sung in all_readings
    differ = [len(set(values)) > 1 for values in zip(*all_readings, strict=True)]
    assert _undecided(_lattice(c, q, 0)).tolist() == differ


def test_the_likelier_of_two_readings_is_taken():
    """13 is rounded up to 15 and carries -2; then 1 tick stays 1, or 3 ticks become 1. Elsewhere 3 is common."""
    c, q = spoil([13, 3], 15)
    assert c.tolist() == spoil([13, 1], 15)[0].tolist() == [13, 1]
    for common in (1, 3):
        others = spoil([common] * 3 + [30, common] * 50, 15)
        done = repair([c, others[0]], [q, others[1]], [120, 120])
        assert done.undecided[0].tolist() == [False, True]
        assert done.sung[0].tolist() == [13, common]


def test_values_that_no_quantizer_left_are_refused():
    with pytest.raises(InputError, match="Song 1, note 1: 0 ticks, quantized to 0, are no carried value"):
        repair([np.array([15, 3]), np.array([15, 0])], [np.array([15, 0]), np.array([15, 0])], [120, 120])


def test_simulated_songs_come_back():
    """Nine in ten notes, and all that are decided."""
    songs = simulate_songs(40)
    steps = [ticks // 8 for ticks in songs["ticks_per_beat"]]
    spoilt = [spoil(sung, step) for sung, step in zip(songs["durations"], steps, strict=True)]
    done = repair([c for c, _ in spoilt], [q for _, q in spoilt], steps)
    right, undecided = flat(done.sung) == flat(songs["durations"]), flat(done.undecided)
    assert right[~undecided].all()
    assert right.mean() > 0.9
    assert flat([c for c, _ in spoilt]).tolist() != flat(songs["durations"]).tolist()


def test_real_songs_come_back(mssv):
    """The plain forward pass gets 91 %."""
    published, sung = (load_songs("parquet", path=mssv / f"{name}.parquet") for name in ("published", "corrected"))
    arrays = [[np.array(song) for song in published[column]] for column in ("durations", "quantized_durations")]
    done = repair(*arrays, published["ticks_per_beat"])
    right, undecided = flat(done.sung) == flat(sung["durations"]), flat(done.undecided)
    assert right[~undecided].all()
    assert right.mean() > 0.96
