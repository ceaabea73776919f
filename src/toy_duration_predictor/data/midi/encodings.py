"""The encoding of a MIDI file's lyrics and names, which the file does not say.

A lyric has few bytes, and many encodings could have written them. So all lyrics of a file are looked at together. What
is valid UTF-8 is UTF-8. UTF-16 has a byte order mark, or zeros, or is mostly kana. The other encodings of East Asia are
told apart by chardet, which knows few texts that are mostly kana; such a text is looked for first. Where the text that
comes of it has more Latin letters than others, it is in Windows' Latin encoding.
"""

import codecs
from collections.abc import Iterable

import chardet

from toy_duration_predictor.errors import InputError

# chardet's names of the largest encodings of their kind: Shift-JIS, EUC-JP, EUC-KR, GBK and Big5 are parts of them.
EAST_ASIAN = ("cp932", "euc_jis_2004", "cp949", "gb18030", "big5hkscs")
# So many different lyrics tell the encoding of most files; looking at all of them takes longer than reading the file.
ENOUGH = 64
# Some bytes are nothing in cp1252. Any bytes can be read as Latin-1.
LATIN = ("cp1252", "latin-1")


def checked_encoding(name: str | None) -> str | None:
    """Returns the name of an encoding, or None for none.

    Raises:
        InputError: There is no such encoding of text.
    """
    try:
        if name is not None:
            b"a".decode(name, errors="replace")
    except (LookupError, ValueError) as error:
        known = "utf-8, cp949, cp932, euc_jp, gb18030, big5 and utf-16"
        raise InputError(f"There is no encoding '{name}'; known are {known}, and others that Python knows.") from error
    return name


def find_encoding(texts: Iterable[bytes]) -> str:
    """Returns the encoding of a file's lyrics, by a name that Python knows; any bytes of theirs can be decoded.

    >>> find_encoding(word.encode("euc_jp") for word in ("さ", "く", "ら"))
    'euc_jis_2004'
    """
    texts = [text for text in dict.fromkeys(texts) if text]  # a refrain's words tell no more than once
    if wide := _utf_16(texts):
        return wide
    if _decoded("utf-8", texts) is not None:
        return "utf-8"
    found = next((name for name in EAST_ASIAN[:2] if _is_japanese(name, texts)), "utf-8")
    text = _decoded(found, texts)
    for some in (texts[:ENOUGH], texts):
        if text is None:
            given, known = b"".join(some), (*EAST_ASIAN, "utf-8")
            guess = chardet.detect(given, include_encodings=known, no_match_encoding="utf-8", compat_names=False)
            found = guess["encoding"] or "utf-8"
            text = _decoded(found, texts)
    if text is not None:
        letters = list(filter(str.isalpha, text))
        if 2 * sum(map(str.isascii, letters)) <= len(letters):
            return found
    return next(name for name in LATIN if _decoded(name, texts) is not None)


def decode(text: bytes, encoding: str) -> str:
    """Returns a text; what its encoding does not have becomes the replacement character."""
    if encoding == "utf-16" and text.isascii() and 0 not in text:
        encoding = "ascii"  # where some texts have a byte order mark, others may be plain
    return text.decode(encoding, errors="replace").removeprefix("\ufeff")


def _decoded(encoding: str, texts: list[bytes]) -> str | None:
    """Returns the texts one after the other, or None if one of them cannot be in this encoding."""
    try:
        return "".join([text.decode(encoding) for text in texts])
    except UnicodeDecodeError:
        return None


def _utf_16(texts: list[bytes]) -> str:
    """Returns the name of a file's kind of UTF-16, or nothing where its lyrics are in another encoding."""
    whole = b"".join(texts)
    if any(text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) for text in texts):
        return "utf-16"
    if len(whole) < 2 or any(len(text) % 2 for text in texts):
        return ""
    for name in ("utf-16-le", "utf-16-be"):
        if _is_japanese(name, texts):
            return name
    if 0 not in whole:
        return ""
    # The upper bytes of a text's letters are fewer than the lower ones.
    name = "utf-16-le" if len(set(whole[1::2])) < len(set(whole[::2])) else "utf-16-be"
    return "" if _decoded(name, texts) is None else name


def _is_japanese(encoding: str, texts: list[bytes]) -> bool:
    """Returns whether most letters of a text beyond ASCII are kana."""
    letters = [letter for letter in _decoded(encoding, texts) or "" if not letter.isascii()]
    return 2 * sum("\u3041" <= letter <= "\u30ff" for letter in letters) > len(letters)
