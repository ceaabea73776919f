"""Without short rests: by hand, and against the preparation that leaves them out."""

import numpy as np
import pyarrow as pa
import pytest

from tests.comparison.test_evidence import table
from toy_duration_predictor.comparison.evidence import measured, notes_by_song
from toy_duration_predictor.comparison.gaps import SHORTEST, gap_free_view, without_short_rests
from toy_duration_predictor.data.midi.recipe import Limit, Recipe, song, with_rests
from toy_duration_predictor.data.midi.voice import Voice
from toy_duration_predictor.data.quantize import grid_ticks
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.training.predictions import predictions_table

# A tick is 0.1 s, so that rests of less than 3 ticks are short.
SECONDS = {"ticks_per_beat": [5], "tempo": [500_000]}


def one(quantized, sung, predicted, rest, **columns):
    lists = {"quantized": [quantized], "sung": [sung], "predicted": [predicted], "rest": [rest]}
    return table(row=[4], singer_id=[7], carried=[False], **SECONDS, **lists, **columns)


def test_a_short_rest_goes_to_the_note_after_it():
    """What was sung decides: the second rest is quantized to nothing, and long; the last one has no note after it."""
    rest = [False, True, False, True, False, True]
    given = one([8, 4, 8, 0, 8, 2], [7, 2, 9, 3, 7, 1], [7.5, 1.0, 9.5, 2.0, 8.0, 1.5], rest)
    found = without_short_rests(given)
    assert [song.tolist() for song in notes_by_song(found, "quantized")] == [[8, 12, 0, 8, 2]]
    assert [song.tolist() for song in notes_by_song(found, "sung")] == [[7, 11, 3, 7, 1]]
    assert [song.tolist() for song in notes_by_song(found, "predicted")] == [[7.5, 10.5, 2.0, 8.0, 1.5]]
    assert [song.tolist() for song in notes_by_song(found, "rest")] == [[False, False, True, False, True]]
    assert found.column_names == given.column_names


def test_it_is_what_preparing_without_short_rests_gives():
    """The same durations, and the same quantized ones, from the notes' times."""
    rows = simulate_songs(6)
    found = without_short_rests(predictions_table(rows, range(6), np.concatenate(rows["durations"]).astype(float)))
    for i, row in enumerate(rows):
        sung, pitch = np.array(row["durations"]), np.array(row["pitch"])
        onset = np.cumsum(sung) - sung
        notes = pitch > 0
        voice = Voice(
            onset=onset[notes],
            duration=sung[notes],
            pitch=pitch[notes],
            lyric=["la"] * int(notes.sum()),
            ticks_per_beat=row["ticks_per_beat"],
            tempos=np.array([[0, row["tempo"]]]),
            metres=np.zeros((0, 3), dtype=np.int64),
            mended={},
        )
        prepared = song(voice, Recipe(shortest_rest=Limit(SHORTEST, "s")))
        assert prepared["durations"].tolist() == notes_by_song(found, "sung")[i].tolist()
        assert prepared["quantized_durations"].tolist() == notes_by_song(found, "quantized")[i].tolist()
        assert (prepared["pitch"] == 0).tolist() == notes_by_song(found, "rest")[i].tolist()
        assert with_rests(voice, Limit(0, "s")).duration.tolist() == sung.tolist()
        assert grid_ticks(row["ticks_per_beat"]) % np.gcd.reduce(prepared["quantized_durations"]) == 0


def test_the_view_by_hand():
    rest = [False, True, False, True, False]
    model = one([8, 4, 8, 0, 8], [7, 2, 9, 3, 7], [7.5, 1.0, 9.5, 2.0, 8.0], rest)
    copy = model.set_column(model.column_names.index("predicted"), "predicted", model["quantized"])
    found = gap_free_view({m: {"copy": [copy], "b": [model]} for m in ("onset", "duration")}, "copy")
    assert (found.songs, found.short) == (1, 0.5)
    # With: copy is off by 1, 2, 1, 3, 1; the model by 0.5, 1, 0.5, 1, 1. Without: by 1, 1, 3, 1 and 0.5, 0.5, 1, 1.
    assert found.shares["duration"]["b"] == pytest.approx((4 / 8, 3 / 6))
    assert found.copy["duration"] == pytest.approx(100 * 6 / 4)
    # Onsets are sung at 9 and 21, copied at 12 and 20, and predicted at 8.5 and 20. Without short rests the first of
    # these are 7, 8 and 7.5.
    assert found.shares["onset"]["b"] == pytest.approx(((0.5 + 1) / (3 + 1), (0.5 + 1) / (1 + 1)))


def test_what_the_view_needs():
    known = one([8], [7], [7.5], [False])
    for changed in ({"tempo": [None]}, {"ticks_per_beat": [None]}, {"carried": [True]}):
        columns = {**known.to_pydict(), **changed}
        assert gap_free_view({"duration": {"copy": [table(**columns)]}}, "copy") is None
    both = pa.concat_tables([known, table(tempo=[None, None])])
    assert gap_free_view({"duration": {"copy": [both]}}, "copy").songs == 1


def test_without_short_rests_nothing_changes_where_there_are_none():
    given = one([8, 4, 8], [7, 3, 9], [7.5, 1.0, 9.5], [False, True, False])
    assert measured(without_short_rests(given))["ticks"]["onset"].error == measured(given)["ticks"]["onset"].error
