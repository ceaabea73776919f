import numpy as np
import pytest
from datasets import Dataset

from toy_duration_predictor.data.split import split_rows
from toy_duration_predictor.errors import InputError


def test_the_published_split_row_for_row(songs):
    numbered = songs.add_column("number", range(len(songs)))
    outer = numbered.train_test_split(test_size=0.2, seed=42)
    held_out = outer["test"].train_test_split(test_size=0.5, seed=42)
    split = split_rows(songs, "published", 42)
    assert split.train.tolist() == list(outer["train"]["number"])
    assert split.val.tolist() == list(held_out["train"]["number"])
    assert split.test.tolist() == list(held_out["test"]["number"])


def test_the_published_dataset_has_3363_training_rows():
    table = Dataset.from_dict({"singer_id": [1] * 4204})
    assert [len(side) for side in split_rows(table, "published", 42)] == [3363, 420, 421]


@pytest.mark.parametrize("scheme", ["published", "grouped", "auto", "singers", "fold1", "fold5"])
@pytest.mark.parametrize("seed", [0, 42])
def test_every_row_is_on_one_side(songs, scheme, seed):
    split = split_rows(songs, scheme, seed)
    assert sorted(np.concatenate(split)) == list(range(len(songs)))


def test_no_song_is_on_two_sides(songs):
    for seed in range(5):
        sides = [{songs[int(row)]["song_id"] for row in side} for side in split_rows(songs, "grouped", seed)]
        assert len(set.union(*sides)) == sum(map(len, sides)) == 15
        assert len(sides[1]) == len(sides[2]) == 2


def test_no_singer_is_on_two_sides(songs):
    split = split_rows(songs, "singers", 0)
    sides = [{songs[int(row)]["singer_id"] for row in side} for side in split]
    assert [len(side) for side in sides] == [2, 1, 1]
    assert len(set.union(*sides)) == 4
    with pytest.raises(InputError, match=r"has 2 singers; data\.split=singers needs at least 3"):
        split_rows(songs.filter(lambda row: row["singer_id"] < 8), "singers", 0)


def test_every_song_is_tested_in_one_fold(songs):
    folds = [split_rows(songs, f"fold{number}", 42) for number in range(1, 6)]
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(songs)))
    for fold in folds:
        sides = [{songs[int(row)]["song_id"] for row in side} for side in fold]
        assert [len(side) for side in sides] == [10, 2, 3]
        assert len(set.union(*sides)) == 15


def test_the_seed_decides(songs):
    assert split_rows(songs, "grouped", 0).test.tolist() == split_rows(songs, "grouped", 0).test.tolist()
    assert split_rows(songs, "grouped", 0).test.tolist() != split_rows(songs, "grouped", 1).test.tolist()


def test_auto_groups_where_every_song_is_known(songs):
    def same(table, scheme):
        return all(map(np.array_equal, split_rows(table, "auto", 1), split_rows(table, scheme, 1)))

    one_unknown = songs.map(lambda row, i: {"song_id": row["song_id"] if i else None}, with_indices=True)
    assert same(songs, "grouped")
    assert same(songs.remove_columns("song_id"), "published")
    assert same(one_unknown, "published")
    with pytest.raises(InputError, match=r"song_id is no column of this table; use data\.split=published"):
        split_rows(songs.remove_columns("song_id"), "grouped", 1)
    with pytest.raises(InputError, match="song_id is null in row 0"):
        split_rows(one_unknown, "grouped", 1)


def test_too_few_rows_are_refused(songs):
    split_rows(songs.select(range(6)), "published", 42)
    with pytest.raises(InputError, match="has 5 rows"):
        split_rows(songs.select(range(5)), "published", 42)
    with pytest.raises(InputError, match="has 2 songs, and a split needs at least 3, to train on"):
        split_rows(songs.select(range(4)), "grouped", 42)
    with pytest.raises(InputError, match="has 5 songs, and a split needs at least 6"):
        split_rows(songs.select(range(10)), "fold1", 42)


@pytest.mark.parametrize(("number", "train"), [(3, 1), (4, 2), (5, 3), (6, 4)])
def test_few_songs_are_split_a_song_a_side(songs, number, train):
    split = split_rows(songs.select(range(2 * number)), "auto", 42)  # two rows a song
    assert [len(side) for side in split] == [2 * train, 2, 2]
