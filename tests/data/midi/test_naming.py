import unicodedata

import pytest

from toy_duration_predictor.data.midi.naming import NAMES, choose_naming
from toy_duration_predictor.errors import InputError

HANGUL = "이민수"


def rows(files, **given):
    """Song, number and name of each file."""
    naming = choose_naming(files, **given)
    return [tuple(naming.row(file).values()) for file in files]


def said(files, **given):
    return choose_naming(files, **given).in_words(files)


def test_one_singer_of_all_files():
    files = ["hello.mid", "more/good bye.MIDI"]
    assert rows(files, singer=" Kim  Min ") == [("hello", 1, "Kim Min"), ("good bye", 1, "Kim Min")]
    assert said(files, singer="Kim") == "All songs are by Kim."
    assert rows(files, singer="7") == [("hello", 7), ("good bye", 7)]
    # Even if the names of the files say something else.
    assert rows(["ba_05688_-4_a_s02_m_02.mid"], singer="Kim") == [("ba_05688_-4_a_s02_m_02", 1, "Kim")]


def test_a_folder_a_singer():
    files = [f"{unicodedata.normalize('NFD', HANGUL)}/a.mid", f"{HANGUL}/b.mid", "Kim/live/a.mid"]
    assert rows(files) == [("a", 2, HANGUL), ("b", 2, HANGUL), ("a", 1, "Kim")]
    assert said(files[:2]) == f"Singers by folder, with their songs: {HANGUL} (2)."
    assert said(files) == (
        f"Singers by folder, with their songs: Kim (1), {HANGUL} (2). The first folder was taken for the singer, so "
        "Kim/live/a.mid is by Kim; if it is not, give another DIR, or --names."
    )
    many = [f"singer {i:02d}/a.mid" for i in range(20)] + ["singer 01/b.mid"]
    assert said(many).endswith("singer 06 (1), singer 07 (1), and 12 more.")


def test_folders_that_are_numbers_are_the_singers_numbers():
    assert rows(["2/a.mid", "07/b.mid", "Kim/c.mid", "Lee/d.mid", "1/e.mid"]) == [
        ("a", 2, None),
        ("b", 7, None),
        ("c", 3, "Kim"),
        ("d", 4, "Lee"),
        ("e", 1, None),
    ]
    assert rows(["2/a.mid", "07/b.mid"]) == [("a", 2), ("b", 7)]


def test_files_beside_the_folders_are_refused_one_by_one():
    naming = choose_naming(["Kim/a.mid", "b.mid"])
    assert naming.row("Kim/a.mid")["singer_name"] == "Kim"
    with pytest.raises(InputError, match="it lies in no folder"):
        naming.row("b.mid")


def test_songs_are_called_by_their_folders_where_all_files_have_one_name():
    files = ["Kim/hello/melody.mid", "Kim/bye/melody.mid", "Lee/hello/melody.mid"]
    assert rows(files) == [("hello", 1, "Kim"), ("bye", 1, "Kim"), ("hello", 2, "Lee")]
    assert rows(["hello/melody.mid", "x/bye/melody.mid"], singer="Kim") == [("hello", 1, "Kim"), ("x/bye", 1, "Kim")]
    assert "the songs have the names of their folders" in said(files)
    # One file is not many of the same name.
    assert rows(["Kim/melody.mid"]) == [("melody", 1, "Kim")]


def test_folders_of_singers_or_songs_are_not_guessed():
    files = ["hello/melody.mid", "bye/melody.mid"]
    with pytest.raises(InputError, match="All 2 files are called melody, each in a folder that may be a sing"):
        choose_naming(files)
    pattern = "(?P<singer>[^/]+)/(?P<song>.+)"  # as the message says
    assert rows(files, names=pattern) == [("melody", 2, "hello"), ("melody", 1, "bye")]
    assert said(files, names=pattern) == "Singers by the pattern, with their songs: bye (1), hello (1)."


def test_the_names_of_the_corpora_come_first():
    files = ["ba_05688_-4_a_s02_m_02.mid", "Kim/hello.mid"]
    naming = choose_naming(files)
    assert naming.row(files[0]) == {"song_id": "05688", "singer_id": 2}
    assert (naming.names, naming.in_words(files[:1])) == (NAMES, "")
    with pytest.raises(InputError, match="its name does not say who sings, as in the names of two corpora"):
        naming.row(files[1])


def test_a_pattern_may_give_names():
    assert rows(["Kim_a.mid", "x/Lee_b.mid"], names="(?P<singer>[^_]+)_(?P<song>.+)") == [
        ("a", 1, "Kim"),
        ("b", 2, "Lee"),
    ]
    # By a pattern that a person writes in form NFC, of a file that a Mac has written.
    assert rows([f"{unicodedata.normalize('NFD', '가')}_1.mid"], names="(?P<singer>가)_.*")[0][1:] == (1, "가")


@pytest.mark.parametrize(
    ("files", "given", "message"),
    [
        (
            ["melody.mid", "b.mid"],
            {},
            "The names of the files do not say who sings, such as melody.mid: give --s",
        ),
        (["a.mid"], {"singer": "Kim", "names": "x"}, "--singer and --names exclude each other"),
        (["a.mid"], {"singer": " "}, "a singer's name is empty"),
        (["a.mid"], {"names": "("}, "is no regular expression"),
        (["a.mid"], {"names": "a"}, "has no group"),
    ],
)
def test_what_tells_no_singer_is_refused(files, given, message):
    with pytest.raises(InputError) as error:
        choose_naming(files, **given)
    assert message in str(error.value)
