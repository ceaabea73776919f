"""A folder of MIDI files."""

import hashlib
import logging
import re
from pathlib import Path

from datasets import Dataset

from toy_duration_predictor.data.midi.prepare import prepare
from toy_duration_predictor.data.midi.recipe import Limit, Recipe
from toy_duration_predictor.data.sources.parquet import parquet
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.files import cache_folder, expanded

log = logging.getLogger(__name__)


def midi(
    path: Path,
    names: str | None = None,
    singer: str | int | None = None,
    grid: str = "32",
    shortest_rest: str = "0.3ticks",
    forward_error: bool = True,
    track: int | str | None = None,
    published: bool = False,
    encoding: str | None = None,
) -> Dataset:
    """Prepares a folder of MIDI files into the user's cache. Another time only changed files are read again.

    Args:
        path: The folder.
        names: What file names say; see `prepare`.
        singer: The singer of all files; see `prepare`.
        grid: See `Recipe`.
        shortest_rest: A number with its unit, such as `0.05s`; see `Recipe`.
        forward_error: See `Recipe`.
        track: See `Recipe`.
        published: See `Recipe`.
        encoding: See `Recipe`.

    Raises:
        InputError: The folder or the options cannot be used.
    """
    recipe = Recipe(
        shortest_rest=Limit.parse(shortest_rest),
        grid=grid,
        forward_error=forward_error,
        track=track,
        published=published,
        encoding=encoding,
    )
    path = expanded(path)
    # A table for each folder and recipe; its parts follow from the files.
    who = None if singer is None else str(singer)
    key = hashlib.sha256(repr((str(path.resolve()), recipe, names, who)).encode()).hexdigest()[:16]
    table = cache_folder() / "midi" / f"{key}.parquet"
    try:
        summary = prepare(path, table, recipe, names, keep_parts=True, singer=who)
    except InputError as error:
        raise InputError(_as_typed(str(error))) from error
    log.info("%s: %d songs of %d files, %d of them read now", path, summary.songs, summary.files, summary.read)
    if summary.singers:
        log.info("%s", _as_typed(summary.singers))
    for file, reason in summary.refused.items():
        log.warning("Left out %s: %s.", path / file, _as_typed(reason))
    return parquet(table)


def _as_typed(message: str) -> str:
    """Returns a sentence about arguments of `prepare`, or options of `tdp prepare`, as one about settings."""
    return re.sub(r"^(?=(track|singer)=)|--(?=singer|names)", "data.", message)
