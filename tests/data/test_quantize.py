import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toy_duration_predictor.data.quantize import grid_ticks, quantize
from toy_duration_predictor.errors import InputError

durations = st.lists(st.integers(0, 5000), min_size=1, max_size=60)


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


@given(durations, st.sampled_from([15, 60, 120, 7]))
def test_quantize_is_error_forwarding_on_a_copy(durations, step):
    given_array = np.array(durations, dtype=np.int64)
    quantized = quantize(given_array, step)
    assert quantized.tolist() == forward_error(durations, step)
    assert given_array.tolist() == durations
    assert (quantized % step == 0).all()
    assert quantize(quantized, step).tolist() == quantized.tolist()


def test_grids():
    assert [grid_ticks(resolution) for resolution in (120, 480, 960)] == [15, 60, 120]
    assert grid_ticks(120, 4) == 120
    with pytest.raises(InputError, match="1/32 does not divide 100 ticks per beat"):
        grid_ticks(100)
    with pytest.raises(InputError, match="does not divide 4 ticks per beat"):
        grid_ticks(4, 32)
