import numpy as np
import pyarrow as pa
import pytest

from toy_duration_predictor.experiment.timing import drift, error_by_length, lag_1_autocorrelation, timing


def table(quantized, sung, predicted):
    return pa.table({"quantized": quantized, "original": sung, "predicted": predicted})


def test_copying_and_perfection():
    quantized, sung = [[15, 30, 0, 45]], [[13, 33, 2, 44]]
    copied = timing(table(quantized, sung, quantized))
    assert copied["spread"] == copied["autocorrelation"] == 0
    assert copied["wasserstein"] == pytest.approx(np.mean([2, 3, 2, 1]))
    perfect = timing(table(quantized, sung, sung))
    assert perfect["wasserstein"] == perfect["kolmogorov_smirnov"] == perfect["drift"] == 0
    assert perfect["spread"] == perfect["spread_sung"] == pytest.approx(np.std([-2, 3, 2, -1]))
    assert perfect["autocorrelation"] == perfect["autocorrelation_sung"]


def test_autocorrelation_by_hand():
    """Pairs (1, 2), (2, 4) of one song and (0, 1) of another; not (4, 0), which lie in two."""
    songs = [np.array([1.0, 2, 4]), np.array([0.0, 1]), np.array([9.0])]
    assert lag_1_autocorrelation(songs) == pytest.approx(np.corrcoef([1, 2, 0], [2, 4, 1])[0, 1])
    assert lag_1_autocorrelation([np.array([1.0])]) == 0


def test_drift_by_hand():
    assert drift([np.array([10.0, 10, 10])], [np.array([9.0, 12, 9])]) == pytest.approx((1 + 1 + 0) / 3)


def test_errors_by_length_by_hand():
    groups = error_by_length(table([[0, 15, 30, 45, 150]], [[2, 14, 33, 45, 140]], [[1, 14, 30, 46, 140]]))
    assert groups == [
        ("0", 1, 2.0, 1.0),
        ("1", 1, 1.0, 0.0),
        ("2 to 3", 2, 1.5, 2.0),
        ("8 and more", 1, 10.0, 0.0),
    ]
    assert error_by_length(table([[0, 0]], [[1, 2]], [[1, 1]])) == [("0", 2, 1.5, 0.5)]
