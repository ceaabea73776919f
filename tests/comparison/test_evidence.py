from itertools import accumulate, pairwise

import numpy as np
import pyarrow as pa
import pytest

from toy_duration_predictor.comparison.evidence import (
    all_averaged,
    averaged,
    deciding,
    measured,
    song_errors,
    summaries,
)
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.training.predictions import predictions_table


def table(**columns):
    given = {
        "row": [9, 4],
        "singer_id": [2, 7],
        "quantized": [[60], [15, 0, 30]],
        "sung": [[50], [13, 2, 33]],
        "predicted": [[56.0], [14.0, 2.0, 30.0]],
        "rest": [[False], [False, True, False]],
        "ticks_per_beat": [480, 120],
        "tempo": [500_000, 600_000],
        "carried": [False, False],
    }
    types = {"ticks_per_beat": pa.int64(), "tempo": pa.int64()}
    return pa.table({name: pa.array(values, types.get(name)) for name, values in (given | columns).items()})


@pytest.fixture
def predictions():
    return table()


def test_errors_are_summed_by_song_in_the_order_of_rows(predictions):
    errors = song_errors(predictions)
    assert errors.row.tolist() == [4, 9]
    assert errors.singer.tolist() == [7, 2]
    assert errors.notes.tolist() == [3, 1]
    assert errors.error.tolist() == [4, 6]
    assert errors.mae == 2.5
    assert song_errors(predictions, "quantized").error.tolist() == [7, 10]


def test_measures_and_units_by_hand(predictions):
    """The song of one note has no onset but the first, which is given."""
    found = measured(predictions)
    assert set(found) == {"beats", "ms", "ticks"}
    assert list(found["ticks"]) == ["onset", "ioi", "duration", "notes", "rests"]
    assert found["ticks"]["onset"][:4] == (4, 7, 1, 1.0)  # predicted to begin at 16, sung at 15
    assert found["ticks"]["notes"].error.tolist() == [4, 6]
    assert found["ticks"]["rests"][:4] == (4, 7, 1, 0.0)
    assert found["beats"]["duration"].error.tolist() == [4 / 120, 6 / 480]
    assert found["ms"]["duration"].error == pytest.approx([4 * 5, 6 * 500 / 480])  # a tick is 5 ms in row 4
    assert deciding(found) == "beats"


def test_a_unit_is_known_where_it_is_known_of_all_songs():
    assert set(measured(table(tempo=[None, 500_000]))) == {"beats", "ticks"}
    unknown = measured(table(ticks_per_beat=[None, 120]))
    assert set(unknown) == {"ticks"}
    assert deciding(unknown) == "ticks"


def test_carried_values_have_no_onsets():
    assert set(measured(table(carried=[True, True]))["ticks"]) == {"duration", "notes", "rests"}


def test_all_measures_note_by_note(rng):
    """By running totals in plain Python, in beats."""
    songs = simulate_songs(4)
    durations = [np.asarray(song) for song in songs["durations"]]
    predicted = [song + rng.integers(-3, 4, len(song)) for song in durations]
    found = measured(predictions_table(songs, range(4), np.concatenate(predicted).astype(float)))["beats"]
    for i, song in enumerate(songs):
        onsets = []
        for each in (predicted[i], durations[i]):
            starts = [0, *accumulate(each.tolist())]
            onsets.append([start for start, pitch in zip(starts, song["pitch"], strict=False) if pitch])
        late = [p - s for p, s in zip(*onsets, strict=True)]
        beat = song["ticks_per_beat"]
        assert found["onset"].error[i] == pytest.approx(sum(map(abs, late)) / beat)
        assert found["onset"].notes[i] == found["ioi"].notes[i] == len(late) - 1
        steps = [b - a for a, b in pairwise(late)]
        assert found["ioi"].error[i] == pytest.approx(sum(map(abs, steps)) / beat)
        assert found["notes"].notes[i] + found["rests"].notes[i] == found["duration"].notes[i]


def test_repetitions_are_averaged_by_song(predictions):
    errors = song_errors(predictions)
    doubled = errors._replace(error=2 * errors.error)
    assert averaged([errors, doubled]).error.tolist() == [6, 9]
    only_last = errors._replace(row=np.array([9]), singer=np.array([2]), notes=np.array([1]), error=np.array([10.0]))
    pooled = averaged([errors, only_last])
    assert pooled.row.tolist() == [4, 9]
    assert pooled.error.tolist() == [4, 8]
    assert pooled.notes.tolist() == [3, 1]


def test_what_one_repetition_does_not_know_is_left_out(predictions):
    carried, no_beats = measured(table(carried=[True, True])), measured(table(ticks_per_beat=[None, 120]))
    assert set(all_averaged([measured(predictions), carried])["ms"]) == {"duration", "notes", "rests"}
    assert set(all_averaged([measured(predictions), no_beats])) == {"ticks"}


def test_errors_over_all_songs(predictions):
    perfect = predictions.set_column(4, "predicted", predictions["sung"])
    model = all_averaged([measured(predictions), measured(perfect)])
    assert model["ticks"]["duration"].error.tolist() == [2, 3]
    assert model["ticks"]["duration"].repetitions == (2.5, 0)
    copied = all_averaged([measured(predictions, "quantized")] * 2)
    assert copied["ticks"]["duration"].mae == 17 / 4
    assert copied["ticks"]["duration"].minus(model["ticks"]["duration"], 100).estimate == 17 / 4 - 1.25
    found = summaries({"model": model, "copy": copied}, "copy", 100)["duration"]["model"]
    assert found.units == pytest.approx({"beats": (2 / 120 + 3 / 480) / 4, "ms": (10 + 3.125) / 4, "ticks": 1.25})
    assert found.mae.estimate == found.units["beats"]
    assert found.share_of_copy == pytest.approx((2 / 120 + 3 / 480) / (7 / 120 + 10 / 480))


def test_errors_on_other_songs_are_not_subtracted(predictions):
    """Numpy would stretch the error of a single song over all."""
    errors = song_errors(predictions)
    single = errors._replace(**{name: getattr(errors, name)[:1] for name in ("row", "singer", "notes", "error")})
    for one, other in ((single, errors), (errors, single)):
        with pytest.raises(ValueError, match="songs"):
            one.minus(other, 100)
