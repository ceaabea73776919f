import unicodedata

import pyarrow as pa
import pytest
from datasets import Dataset, concatenate_datasets, load_dataset
from hypothesis import given
from hypothesis import strategies as st

from toy_duration_predictor.data.audit import audit
from toy_duration_predictor.data.singer_names import same_singers, singer_names
from toy_duration_predictor.data.singers import find_singer, label, listed, number_or_name, tidy
from toy_duration_predictor.data.songs import fingerprint, validate_songs
from toy_duration_predictor.data.sources import load_songs
from toy_duration_predictor.errors import InputError

HANGUL, KANA = "이민수", "ガギグ"
NAMES = {1: "Kim", 2: "Lee Ann", 4: HANGUL}


def table(*singers):
    """A song each by singers, given as number and name."""
    rows = [{"singer_id": number, "singer_name": name} for number, name in singers]
    return Dataset.from_list(
        [{**row, "durations": [60 + i], "quantized_durations": [60]} for i, row in enumerate(rows)]
    )


@given(st.text())
def test_what_a_person_writes_is_read_once(text):
    """A name that was read once stays the same; what is a number is no name."""
    try:
        found = number_or_name(text)
    except InputError:
        return
    assert number_or_name(str(found)) == found
    assert isinstance(found, int) or found == tidy(unicodedata.normalize("NFD", f"  {found}\n"))


@pytest.mark.parametrize(
    ("text", "found"),
    [("7", 7), ("07", 7), (" -3 ", -3), ("\uff17", 7), ("7a", "7a"), ("7.5", "7.5")],
)
def test_whole_numbers_are_numbers(text, found):
    assert number_or_name(text) == found


@pytest.mark.parametrize(
    ("text", "reason"), [("", "is empty"), (" \n", "is empty"), ("1" * 19, "at most 18 digits"), ("a\x1b[1m", "shown")]
)
def test_names_that_cannot_be(text, reason):
    with pytest.raises(InputError, match=reason):
        number_or_name(text)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_singers_are_found_by_either(form):
    singers = [1, 2, 3, 4]
    assert [find_singer(each, singers, NAMES) for each in (1, "1", "Kim", " Lee  Ann", 3)] == [1, 1, 1, 2, 3]
    assert find_singer(unicodedata.normalize(form, HANGUL), singers, NAMES) == 4
    assert (label(1, NAMES), label(3, NAMES)) == ("Kim", "3")
    assert listed([1, 3], NAMES) == "1 (Kim), 3"
    for unknown, message in (
        ("Kin", "Singer 'Kin' is not known; did you mean 'Kim'?"),
        ("Zoe", f"Singer 'Zoe' is not known; known are 1 (Kim), 2 (Lee Ann), 3, 4 ({HANGUL})."),
        (9, f"Singer 9 is not known; known are 1 (Kim), 2 (Lee Ann), 3, 4 ({HANGUL})."),
    ):
        with pytest.raises(InputError) as error:
            find_singer(unknown, singers, NAMES)
        assert str(error.value) == message


def test_a_table_keeps_its_names_through_files_filters_and_datasets(tmp_path):
    songs = validate_songs(
        table((1, unicodedata.normalize("NFD", HANGUL)), (2, KANA), (3, None), (4, "4"), (1, HANGUL))
    )
    wanted = {1: HANGUL, 2: KANA}
    assert singer_names(songs) == wanted
    songs.to_parquet(tmp_path / "songs.parquet")
    songs.to_json(tmp_path / "songs.json")
    for again in (
        load_songs("parquet", path=tmp_path / "songs.parquet"),
        load_songs("hub", name=str(tmp_path)),
        validate_songs(load_dataset("json", data_files=str(tmp_path / "songs.json"), split="train")),
        concatenate_datasets([songs, songs.select([0])]),
    ):
        assert singer_names(again) == wanted
    assert singer_names(songs.filter(lambda song: song["singer_id"] == 2)) == {2: KANA}
    assert fingerprint(songs) == fingerprint(load_songs("parquet", path=tmp_path / "songs.parquet"))


@pytest.mark.parametrize(
    ("singers", "reason"),
    [
        ([(1, "Kim"), (1, "Lee")], "row 1, column 'singer_name': is 'Lee', but an earlier row calls singer 1 'Kim'."),
        ([(1, "Kim"), (2, " Kim")], "row 1, column 'singer_name': is 'Kim', but in an earlier row that is singer 1"),
        (
            [(1, "7")],
            "row 0, column 'singer_name': is 7, a number, but the row's singer_id is 1; give a name, or null.",
        ),
        ([(1, "Kim"), (2, " ")], "row 1, column 'singer_name': a singer's name is empty; give one."),
    ],
)
def test_names_that_contradict_each_other_are_refused(singers, reason):
    with pytest.raises(InputError) as error:
        validate_songs(table(*singers), "my songs")
    assert str(error.value).startswith(f"my songs: {reason}")


def test_names_contradict_each_other_far_apart():
    with pytest.raises(InputError, match="row 2000"):
        validate_songs(table(*[(1, "Kim")] * 2000, (1, "Lee")))
    with pytest.raises(InputError, match="must hold strings, but holds int64"):
        validate_songs(table((1, 5)))


def test_a_table_without_names_has_the_fingerprint_that_it_had():
    """The digits are those of the code before there were names."""
    songs = table((3, None), (5, None)).remove_columns("singer_name")
    assert fingerprint(validate_songs(songs)) == "d817c1eb6d0b64d4"
    assert singer_names(songs) == {}
    assert "Singers" not in [section.title for section in audit(validate_songs(songs))]


def test_the_audit_lists_named_singers():
    [singers] = [each for each in audit(validate_songs(table((2, "Kim"), (5, None)))) if each.title == "Singers"]
    assert singers.rows == [("Kim", "2", "1", "1"), ("5", "5", "1", "1")]


@pytest.mark.parametrize(
    ("here", "known", "names", "found"),
    [
        ([(1, "Lee"), (2, "Kim")], [1, 2], {1: "Kim", 2: "Lee"}, [2, 1]),  # the name decides, not the number
        ([(1, "Lee")], [1, 2], {1: "Kim", 2: "Lee"}, [None, 1]),
        ([(1, "Lee")], [1, 2], {2: "Lee"}, [None, 1]),
        ([(1, "Zoe")], [1], {1: "Kim"}, [None]),
        ([(1, "Zoe"), (2, None)], [1, 2], {}, [1, 2]),  # names on one side only: by number
        ([(1, None)], [1, 3], {1: "Kim"}, [1, None]),
    ],
)
def test_the_same_singers_in_another_table(here, known, names, found):
    assert same_singers(validate_songs(table(*here)), known, names) == found


def test_a_table_of_arrow_strings_of_any_kind():
    data = table((1, "Kim")).data.table
    large = data.set_column(
        data.column_names.index("singer_name"), "singer_name", data["singer_name"].cast(pa.large_string())
    )
    assert singer_names(validate_songs(Dataset(large))) == {1: "Kim"}
