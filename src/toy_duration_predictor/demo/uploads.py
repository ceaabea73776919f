"""Uploads, each under a name of its own, or refused with the reason."""

import re
from collections.abc import Callable, Container, Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from toy_duration_predictor.data.midi.smf import SUFFIXES
from toy_duration_predictor.errors import InputError

MOST_FILES = 20


class Kept(NamedTuple):
    """What became of uploads.

    Attributes:
        files: Where each file lies that can be used, by its name.
        refused: A sentence on each other file.
    """

    files: dict[str, Path]
    refused: list[str]


def file_stem(name: str, taken: Container[str] = ()) -> str:
    """Returns a name as one of a file, without its suffix: a name may have any signs.

    >>> file_stem("../song <1>"), file_stem("song/1", ["song1"])
    ('song 1', 'song1 2')
    """
    stem = re.sub(r"[^\w -]", "", name)[:60].strip() or "song"
    names = (stem if number == 1 else f"{stem} {number}" for number in count(1))
    return next(each for each in names if each not in taken)


def file_stems(names: Iterable[str], taken: Sequence[str]) -> list[str]:
    """Returns names as those of files, none of them twice."""
    stems: list[str] = []
    for name in names:
        stems.append(file_stem(name, [*taken, *stems]))
    return stems


def file_suffix(place: Path) -> str:
    """Returns the suffix of a MIDI file. One that is uploaded may have any.

    >>> file_suffix(Path("song.KAR")), file_suffix(Path("song.html"))
    ('.kar', '.mid')
    """
    suffix = place.suffix.lower()
    return suffix if suffix in SUFFIXES else ".mid"


def keep(uploads: Sequence[str | Path], read: Callable[[bytes], Any], taken: Sequence[str] = ()) -> Kept:
    """Returns the uploads that can be used.

    Args:
        uploads: The files as they came.
        read: Refuses what cannot be used by an `InputError`.
        taken: Names that are none of theirs.
    """
    if len(uploads) > MOST_FILES:
        return Kept({}, [f"{len(uploads)} files are too many at once; give at most {MOST_FILES}."])
    kept = Kept({}, [])
    for place in map(Path, uploads):
        try:
            read(place.read_bytes())
        except (InputError, OSError) as error:
            reason = str(error).rstrip(".") if isinstance(error, InputError) else "it did not arrive"
            kept.refused.append(f"{place.name[:80]} cannot be used: {reason}.")
        else:
            kept.files[file_stem(place.stem, [*kept.files, *taken])] = place
    return kept
