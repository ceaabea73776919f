import errno
import logging
import tempfile

import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset

from toy_duration_predictor.data.songs import fingerprint, ragged, validate_songs
from toy_duration_predictor.errors import InputError

GOOD = {"singer_id": [2, 1], "durations": [[10, 20], [30]], "quantized_durations": [[15, 15], [30]]}


def table(**columns):
    return Dataset(pa.table({**GOOD, **columns}))


def test_a_good_table_passes_unchanged(songs):
    checked = validate_songs(songs)
    assert checked.to_dict() == songs.to_dict()


def test_other_columns_are_left_out_and_named(caplog):
    with caplog.at_level(logging.INFO):
        checked = validate_songs(table(file=["a", "b"]), "t.parquet")
    assert set(checked.column_names) == set(GOOD)
    assert "t.parquet: columns not used: file" in caplog.text


def test_large_lists_small_integers_and_large_strings_pass():
    checked = validate_songs(
        table(
            durations=pa.array([[10, 20], [30]], pa.large_list(pa.int16())),
            song_id=pa.array(["a", None], pa.large_string()),
            tempo=pa.array([500_000, None], pa.int32()),
        )
    )
    assert checked["durations"] == [[10, 20], [30]]
    assert checked["tempo"] == [500_000, None]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"durations": [[10, 20], []]}, "row 1, column 'durations': is empty; leave out songs without notes."),
        ({"durations": [[10, -1], [30]]}, "row 0, column 'durations': note 1 is -1, and must be"),
        ({"durations": [[10, None], [30]]}, "row 0, column 'durations': note 1 is null, and must be"),
        ({"durations": [[10, 2**24 + 1], [30]]}, "note 1 is 16777217, and must be an integer from 0 to 16777216."),
        ({"durations": [None, [30]]}, "row 0, column 'durations': is null"),
        ({"durations": [[1.5, 2.0], [30.0]]}, "column 'durations' must hold lists of integers, but holds list<"),
        ({"durations": ["10 20", "30"]}, "column 'durations' must hold lists of integers, but holds string."),
        (
            {"quantized_durations": [[15, 15], [30, 30]]},
            "row 1, column 'quantized_durations': has 2 notes where 'durations' has 1.",
        ),
        ({"singer_id": ["a", "b"]}, "column 'singer_id' must hold integers, but holds string."),
        ({"singer_id": [None, 1]}, "row 0, column 'singer_id': is null; every song needs its singer."),
        ({"song_id": [1, 2]}, "column 'song_id' must hold strings, but holds int64."),
        ({"ticks_per_beat": [120, 0]}, "row 1, column 'ticks_per_beat': is 0, and must be above 0."),
        ({"tempo": [-1, 1]}, "row 0, column 'tempo': is -1, and must be above 0."),
        ({"pitch": [[60, 128], [60]]}, "row 0, column 'pitch': note 1 is 128, and must be an integer from 0 to 127."),
        ({"pitch": [[60, 62], [60, 61]]}, "row 1, column 'pitch': has 2 notes where 'durations' has 1."),
    ],
)
def test_bad_tables_are_refused_with_row_column_and_reason(columns, message):
    with pytest.raises(InputError) as error:
        validate_songs(table(**columns), "t.parquet")
    assert str(error.value).startswith("t.parquet: ")
    assert message in str(error.value)


def test_optional_columns_may_be_all_null():
    columns = {name: pa.nulls(2) for name in ("song_id", "ticks_per_beat", "tempo")}
    assert validate_songs(table(**columns))["tempo"] == [None, None]


def test_a_missing_column_and_an_empty_table_are_refused():
    with pytest.raises(InputError, match="column 'quantized_durations' is missing"):
        validate_songs(table().remove_columns("quantized_durations"))
    with pytest.raises(InputError, match="has no rows"):
        validate_songs(table().select([]))


def test_the_fingerprint_follows_from_the_contents_alone(songs):
    same = validate_songs(Dataset.from_dict(songs.to_dict()))
    chunked = validate_songs(Dataset(pa.concat_tables([songs.data.table.slice(0, 7), songs.data.table.slice(7)])))
    selected = songs.select(range(29, -1, -1)).select(range(29, -1, -1))
    assert fingerprint(validate_songs(songs)) == fingerprint(same) == fingerprint(chunked)
    assert fingerprint(validate_songs(selected)) == fingerprint(same)


@pytest.mark.parametrize(
    "columns",
    [
        {"singer_id": [1, 2]},
        {"durations": [[20, 10], [30]]},
        {"durations": [[10], [20, 30]], "quantized_durations": [[15], [15, 30]]},
        {"song_id": ["a", "b"]},
        {"ticks_per_beat": [120, None]},
    ],
)
def test_the_fingerprint_changes_with_the_contents(columns):
    assert fingerprint(validate_songs(table())) != fingerprint(validate_songs(table(**columns)))


def test_ragged_reads_a_selection_of_rows():
    values, offsets = ragged(table().select([1, 0]), "sung")
    assert values.tolist() == [30, 10, 20]
    assert offsets.tolist() == [0, 1, 3]


@pytest.mark.parametrize(("name", "published"), [("sung", "durations"), ("quantized", "quantized_durations")])
def test_columns_have_a_short_name_beside_the_published_one(name, published):
    for each in (name, published):
        assert ragged(table(), each)[0].tolist() == [note for song in GOOD[published] for note in song]


def many(rows, notes):
    """A table that is checked in several parts."""
    durations = pa.array(list(np.arange(rows * notes, dtype=np.int32).reshape(rows, notes)))
    return Dataset(pa.table({"singer_id": [1] * rows, "durations": durations, "quantized_durations": durations}))


def test_a_long_table_is_read_where_it_lies():
    given = many(rows=2500, notes=400)
    before = pa.total_allocated_bytes()
    checked = validate_songs(given)
    assert checked.to_dict() == given.to_dict()
    assert fingerprint(checked) == fingerprint(given)
    assert pa.total_allocated_bytes() - before < checked.data.nbytes / 10


def test_rows_of_a_long_table_have_their_own_numbers():
    given = many(rows=2500, notes=1).to_dict()
    given["durations"][2345] = [-1]
    with pytest.raises(InputError, match=r"row 2345, column 'durations': note 0 is -1"):
        validate_songs(Dataset.from_dict(given))


def test_no_folder_for_temporary_files(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(InputError, match=r"songs table: the table cannot be kept among temporary files \(No such file"):
        validate_songs(table())


def test_no_room_for_temporary_files(monkeypatch, tmp_path):
    class Full:
        def __init__(self, *_):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pa.ipc, "new_stream", Full)
    with pytest.raises(InputError, match=r"No space left on device\); name a folder with room"):
        validate_songs(table())
