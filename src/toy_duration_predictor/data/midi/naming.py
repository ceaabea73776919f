"""Who sings a MIDI file, and which song: by one name for all, by folders, or by file names.

Paths are those within the folder of all files, with `/` between their parts.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from toy_duration_predictor.data.schema import NAME_COLUMN
from toy_duration_predictor.data.singers import number_or_name, tidy
from toy_duration_predictor.errors import InputError

# File names of two corpora: ba_05688_-4_a_s02_m_02.mid and SINGER_16_10TO29_CLEAR_FEMALE_BALLAD_C0632.mid.
NAMES = r"[a-z]+_(?P<song>\d+)_(?:.*_)?s(?P<singer>\d+)_.*|SINGER_(?P<singer_>\d+)_.*_(?P<song_>[A-Z]+\d+)"

WAYS = (
    "give --singer=NAME if one singer sang them all; or put each singer's files into a folder, as in DIR/singer "
    "name/song.mid; or give --names, a regular expression for the files' names"
)

# Singers whom a message names.
SHOWN = 8


class Naming(NamedTuple):
    """How singer and song of each file are told.

    Attributes:
        singer: The singer of all files; None if there are several.
        names: A regular expression, see `song_and_singer`; None: the first folder is the singer.
        numbers: The `singer_id` of each name.
        songs_are_folders: Whether all files have the same name, so that their folders name the songs.
    """

    singer: int | str | None = None
    names: str | None = None
    numbers: dict[str, int] = {}  # noqa: RUF012
    songs_are_folders: bool = False

    def song_and_singer(self, file: str) -> tuple[str, int | str]:
        """Returns the song of a file, and the number or the name of its singer.

        Raises:
            InputError: They are not told.
        """
        path = PurePosixPath(file)
        if self.names is not None:
            return song_and_singer(str(path.with_suffix("")) if "/" in self.names else path.stem, self.names)
        folders, singer = path.parts[:-1], self.singer
        if singer is None:
            if not folders:
                raise InputError("it lies in no folder, and the first folder is taken for the singer")
            singer, folders = number_or_name(folders[0]), folders[1:]
        return tidy("/".join(folders) if self.songs_are_folders and folders else path.stem), singer

    def row(self, file: str) -> dict[str, Any]:
        """Returns `song_id` and `singer_id` of a file, and `singer_name` where a singer has a name.

        Raises:
            InputError: They are not told.
        """
        song, singer = self.song_and_singer(file)
        number = singer if isinstance(singer, int) else self.numbers[singer]
        named = {NAME_COLUMN: None if isinstance(singer, int) else singer} if self.numbers else {}
        return {"song_id": song, "singer_id": number, **named}

    def in_words(self, files: Iterable[str]) -> str:
        """Says who was taken for the singers of files; nothing where all have numbers by the files' names."""
        if self.names is not None and not self.numbers:
            return ""
        paths = list(map(PurePosixPath, files))
        songs = Counter(str(self.song_and_singer(str(path))[1]) for path in paths)
        shown = [f"{singer} ({number:,})" for singer, number in sorted(songs.items())]
        more = [f"and {len(shown) - SHOWN:,} more"] if len(shown) > SHOWN else []
        how = "by the pattern" if self.names is not None else "by folder"
        said = f"Singers {how}, with their songs: {', '.join(shown[:SHOWN] + more)}."
        if self.singer is not None:
            said = f"All songs are by {self.singer}."
        deep = next((path for path in paths if len(path.parts) > 2), None)
        if self.singer is None and self.names is None and deep:
            said += (
                f" The first folder was taken for the singer, so {deep} is by {tidy(deep.parts[0])}; if it is not, "
                "give another DIR, or --names."
            )
        if self.songs_are_folders:
            said += " All files have the same name, so the songs have the names of their folders."
        return said


def choose_naming(files: Collection[str], singer: str | None = None, names: str | None = None) -> Naming:
    """Chooses how singer and song of files are told.

    `singer` and `names` say it. Otherwise file names like those of two corpora do; and where no file has such a name,
    the first folder is the singer, and the file's name the song.

    Args:
        files: All paths.
        singer: The number or the name of the singer of all files.
        names: A regular expression; see `song_and_singer`. With a `/` in it, it is one for paths without their ending,
            otherwise for names.

    Raises:
        InputError: Both are given; the pattern or the name cannot be used; or no file's singer is told.
    """
    if singer is not None and names is not None:
        raise InputError("--singer and --names exclude each other; leave out one of them.")
    stems = {tidy(PurePosixPath(file).stem) for file in files}
    same = len(stems) == 1 and len(files) > 1
    if singer is not None:
        try:
            who = number_or_name(singer)
        except InputError as error:
            raise InputError(f"singer={singer}: {error}.") from error
        return Naming(who, None, {} if isinstance(who, int) else {who: 1}, same)
    if names is not None:
        check_pattern(names)
    elif any(re.fullmatch(NAMES, PurePosixPath(file).stem) for file in files):
        return Naming(names=NAMES)
    elif not any("/" in file for file in files):
        raise InputError(f"The names of the files do not say who sings, such as {next(iter(files))}: {WAYS}.")
    elif same and max(len(PurePosixPath(file).parts) for file in files) == 2:
        raise InputError(
            f"All {len(files)} files are called {next(iter(stems))}, each in a folder that may be a singer's or a "
            f"song's. Give --singer=NAME if one singer sang them all, or --names='(?P<singer>[^/]+)/(?P<song>.+)' if "
            "each folder is a singer's."
        )
    naming = Naming(names=names, songs_are_folders=same and names is None)
    return naming._replace(numbers=_numbered(files, naming))


def _numbered(files: Collection[str], naming: Naming) -> dict[str, int]:
    """Returns a number for each name, in the order of names, from 1; singers with a number of their own keep it."""
    singers: set[int | str] = set()
    for file in files:
        try:
            singers.add(naming.song_and_singer(file)[1])
        except InputError:
            continue  # it is refused by name when it is its turn
    free = (number for number in range(1, len(singers) + 1 + len(singers)) if number not in singers)
    return dict(zip(sorted(each for each in singers if isinstance(each, str)), free, strict=False))


def check_pattern(names: str) -> None:
    """Refuses a pattern that tells no singers.

    Raises:
        InputError: It is no regular expression, or has no group `singer`.
    """
    try:
        groups = re.compile(names).groupindex
    except re.error as error:
        raise InputError(f"The pattern {names} is no regular expression: {error}.") from error
    if "singer" not in groups:
        raise InputError(f"The pattern {names} has no group (?P<singer>...), which says who sings.")


def song_and_singer(name: str, names: str) -> tuple[str, int | str]:
    """Returns the song and the singer that a file name stands for.

    Args:
        name: The file's name without its ending.
        names: A regular expression for such names. Its group `singer` is a number or a name. Its group `song`, where
            there is one, tells songs apart; otherwise every file is a song of its own.

    Raises:
        InputError: The name does not fit the pattern.

    >>> song_and_singer("ba_05688_-4_a_s02_m_02", NAMES)
    ('05688', 2)
    """
    match = re.fullmatch(names, name) or re.fullmatch(names, tidy(name))
    # A pattern for several corpora needs its groups several times; `singer_` is another `singer`.
    groups = {key.rstrip("_"): value for key, value in match.groupdict().items() if value} if match else {}
    if not groups.get("singer", "").strip():
        like = "as in the names of two corpora; give --singer or --names" if names == NAMES else f"by {names}"
        raise InputError(f"its name does not say who sings, {like}")
    return groups.get("song", name), number_or_name(groups["singer"])
