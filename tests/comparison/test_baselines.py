from collections import defaultdict

import numpy as np
import pytest
from datasets import Dataset

from toy_duration_predictor.comparison import baselines
from toy_duration_predictor.comparison.baselines import BASELINES, TARGETS, fitted_baselines
from toy_duration_predictor.comparison.boosting import REACH
from toy_duration_predictor.comparison.corrections import OUTSIDE, SongArrays, song_arrays
from toy_duration_predictor.comparison.evidence import song_errors
from toy_duration_predictor.comparison.lookup import LEAST_NOTES, Lookup
from toy_duration_predictor.data.batches import Songs
from toy_duration_predictor.data.quantize import grid_step
from toy_duration_predictor.data.rests import guess_rests
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.data.songs import validate_songs
from toy_duration_predictor.data.split import split_rows
from toy_duration_predictor.training import predictions

LOOKUPS = [name for name in BASELINES if not name.startswith("boosting")]
BOOSTED = [name for name in BASELINES if name.startswith("boosting")]


def of(*songs: tuple[int, list[int], list[int]]) -> SongArrays:
    """Makes song_arrays of (singer, quantized, sung) a song; all of them notes."""
    singers, quantized, sung = zip(*songs, strict=True)
    rest = [np.zeros(len(q), dtype=bool) for q in quantized]
    return SongArrays([np.array(q) for q in quantized], [np.array(s) for s in sung], rest, np.array(singers))


def predict(name, train, test, target="duration"):
    return [song.tolist() for song in BASELINES[name]().fit(train, target).predict(test)]


def mae(predicted, songs):
    return np.abs(np.concatenate(predicted) - np.concatenate(songs.sung)).mean()


@pytest.fixture(scope="module")
def simulated_table():
    return validate_songs(simulate_songs(songs=30))


@pytest.fixture(scope="module")
def simulated(simulated_table):
    """Training and validation songs of 30 simulated ones."""
    split = split_rows(simulated_table, "grouped", 0)
    return song_arrays(simulated_table, split.train), song_arrays(simulated_table, split.val)


def test_rows_are_read_in_the_order_given(songs):
    got = song_arrays(songs, [7, 2])
    for i, row in enumerate([7, 2]):
        assert got.quantized[i].tolist() == songs[row]["quantized_durations"]
        assert got.sung[i].tolist() == songs[row]["durations"]
        assert got.singer[i] == songs[row]["singer_id"]
        assert got.rest[i].tolist() == guess_rests(got.quantized[i] / grid_step(got.quantized[i])).tolist()
    pitch = [[60] * len(song) for song in songs["durations"]]
    assert not any(rest.any() for rest in song_arrays(songs.add_column("pitch", pitch), [7, 2]).rest)
    assert len(got.quantized) == len(got.sung) == len(got.singer) == 2


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("target", TARGETS)
def test_a_prediction_is_a_float_array_a_song_as_long_as_the_song(name, target, songs):
    train, test = song_arrays(songs, range(20)), song_arrays(songs, [25, 21, 28])
    predicted = BASELINES[name]().fit(train, target).predict(test)
    assert [len(song) for song in predicted] == [len(song) for song in test.quantized]
    assert all(song.dtype == np.float64 and np.isfinite(song).all() for song in predicted)
    assert target == "onset" or all((song >= 0).all() for song in predicted)
    # Whatever is predicted of onsets, the song ends where it is quantized to end.
    ends = [(sum(p), sum(q)) for p, q in zip(predicted, test.quantized, strict=True)]
    assert target == "duration" or all(a == pytest.approx(b) for a, b in ends)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("target", TARGETS)
def test_predicting_does_not_look_at_what_was_sung(name, target, songs):
    fitted = BASELINES[name]().fit(song_arrays(songs, range(20)), target)
    test = song_arrays(songs, range(20, 30))
    hidden = test._replace(sung=[np.zeros_like(song) for song in test.sung])
    assert [s.tolist() for s in fitted.predict(test)] == [s.tolist() for s in fitted.predict(hidden)]


@pytest.mark.parametrize("name", BASELINES)
def test_rows_that_it_is_not_fitted_on_change_nothing(name, songs):
    split = split_rows(songs, "published", 42)
    columns = songs.to_dict()
    for row in [*split.val, *split.test]:
        columns["durations"][row] = [9999] * len(columns["durations"][row])
        columns["quantized_durations"][row] = [15] * len(columns["durations"][row])
        columns["singer_id"][row] = 99
    other = Dataset.from_dict(columns)
    test = song_arrays(songs, split.test)
    assert predict(name, song_arrays(songs, split.train), test) == predict(name, song_arrays(other, split.train), test)


@pytest.mark.parametrize("name", BASELINES)
def test_the_second_fit_forgets_the_first(name, songs):
    first, second, test = (song_arrays(songs, rows) for rows in (range(10), range(10, 20), range(20, 30)))
    again = BASELINES[name]().fit(first).fit(second).predict(test)
    assert [song.tolist() for song in again] == predict(name, second, test)


def test_copy_is_the_input():
    assert predict("copy", of((1, [10] * 9, [90] * 9)), of((1, [0, 10, 20], [1, 1, 1]))) == [[0, 10, 20]]


def test_value_adds_the_median_correction():
    # Corrections of 10: -2, -1, 0, 4, 5, 90, median 2; of 20: -30 in all notes, and nothing is below 0.
    sung = [8, 9, 10, 14, 15, 100]
    train = of((1, [10] * 6, sung), (2, [20] * 6, [-10] * 6))
    assert predict("value", train, of((3, [10, 20, 10], [0] * 3))) == [[12, 0, 12]]


def test_a_key_needs_enough_notes():
    few, enough = LEAST_NOTES - 1, LEAST_NOTES
    assert predict("value", of((1, [10] * few, [13] * few)), of((1, [10], [0]))) == [[10]]
    assert predict("value", of((1, [10] * enough, [13] * enough)), of((1, [10], [0]))) == [[13]]


def test_a_singer_of_their_own_and_an_unknown_one():
    train = of((1, [10] * 5, [11] * 5), (2, [10] * 7, [17] * 7))
    test = of((1, [10], [0]), (2, [10], [0]), (3, [10], [0]), (1, [20], [0]))
    assert predict("value_singer", train, test) == [[11], [17], [17], [20]]


def test_songs_have_edges():
    # Six songs 10 20: 10 comes after nothing, 20 before nothing. Joined, 20 would come before 10.
    train = of(*[(1, [10, 20], [11, 22])] * 6)
    assert predict("neighbours", train, of((1, [10, 20], [0] * 2), (1, [10, 20], [0] * 2))) == [[11, 22]] * 2
    fitted = Lookup(("previous", "this", "next")).fit(train)
    assert [song.tolist() for song in fitted.predict(of((1, [10, 20, 10, 20], [0] * 4)))] == [[11, 20, 10, 22]]
    assert set(fitted.medians[0].index) == {(OUTSIDE, 10, 20, False), (10, 20, OUTSIDE, False)}


def test_back_off_goes_from_the_finest_key_to_none():
    train = of(
        *[(1, [5, 10, 15], [5, 11, 15])] * 5,  # singer 1 between 5 and 15: +1
        *[(2, [5, 10, 15], [5, 12, 15])] * 8,  # all singers between 5 and 15: +2
        *[(2, [6, 10, 16], [6, 13, 16])] * 9,  # singer 2, anywhere: +3, by 9 of 17
        *[(4, [7, 10, 17], [7, 14, 17])] * 30,  # anyone, anywhere: +4, by 30 of 52
    )
    between = [5, 10, 15]
    elsewhere = [8, 10, 8]
    test = of((1, between, between), (3, between, between), (2, elsewhere, elsewhere), (3, elsewhere, elsewhere))
    middle = [song[1] for song in predict("neighbours_singer", train, test)]
    assert middle == [11, 12, 13, 14]
    assert predict("neighbours_singer", train, of((1, [99], [0]))) == [[99]]
    middle = [song[1] for song in predict("neighbours", train, test)]
    assert middle == [12, 12, 14, 14]


def by_hand(keys, train, test, target):
    """The lookups again, a note at a time: the predicted durations, or of onsets the predicted points in time."""

    def notes(songs):
        for song, rest, singer in zip(songs.quantized, songs.rest, songs.singer, strict=True):
            padded = [-1, *song.tolist(), -1]
            for i in range(1, len(padded) - 1):
                around = {"previous": padded[i - 1], "this": padded[i], "next": padded[i + 1]}
                at = {"first": i == 1, "line": sum(padded[1:i])}
                yield {**around, **at, "singer": int(singer), "rest": bool(rest[i - 1])}

    corrections = defaultdict(list)
    sung = [(note, sum(song[:i])) for song in train.sung for i, note in enumerate(song.tolist())]
    for note, (duration, onset) in zip(notes(train), sung, strict=True):
        if target == "onset" and note["first"]:
            continue
        correction = onset - note["line"] if target == "onset" else duration - note["this"]
        for key in keys:
            corrections[key, tuple(note[part] for part in key)].append(correction)
    predicted = []
    for note in notes(test):
        found = [corrections.get((key, tuple(note[part] for part in key)), []) for key in keys]
        correction = next((np.median(some) for some in found if len(some) >= LEAST_NOTES), 0)
        onset = 0 if note["first"] else note["line"] + correction
        predicted.append(onset if target == "onset" else max(note["this"] + correction, 0))
    return predicted


@pytest.mark.parametrize("name", LOOKUPS)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("target", TARGETS)
def test_lookups_equal_plain_dictionaries(name, seed, target):
    rng = np.random.default_rng(seed)

    def some(count, singers):
        songs = []
        for _ in range(count):
            quantized = 15 * rng.integers(0, 5, size=rng.integers(1, 40))
            songs.append((int(rng.integers(singers)), quantized, np.maximum(quantized + rng.integers(-20, 20), 0)))
        arrays = of(*songs)
        return arrays._replace(rest=[rng.random(len(song)) < 0.4 for song in arrays.quantized])

    train, test = some(40, 3), some(15, 5)
    model = BASELINES[name]().fit(train, target)
    predicted = model.predict(test)
    if target == "onset":
        predicted = [np.cumsum(song) - song for song in predicted]
    assert np.concatenate(predicted) == pytest.approx(by_hand(model.keys, train, test, target))


def test_onsets_do_not_drift():
    """Each note is sung 3 ticks longer than the grid, and each rest shorter: one by one, medians know it all."""
    rng = np.random.default_rng(0)
    rest = np.arange(200) % 2 == 1
    songs = []
    for _ in range(5):
        quantized = np.where(rest, 10, rng.choice([20, 30], 200))
        late = np.where(rest, 3, 0) + rng.integers(-2, 3, 200)
        late[0] = 0
        songs.append((1, quantized, quantized + np.diff(late, append=0)))
    train = of(*songs)._replace(rest=[rest] * 5)
    predicted = {target: BASELINES["value"]().fit(train, target).predict(train) for target in TARGETS}
    off = {}
    for target, found in predicted.items():
        pairs = zip(found, train.sung, strict=True)
        off[target] = np.mean([np.abs(np.cumsum(p) - np.cumsum(s)).mean() for p, s in pairs])
    assert off["onset"] < 1.5
    assert BASELINES["value"]().fit(train, "onset").predict(train)[0][:2].tolist() == [
        train.quantized[0][0] + 3,
        train.quantized[0][1] - 3,
    ]


def test_notes_and_rests_share_no_median():
    train = of((1, [10] * 12, [13] * 6 + [8] * 6))._replace(rest=[np.arange(12) >= 6])
    test = of((1, [10, 10], [0, 0]))._replace(rest=[np.array([False, True])])
    assert predict("value", train, test) == [[13, 8]]


def test_songs_are_read_once_a_split(simulated_table, monkeypatch):
    """However many baselines there are; a table of real songs has thousands, whose rests may have to be guessed."""
    made = []
    monkeypatch.setattr(predictions, "Songs", lambda *arguments: made.append(1) or Songs(*arguments))
    monkeypatch.setattr(baselines, "BASELINES", {name: BASELINES[name] for name in ("copy", "value")})
    fitted_baselines(simulated_table, split_rows(simulated_table, "grouped", 0), carried=False)
    assert len(made) == 3


def test_the_best_of_both_targets(simulated_table, monkeypatch):
    """Trees that are fitted on onsets are better at these than trees that are fitted on durations."""
    monkeypatch.setattr(baselines, "BASELINES", {name: BASELINES[name] for name in ("value", "boosting")})
    split = split_rows(simulated_table, "grouped", 0)
    tested = fitted_baselines(simulated_table, split, carried=False)
    trees = tested["boosting"].predictions
    maes = {target: song_errors(table, measure="onset", unit="beats").mae for target, table in trees.items()}
    assert maes["onset"] < maes["duration"]
    assert set(tested["boosting"].validation) == {"onset", "ioi", "duration", "notes", "rests"}
    carried = fitted_baselines(simulated_table, split, carried=True)["value"]
    assert set(carried.predictions) == {"duration"}
    assert set(carried.validation) == {"duration", "notes", "rests"}
    fitted = BASELINES["value"]().fit(song_arrays(simulated_table, split.train))
    error = mae(fitted.predict(song_arrays(simulated_table, split.val)), song_arrays(simulated_table, split.val))
    by_ticks = simulated_table.remove_columns("ticks_per_beat")
    found = fitted_baselines(by_ticks, split, carried=True)["value"]
    assert found.validation["duration"] == pytest.approx(error)


@pytest.mark.parametrize("name", BOOSTED)
def test_boosting_beats_copying_and_gives_the_same_numbers_twice(name, simulated):
    train, val = simulated
    first, second = (BASELINES[name]().fit(train).predict(val) for _ in range(2))
    assert mae(first, val) < 0.9 * mae(val.quantized, val)
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_boosting_computes_in_steps():
    # At four times the resolution predictions are four times as long: training has one step only, so that the trees
    # cannot tell the two apart.
    rng = np.random.default_rng(0)
    songs = []
    for _ in range(20):
        quantized = 15 * np.append(rng.integers(0, 6, size=60), 1)
        songs.append((1, quantized, np.maximum(quantized + rng.integers(-7, 8, size=61), 0)))
    train = of(*songs)
    fine = train._replace(quantized=[4 * song for song in train.quantized])
    model = BASELINES["boosting"]().fit(train)
    for coarse, scaled in zip(model.predict(train), model.predict(fine), strict=True):
        np.testing.assert_allclose(4 * coarse, scaled)


def test_the_step_is_the_one_of_the_networks():
    """Of 30 and 45 ticks the step is 15, which no note has: the smallest duration would give 30."""
    quantized, sung = [30, 45] * 20, [33, 45] * 20
    table = Dataset.from_dict({"singer_id": [1], "quantized_durations": [quantized], "durations": [sung]})
    assert Songs(table, [1]).step.tolist() == [grid_step(np.array(quantized))] == [15]
    features, step = BASELINES["boosting"]()._features(song_arrays(table, [0]))
    assert set(step) == {15}
    assert features[:2, REACH].tolist() == [2, 3]


def test_boosting_minimises_the_error_in_ticks():
    # Too few notes for a tree, so all get one correction in steps: the median. Of 6 notes with a step of 10 ticks and
    # 5 with one of 100 the latter decide by weight; by number it would be +2 steps.
    train = of(*[(1, [10], [30])] * 6, *[(1, [100], [150])] * 5)
    assert predict("boosting", train, of((1, [10], [0]), (1, [100], [0]))) == [[15], [150]]


def test_boosting_hears_the_singer(rng):
    songs = [(singer, [10] * 50, 10 + 3 * singer + rng.integers(-2, 3, 50)) for singer in (1, 2, 7) for _ in range(5)]
    predicted = predict("boosting_singer", of(*songs), of(*[(singer, [10] * 50, []) for singer in (1, 2, 7, 5)]))
    means = [np.mean(song) for song in predicted]
    assert means[:3] == pytest.approx([13, 16, 31], abs=1)
    assert 13 <= means[3] <= 31  # a singer never heard is no error


def test_a_song_of_zeros_has_predictions(songs):
    silent = of((3, [0, 0, 0], [1, 1, 1]))
    for name in BASELINES:
        (predicted,) = BASELINES[name]().fit(song_arrays(songs, range(20))).predict(silent)
        assert np.isfinite(predicted).all()
        (predicted,) = BASELINES[name]().fit(silent).predict(silent)
        assert np.isfinite(predicted).all()
