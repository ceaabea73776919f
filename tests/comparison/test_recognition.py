import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import RandomForestClassifier

from toy_duration_predictor.comparison.corrections import SongArrays, song_arrays
from toy_duration_predictor.comparison.recognition import (
    SEGMENT,
    THEMSELVES,
    TREES,
    features,
    recognition,
)
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.data.split import split_rows


def table(songs, predicted):
    columns = {"singer_id": songs.singer, "quantized": songs.quantized, "sung": songs.sung, "predicted": predicted}
    return pa.table(columns)


def some(rng, count, singers=(1, 2, 5), notes=130):
    """Songs whose singers lengthen every note by a step times their number, give or take."""
    singer = np.array([singers[i % len(singers)] for i in range(count)])
    quantized = [15 * rng.integers(1, 6, size=notes) for _ in singer]
    sung = [q + 15 * by + rng.integers(-5, 6, size=notes) for q, by in zip(quantized, singer, strict=True)]
    return SongArrays(quantized, sung, [np.zeros(notes, dtype=bool)] * count, singer)


@pytest.mark.parametrize("resolution", [15, 120])
def test_features_by_hand(resolution):
    """In steps, so that a song's resolution does not tell who sings it."""
    quantized = np.array([1, 0, 1, 1, 3, 2]) * resolution
    got = features(quantized, quantized + np.array([2, 1, 0, 4, 6, 2]) * resolution)
    d = np.array([2, 1, 0, 4, 6, 2])
    assert got.shape == (1, 29)
    assert got[0, :9] == pytest.approx(
        [
            d.mean(),
            d.std(),
            *np.percentile(d, [10, 25, 50, 75, 90]),
            np.corrcoef(d[:-1], d[1:])[0, 1],
            np.corrcoef(d[:-2], d[2:])[0, 1],
        ]
    )
    assert got[0, 14:19] == pytest.approx([2, np.std([2, 0, 4]), 1, 2, 3])
    assert np.isnan(got[0, [*range(9, 14), *range(19, 29)]]).all()


def test_songs_are_cut_into_equal_segments():
    for notes, segments in ((5, 1), (SEGMENT, 1), (2 * SEGMENT - 1, 1), (3 * SEGMENT + 2, 3)):
        assert len(features(np.full(notes, 15), np.full(notes, 16))) == segments


def test_singers_who_are_plain_to_tell_are_told(rng):
    train, test = some(rng, 12), some(rng, 6)
    perfect, copied = table(test, test.sung), table(test, test.quantized)
    swapped = table(test._replace(singer=np.roll(test.singer, 1)), test.sung)
    found = recognition(train, {"perfect": perfect, "copy": copied, "swapped": swapped}, 100)
    assert (found.singers, found.segments, found.most_frequent) == (3, 12, pytest.approx(1 / 3))
    assert found.accuracy["perfect"] == found.accuracy[THEMSELVES] == ((1, 1, 1), 1)
    assert found.accuracy["swapped"].share.estimate == 0
    assert found.accuracy["copy"].balanced == pytest.approx(1 / 3)  # all are one singer's


def test_accuracy_against_the_forest_itself():
    songs = simulate_songs(songs=54)
    split = split_rows(songs, "published", 0)
    train, test = song_arrays(songs, split.train), song_arrays(songs, split.test)
    found = recognition(train, {"any": table(test, test.sung)}, 100)
    both = set(train.singer) & set(test.singer)
    assert found.singers == len(both) < len(set(train.singer))

    def rows(side):
        return [
            (figures, singer)
            for q, s, singer in zip(side.quantized, side.sung, side.singer, strict=True)
            if singer in both
            for figures in features(q, s)
        ]

    forest = RandomForestClassifier(TREES, random_state=0).fit(*map(list, zip(*rows(train), strict=True)))
    told = [(forest.predict([figures])[0], singer) for figures, singer in rows(test)]
    assert found.segments == len(told)
    assert found.accuracy[THEMSELVES].share.estimate == np.mean([a == b for a, b in told])
    recall = [np.mean([a == b for a, b in told if b == singer]) for singer in both]
    assert found.accuracy[THEMSELVES].balanced == pytest.approx(np.mean(recall))


def test_singers_without_training_songs_are_left_out(rng):
    train, test = some(rng, 6, singers=(1, 2)), some(rng, 6, singers=(1, 2, 9))
    found = recognition(train, {"model": table(test, test.sung)}, 100)
    assert (found.singers, found.segments) == (2, 8)
    assert recognition(some(rng, 2, singers=(1, 7)), {"model": table(test, test.sung)}, 100) is None
