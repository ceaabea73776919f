import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset

from toy_duration_predictor.comparison.between_singers import RUN, between_singers, differences, matches
from toy_duration_predictor.data.simulate import simulate_songs


def song(singer, pitch, quantized, sung, song_id="a"):
    return {
        "song_id": song_id,
        "singer_id": singer,
        "pitch": pitch,
        "quantized_durations": quantized,
        "durations": sung,
    }


def two_singers():
    """Nine notes and a rest; the second singer is a fifth lower, at twice the resolution, and begins with two more."""
    pitch = [60, 62, 64, 65, 0, 67, 69, 71, 72, 74]
    steps = [1, 2, 1, 2, 1, 2, 1, 2, 1, 2]
    lower = [60, 40, *[p - 7 if p else 0 for p in pitch]]
    return Dataset.from_list(
        [
            song(1, pitch, [15 * s for s in steps], [15 * s + 3 for s in steps]),
            # The last note is quantized to another length, and so not compared.
            song(2, lower, [30, 90, *[30 * s for s in steps[:-1]], 90], [9, 9, *[30 * s + 2 for s in steps[:-1]], 66]),
            song(2, pitch, [15 * s for s in steps], [15 * s + 9 for s in steps], "b"),
        ]
    )


def test_two_singers_by_hand():
    found = matches(two_singers())
    assert (found.pairs, found.alignable) == (1, 9)
    # Not the first of the nine, whose interval from the note before is another one.
    assert found.notes.row.tolist() == [0] * 7 + [1] * 7
    assert found.notes.note.tolist() == [1, 2, 3, 5, 6, 7, 8, 3, 4, 5, 7, 8, 9, 10]
    assert found.notes.sung[:2].tolist() == [33, 18]
    assert found.notes.other[:2].tolist() == pytest.approx([31, 16])  # 62 and 32 at half the resolution
    assert found.notes.other[7:9].tolist() == pytest.approx([66, 36])


def test_figures_by_hand():
    found = differences(matches(two_singers()).notes, 100)
    assert (found.songs, found.notes, found.model) == (1, 14, None)
    assert found.other.estimate == pytest.approx((2 + 4) / 2)  # ticks of either performance
    assert found.copy.estimate == pytest.approx((3 + 2) / 2)
    assert found.other_steps == pytest.approx(2 / 15)
    assert found.copy_steps == pytest.approx((3 / 15 + 2 / 30) / 2)


def test_a_model_is_compared_on_the_songs_that_it_was_tested_on():
    predictions = pa.table({"row": [2, 1], "predicted": [[0.0] * 10, [70.0] * 12]})
    found = differences(matches(two_singers()).notes, 100, predictions)
    assert found.notes == 7
    assert found.other.estimate == pytest.approx(4)
    assert found.model.estimate == pytest.approx(np.abs(70 - np.array([62, 32, 62, 62, 32, 62, 32])).mean())
    assert differences(matches(two_singers()).notes, 100, predictions.slice(0, 1)) is None
    both = between_singers(two_singers(), predictions, 100)
    assert both.test_songs == found
    assert (both.pairs, both.alignable, both.matched, both.all_songs.notes) == (1, 9, 7, 14)


def test_what_a_table_must_know():
    table = two_singers()
    for column in ("song_id", "pitch"):
        assert matches(table.remove_columns(column)) is None
    assert matches(table.select([0, 2])) is None  # two songs
    rows = table.to_list()
    assert matches(Dataset.from_list([{**row, "singer_id": 5} for row in rows])) is None
    assert matches(Dataset.from_list([{**row, "song_id": None} for row in rows])) is None
    short = [
        {**row, **{name: row[name][: RUN - 1] for name in ("pitch", "durations", "quantized_durations")}}
        for row in rows
    ]
    assert matches(Dataset.from_list(short)) is None


@pytest.mark.parametrize("effect", [0, 2])
def test_simulated_singers_of_one_score(effect):
    """Their melodies are the same note by note, so that there is nothing to align."""
    table = simulate_songs(songs=24, singer_effect=effect)
    found = matches(table)
    away, copied, deviations = [], [], []
    for one, other in zip(table.select(range(0, 24, 2)), table.select(range(1, 24, 2)), strict=True):
        beat = np.array([[one["ticks_per_beat"]], [other["ticks_per_beat"]]]) / 8
        quantized = np.array([one["quantized_durations"], other["quantized_durations"]]) / beat
        sung = np.array([one["durations"], other["durations"]]) / beat
        same = (np.array(one["pitch"]) > 0) & (quantized[0] == quantized[1])
        away += [*np.abs(sung[0] - sung[1])[same]]
        deviations += [*(sung - quantized)[:, same].T]
        copied += [*np.abs(sung - quantized)[:, same].ravel()]
    result = differences(found.notes, 100)
    assert (found.pairs, result.songs, result.notes) == (12, 12, 2 * len(away))
    assert result.other_steps == pytest.approx(np.mean(away))
    assert result.copy_steps == pytest.approx(np.mean(copied))
    both = np.array(deviations + [pair[::-1] for pair in deviations])
    assert result.correlation == pytest.approx(np.corrcoef(both.T)[0, 1])
    assert result.other.low < result.other.estimate < result.other.high
