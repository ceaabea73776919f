from itertools import groupby
from operator import itemgetter

import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset

from toy_duration_predictor.comparison.timing import (
    FIRST,
    INNER,
    LAST,
    POSITIONS,
    REST_BETWEEN,
    REST_WITHIN,
    error_by_length,
    error_by_phrase_position,
    error_by_singer,
    lag_1_autocorrelation,
    phrase_position,
    timing,
)
from toy_duration_predictor.data.simulate import simulate_songs


def table(quantized, sung, predicted):
    return pa.table({"quantized": quantized, "sung": sung, "predicted": predicted})


def test_copying_and_perfection():
    quantized, sung = [[15, 30, 0, 45]], [[13, 33, 2, 44]]
    copied = timing(table(quantized, sung, quantized))
    assert copied.spread == copied.autocorrelation == 0
    assert copied.wasserstein == pytest.approx(np.mean([2, 3, 2, 1]))
    perfect = timing(table(quantized, sung, sung))
    assert perfect.wasserstein == perfect.kolmogorov_smirnov == 0
    assert perfect.spread == perfect.spread_sung == pytest.approx(np.std([-2, 3, 2, -1]))
    assert perfect.autocorrelation == perfect.autocorrelation_sung


def test_autocorrelation_by_hand():
    """Pairs (1, 2), (2, 4) of one song and (0, 1) of another; not (4, 0), which lie in two."""
    songs = [np.array([1.0, 2, 4]), np.array([0.0, 1]), np.array([9.0])]
    assert lag_1_autocorrelation(songs) == pytest.approx(np.corrcoef([1, 2, 0], [2, 4, 1])[0, 1])
    assert lag_1_autocorrelation([np.array([1.0])]) == 0


def test_errors_by_length_by_hand():
    quantized, sung = [[0, 15, 30, 45, 150]], [[2, 14, 33, 45, 140]]
    model, lookup = table(quantized, sung, [[1, 14, 30, 46, 140]]), table(quantized, sung, [[2, 14, 33, 45, 143]])
    assert error_by_length(model, lookup) == [
        ("0", 1, 2.0, 0.0, 1.0),
        ("1", 1, 1.0, 0.0, 0.0),
        ("2 to 3", 2, 1.5, 0.0, 2.0),
        ("8 and more", 1, 10.0, 3.0, 0.0),
    ]
    silent = table([[0, 0]], [[1, 2]], [[1, 1]])
    assert error_by_length(silent, silent) == [("0", 2, 1.5, 0.5, 0.5)]


def test_errors_by_singer_by_hand():
    model = table([[15], [15, 30], [15]], [[13], [15, 33], [16]], [[14], [15, 33], [20]])
    model = model.append_column("singer_id", pa.array([7, 2, 7]))
    assert error_by_singer(model, model) == [("2", 2, 1.5, 0.0, 0.0), ("7", 2, 1.5, 2.5, 2.5)]


def test_errors_by_phrase_position_by_hand():
    """Two phrases in row 2, of three notes and of one; row 0 is not tested; the resolution of row 1 is four times."""
    songs = Dataset.from_dict(
        {"pitch": [[0, 0], [0, 50, 0, 60, 0], [60, 0, 62, 60, 0, 64]], "quantized": [[1, 1]] + [[0]] * 2}
    )
    quantized = [[30, 0, 15, 15, 120, 30], [480, 60, 420, 60, 0]]
    sung = [[q + by for q, by in zip(song, range(1, 9), strict=False)] for song in quantized]
    predictions = table(quantized, sung, quantized).append_column("row", pa.array([2, 1]))
    # Deviations: row 2 has 1 first, 2 rest, 3 inner, 4 last, 5 breath, 6 only; row 1 has 1 breath, 2 first, 3 rest, 4
    # last, 5 rest.
    assert error_by_phrase_position(predictions, predictions, songs) == [
        (FIRST, 3, 3.0, 3.0, 3.0),
        (INNER, 1, 3.0, 3.0, 3.0),
        (LAST, 2, 4.0, 4.0, 4.0),
        (REST_WITHIN, 3, *[pytest.approx(10 / 3)] * 3),
        (REST_BETWEEN, 2, 3.0, 3.0, 3.0),
    ]
    assert error_by_phrase_position(predictions, predictions, songs.remove_columns("pitch")) == []


def test_positions_against_a_walk_through_the_songs():
    for song in simulate_songs(songs=6):
        pitch, quantized = np.array(song["pitch"]), np.array(song["quantized_durations"])
        expected = {}
        breaths = (pitch == 0) & (quantized >= song["ticks_per_beat"])
        for is_breath, group in groupby(enumerate(breaths), itemgetter(1)):
            members = [i for i, _ in group]
            notes = [i for i in members if pitch[i]]
            expected |= dict.fromkeys(members, REST_BETWEEN if is_breath else REST_WITHIN)
            expected |= dict.fromkeys(notes, INNER) | dict.fromkeys(notes[-1:], LAST) | dict.fromkeys(notes[:1], FIRST)
        got = phrase_position(pitch, quantized)
        assert [*got] == [expected[i] for i in range(len(pitch))]
        assert set(got) == set(POSITIONS)
