"""Planted effects: where onsets move, what that is worth, and whether it is found."""

import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset

from toy_duration_predictor.comparison.arms import ANONYMOUS, MODEL
from toy_duration_predictor.comparison.evidence import notes_by_song, song_errors
from toy_duration_predictor.comparison.sensitivity import moved, plant, sensitivity, size_of
from toy_duration_predictor.data.quantize import grid_step, quantize
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.data.songs import validate_songs
from toy_duration_predictor.training.predictions import predictions_table
from toy_duration_predictor.training.run_folder import FinishedRun
from toy_duration_predictor.training.timing_errors import MEASURES


@pytest.fixture(scope="module")
def table():
    return validate_songs(simulate_songs(36))


@pytest.fixture(scope="module")
def predictions(table):
    """Durations of a model whose onsets are off by a normal distribution."""
    rng = np.random.default_rng(0)
    predicted = []
    for song in table:
        late = rng.normal(0, song["ticks_per_beat"] / 30, len(song["durations"]))
        predicted.append(np.array(song["durations"]) + np.diff(late, append=0))
    return predictions_table(table, range(36), np.concatenate(predicted))


def onsets(song, column="durations"):
    durations = np.array(song[column])
    return (np.cumsum(durations) - durations)[np.array(song["pitch"]) > 0]


def test_every_second_onset_of_a_phrase_moves():
    """Two phrases, of three notes and of two; a rest within a phrase goes with the note after it."""
    quantized = np.array([2, 1, 2, 2, 4, 2, 1, 2])
    rest = np.array([False, True, False, False, True, False, True, False])
    assert moved(quantized, rest).tolist() == [0, 1, 1, 0, 0, 0, 1, 1]
    assert moved(quantized[:1], rest[:1]).tolist() == [0]


def test_singers_sing_half_of_their_onsets_earlier_or_later(table):
    size = 0.03
    planted = plant(table, size, "beats")
    means = []
    for before, after in zip(table, planted, strict=True):
        by = (onsets(after) - onsets(before)) / before["ticks_per_beat"]
        assert by[0] == 0
        assert sum(after["durations"]) == sum(before["durations"])
        means.append(by[by != 0].mean())
        score, rest = np.array(before["quantized_durations"]), np.array(before["pitch"]) == 0
        assert set(np.flatnonzero(by)) <= set(np.flatnonzero(moved(score, rest)[~rest]))
        assert after["quantized_durations"] == quantize(np.array(after["durations"]), grid_step(score)).tolist()
    sign = np.where(np.array(table["singer_id"]) % 2 == 1, 1, -1)
    assert means == pytest.approx(size * sign, abs=0.004)  # a tick is 0.008 beats at 120 ticks a beat
    assert {*planted.column_names} == {*table.column_names}
    validate_songs(planted)


def test_moves_of_less_than_a_tick_are_right_on_average(table):
    planted = plant(table, 0.3, "ticks")
    by = np.concatenate([onsets(b) - onsets(a) for a, b in zip(table, planted, strict=True) if a["singer_id"] % 2])
    rests = [np.array(song["pitch"]) == 0 for song in table]
    which = [moved(np.array(s["quantized_durations"]), rest)[~rest] for s, rest in zip(table, rests, strict=True)]
    count = sum(each.sum() for s, each in zip(table, which, strict=True) if s["singer_id"] % 2)
    assert set(by) == {0, 1}
    assert by.sum() / count == pytest.approx(0.3, abs=0.03)


def test_songs_of_unknown_resolution_stay_as_they_are(table):
    unknown = table.remove_columns("ticks_per_beat").add_column("ticks_per_beat", [None, *table["ticks_per_beat"][1:]])
    planted = plant(unknown, 0.1, "beats")
    assert planted["durations"][0] == table["durations"][0]
    assert planted["durations"][1] != table["durations"][1]


@pytest.mark.parametrize("unit", ["beats", "ticks"])
@pytest.mark.parametrize("measure", MEASURES)
def test_what_a_move_is_worth(table, predictions, measure, unit):
    """By the errors of who knows the singer, and of who does not, on the planted songs themselves."""
    worth = 0.05 * song_errors(predictions, measure=measure, unit=unit).mae
    size = size_of(predictions, measure, unit, worth)
    sung = notes_by_song(predictions, "sung")
    signs = np.where(np.array(table["singer_id"]) % 2 == 1, 1, -1)
    ticks = np.array(table["ticks_per_beat"]) if unit == "beats" else np.ones(len(table))
    songs = zip(sung, notes_by_song(predictions, "quantized"), notes_by_song(predictions, "rest"), strict=True)
    change = [np.diff(moved(q, rest), append=0) for _, q, rest in songs]

    def error(told):
        """Of a model that knows the singer, or moves nothing, or as the other half of the singers do."""
        planted = [s + size * t * sign * by for s, t, sign, by in zip(sung, ticks, signs, change, strict=True)]
        said = zip(notes_by_song(predictions, "predicted"), ticks, signs, change, strict=True)
        predicted = [p + size * t * sign * by * told for p, t, sign, by in said]
        columns = {"sung": planted, "predicted": predicted}
        changed = predictions
        for name, values in columns.items():
            changed = changed.set_column(changed.column_names.index(name), name, pa.array(values))
        return song_errors(changed, measure=measure, unit=unit).mae

    # One sign a singer: what both signs are worth on average shows in the mean over the singers.
    assert error(told=0) - error(told=1) == pytest.approx(worth, rel=0.3)
    assert error(told=1) == pytest.approx(song_errors(predictions, measure=measure, unit=unit).mae)


def test_nothing_can_be_planted_in_phrases_of_one_note():
    rows = [{"singer_id": 1, "durations": [9, 60, 9], "quantized_durations": [10, 60, 10], "pitch": [60, 0, 60]}]
    songs = validate_songs(Dataset.from_list(rows))
    tested = predictions_table(songs, [0], np.array([9.0, 61.0, 9.0]))
    assert sensitivity(songs, tested, "onset", "ticks", 0.1, lambda *_: 1 / 0, 100) is None


@pytest.mark.parametrize(("gain", "word"), [(1.0, "supported"), (0.0, "not enough to tell")])
def test_an_effect_is_found_or_not(table, predictions, gain, word):
    """Runs whose errors are those of the known model, plus what the singer is worth, or not."""
    rng = np.random.default_rng(1)
    worth = 0.02 * song_errors(predictions, measure="duration", unit="beats").mae
    ticks = np.array(table["ticks_per_beat"])
    seen = []

    def train(planted, measure):
        seen.append((planted, measure))
        runs = []
        for arm, more in ((MODEL, 0.0), (ANONYMOUS, gain * worth)):
            for seed in range(6):
                off = [
                    np.full(len(song), (1 + more) * beat + rng.normal(0, worth * beat / 10))
                    for song, beat in zip(planted["durations"], ticks, strict=True)
                ]
                durations = np.concatenate([np.array(s) for s in planted["durations"]])
                tested = predictions_table(planted, range(36), durations + np.concatenate(off))
                metrics = {"data/fingerprint": "0", "data/source": "parquet"}
                runs.append(FinishedRun(None, arm, seed, "auto", 42, {}, metrics, tested))
        return runs

    found = sensitivity(table, predictions, "duration", "beats", worth, train, 200)
    assert found.verdict == word
    assert found.difference.estimate == pytest.approx(gain * worth, abs=0.05 * worth)
    assert found.size == size_of(predictions, "duration", "beats", worth)
    [(planted, measure)] = seen
    assert measure == "duration"
    assert planted["durations"][:] == plant(table, found.size, "beats")["durations"][:]
