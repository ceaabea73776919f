"""Encodings of lyrics: few bytes each, and many encodings that could have written them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toy_duration_predictor.data.midi.encodings import checked_encoding, decode, find_encoding
from toy_duration_predictor.errors import InputError

SONGS = {
    "hiragana": "さくらさくらやよいのそらはみわたすかぎり",
    "katakana": "サクラガサイタヨルノソラ",
    "japanese": "夢の中で君に会いたい空を見上げて涙こぼれる",
    "korean": "사랑해요그대만을영원히하늘에서내려온별빛처럼",
    "chinese": "月亮代表我的心你问我爱你有多深我爱你有几分",
    "traditional": "月亮代表我的心你問我愛你有多深我愛你有幾分",
}
WRITTEN = [
    *((song, encoding) for song in ("hiragana", "katakana", "japanese") for encoding in ("shift_jis", "euc_jp")),
    *(("korean", encoding) for encoding in ("cp949", "euc_kr")),
    ("chinese", "gbk"),
    ("chinese", "gb18030"),
    ("traditional", "big5"),
    *((song, encoding) for song in SONGS for encoding in ("utf-8", "utf-16")),
    *(("katakana", encoding) for encoding in ("utf-16-le", "utf-16-be")),
]


@pytest.mark.parametrize(("song", "encoding"), WRITTEN)
@pytest.mark.parametrize("notes", [4, 12])
def test_the_lyrics_of_few_notes_tell_their_encoding(song, encoding, notes):
    for first in (0, 3, 6):
        lyrics = list(SONGS[song][first : first + notes])
        written = [*(lyric.encode(encoding) for lyric in lyrics), b""]
        found = find_encoding(written)
        assert [decode(lyric, found) for lyric in written] == [*lyrics, ""]


@pytest.mark.parametrize("words", ["été la forêt", "schöne Mädchen träumen", "coração", "niño"])
def test_latin_letters_are_no_chinese(words):
    written = [word.encode("cp1252") for word in words.split()]
    assert " ".join(decode(word, find_encoding(written)) for word in written) == words


def test_marks_beside_other_lyrics():
    """The marks around a sung part, and signs of melismas, are plain in every encoding."""
    for encoding in ("cp949", "euc_jp", "gbk"):
        song = {"cp949": "korean", "euc_jp": "japanese", "gbk": "chinese"}[encoding]
        lyrics = ["J", *SONGS[song], "-", "+", "H"]
        written = [lyric.encode(encoding) for lyric in lyrics]
        assert [decode(lyric, find_encoding(written)) for lyric in written] == lyrics
    assert find_encoding([b"J", b"la", b"-"]) == find_encoding([]) == "utf-8"
    wide = [lyric.encode("utf-16-le") for lyric in ("J", "la", "-")]
    assert [decode(lyric, find_encoding(wide)) for lyric in wide] == ["J", "la", "-"]
    # A plain lyric among some with a byte order mark.
    assert [
        decode(lyric, find_encoding([b"la", "사".encode("utf-16")])) for lyric in (b"la", "사".encode("utf-16"))
    ] == [
        "la",
        "사",
    ]


@given(st.lists(st.binary(max_size=6), max_size=20))
def test_any_bytes_can_be_read(texts):
    found = find_encoding(texts)
    assert checked_encoding(found) == found
    for text in texts:
        assert isinstance(decode(text, found), str)


def test_encodings_that_are_none():
    assert checked_encoding(None) is None
    for name in ("utf-9", "base64", "idna", "x\0"):
        with pytest.raises(InputError, match=r"There is no encoding '.*'; known are utf-8, cp949"):
            checked_encoding(name)
