"""Training, validation and test rows of a songs table: 80 / 10 / 10 per cent."""

from typing import NamedTuple

import numpy as np
from datasets import Dataset

from toy_duration_predictor.errors import InputError

# Folds of the cross-validation.
FOLDS = 5

# A song for each side. In so small a table a side is a song more or less, not a tenth.
LEAST_SONGS = 3


class Split(NamedTuple):
    """Row numbers of a songs table, int64 `(rows,)` for each side. No row is on two sides."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def split_rows(songs: Dataset, scheme: str, seed: int) -> Split:
    """Splits a songs table.

    Args:
        songs: A validated songs table.
        scheme: `published` splits rows by the calls of the published experiment; seed 42 gives its very rows. `grouped`
            splits songs, so that no song is on two sides, whoever sings it. `auto` is `grouped` where the song of every
            row is known, and `published` elsewhere. `singers` splits singers, so that no singer is on two sides.
            `fold1` to `fold5` are a five-fold cross-validation by song: every song is a test song in one fold, and a
            tenth of all songs validates.
        seed: Decides the split.

    Raises:
        InputError: Too few rows, songs or singers for three sides, or a row without `song_id` in `grouped` or a fold.

    >>> songs = Dataset.from_dict({"song_id": ["a", "b", "c", "d", "e", "f", "f"]})
    >>> [side.tolist() for side in split_rows(songs, "grouped", seed=0)]
    [[0, 1, 4, 5, 6], [2], [3]]
    """
    if scheme == "singers":
        return _singers(np.asarray(songs["singer_id"]), seed)
    song_ids: list[str | None] = list(songs["song_id"]) if "song_id" in songs.column_names else [None]
    unknown = next((row for row, song_id in enumerate(song_ids) if song_id is None), None)
    if scheme == "published" or (scheme == "auto" and unknown is not None):
        return _published(len(songs), seed)
    if unknown is not None:
        where = f"is null in row {unknown}" if "song_id" in songs.column_names else "is no column of this table"
        raise InputError(
            f"data.split={scheme} needs to know which rows share a song, but song_id {where}; use data.split=published."
        )
    fold = int(scheme[-1]) - 1 if scheme.startswith("fold") else None
    return _grouped(song_ids, seed, fold)


def _published(rows: int, seed: int) -> Split:
    if rows < 6:
        raise InputError(f"The table has {rows} rows; a split into 80/10/10 needs at least 6.")
    # The rows that the calls choose follow from their number alone, so a table of row numbers stands for the songs.
    table = Dataset.from_dict({"row": np.arange(rows)})
    outer = table.train_test_split(test_size=0.2, seed=seed)
    held_out = outer["test"].train_test_split(test_size=0.5, seed=seed)
    sides = (outer["train"], held_out["train"], held_out["test"])
    return Split(*(np.asarray(side["row"], dtype=np.int64) for side in sides))


def _singers(singer_ids: np.ndarray, seed: int) -> Split:
    singers = np.unique(singer_ids)
    if len(singers) < 3:
        raise InputError(f"The table has {len(singers)} singers; data.split=singers needs at least 3.")
    tenth = round(0.1 * len(singers)) or 1
    shuffled = np.random.default_rng(seed).permutation(singers)
    sides = (shuffled[2 * tenth :], shuffled[tenth : 2 * tenth], shuffled[:tenth])
    return Split(*(np.flatnonzero(np.isin(singer_ids, side)) for side in sides))


def _grouped(song_ids: list[str | None], seed: int, fold: int | None) -> Split:
    names, song_of_row = np.unique(np.array(song_ids, dtype=str), return_inverse=True)
    needed = LEAST_SONGS if fold is None else FOLDS + 1
    if len(names) < needed:
        songs = "1 song" if len(names) == 1 else f"{len(names)} songs"
        raise InputError(
            f"The table has {songs}, and a split needs at least {needed}, to train on, to validate and to test. "
            "tdp humanize --like sings as recordings do, without any training."
        )
    shuffled = np.random.default_rng(seed).permutation(len(names))
    tenth = round(0.1 * len(names)) or 1
    tested = tenth
    if fold is not None:
        # The fold's songs come first and are tested; the songs of the next fold follow, and the first of them validate.
        folds = np.array_split(shuffled, FOLDS)
        tested = len(folds[fold])
        shuffled = np.concatenate([*folds[fold:], *folds[:fold]])
    side = np.zeros(len(names), dtype=np.int64)
    side[shuffled[:tested]] = 2
    side[shuffled[tested : tested + tenth]] = 1
    return Split(*(np.flatnonzero(side[song_of_row] == number) for number in range(3)))
