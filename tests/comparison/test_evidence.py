import numpy as np
import pyarrow as pa
import pytest

from toy_duration_predictor.comparison.evidence import averaged, song_errors, summaries


@pytest.fixture
def predictions():
    return pa.table(
        {
            "row": [9, 4],
            "singer_id": [2, 7],
            "quantized": [[60], [15, 0, 30]],
            "sung": [[50], [13, 2, 33]],
            "predicted": [[56.0], [14.0, 2.0, 30.0]],
        }
    )


def test_errors_are_summed_by_song_in_the_order_of_rows(predictions):
    errors = song_errors(predictions)
    assert errors.row.tolist() == [4, 9]
    assert errors.singer.tolist() == [7, 2]
    assert errors.notes.tolist() == [3, 1]
    assert errors.error.tolist() == [4, 6]
    assert errors.mae == 2.5
    assert song_errors(predictions, "quantized").error.tolist() == [7, 10]


def test_repetitions_are_averaged_by_song(predictions):
    errors = song_errors(predictions)
    doubled = errors._replace(error=2 * errors.error)
    assert averaged([errors, doubled]).error.tolist() == [6, 9]
    only_last = errors._replace(row=np.array([9]), singer=np.array([2]), notes=np.array([1]), error=np.array([10.0]))
    pooled = averaged([errors, only_last])
    assert pooled.row.tolist() == [4, 9]
    assert pooled.error.tolist() == [4, 8]
    assert pooled.notes.tolist() == [3, 1]


def test_errors_over_all_songs(predictions):
    perfect = predictions.set_column(4, "predicted", predictions["sung"])
    model = averaged([song_errors(predictions), song_errors(perfect)])
    assert model.error.tolist() == [2, 3]
    assert model.repetitions == (2.5, 0)
    assert model.mae == summaries({"model": model}, {}, "model", "model", 100)[0]["model"].mae.estimate == 1.25
    copied = averaged([song_errors(predictions, "quantized")] * 2)
    assert copied.mae == 17 / 4
    assert copied.minus(model, 100).estimate == 17 / 4 - 1.25


def test_errors_on_other_songs_are_not_subtracted(predictions):
    """Numpy would stretch the error of a single song over all."""
    errors = song_errors(predictions)
    single = errors._replace(**{name: getattr(errors, name)[:1] for name in ("row", "singer", "notes", "error")})
    for one, other in ((single, errors), (errors, single)):
        with pytest.raises(ValueError, match="songs"):
            one.minus(other, 100)
