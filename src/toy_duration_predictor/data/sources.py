"""Where songs come from: every source is a function from its options to a validated songs table.

Options are what a configuration has under `data` beside `source`; a misspelt, missing or unfit one is refused.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset, load_dataset
from datasets.exceptions import DatasetsError
from pydantic import Field, ValidationError, validate_call

from toy_duration_predictor.data.files import cache_folder
from toy_duration_predictor.data.prepare import NAMES, prepare
from toy_duration_predictor.data.recipe import Limit, Recipe
from toy_duration_predictor.data.simulate import simulate_songs
from toy_duration_predictor.data.songs import ROWS_AT_ONCE, used, validate_songs, validated
from toy_duration_predictor.errors import InputError, did_you_mean, explain

log = logging.getLogger(__name__)


def load_songs(source: str, **options: Any) -> Dataset:
    """Loads a songs table.

    Args:
        source: `hub`, `midi`, `parquet` or `simulated`.
        options: The source's own; see the function of that name.

    Raises:
        InputError: No such source, unfit options, or a table that cannot be had or used.
    """
    if source not in SOURCES:
        raise InputError(f"data.source={source}: no such source; {did_you_mean(source, SOURCES)}")
    try:
        return SOURCES[source](**options)
    except ValidationError as error:
        raise InputError(explain(error, within=f"data={source}")) from error


@validate_call
def hub(name: str = "ccss17/note-duration-dataset", revision: str | None = None, hub_split: str = "train") -> Dataset:
    """Loads a dataset of the Hugging Face Hub, or a local folder laid out like one.

    The cache, `HF_HUB_OFFLINE`, `HF_ENDPOINT` and the token (`HF_TOKEN` or a login) work as everywhere in `datasets`.

    Args:
        name: `owner/name`, or the path of a folder.
        revision: A commit hash, tag or branch; None is the newest.
        hub_split: The dataset's own split to read.

    Raises:
        InputError: It cannot be loaded; the message names the ways out.
    """
    at = f" at revision '{revision}'" if revision else ""
    try:
        table = load_dataset(name, split=hub_split, revision=revision)
    except (DatasetsError, OSError, ValueError) as error:
        raise InputError(
            f"The dataset '{name}'{at} cannot be loaded from the Hugging Face Hub ({_reason(error)}); check the name "
            f"and the network, or train on data=simulated or on a file with data=parquet data.path=FILE."
        ) from error
    return validate_songs(table, name)


@validate_call
def parquet(path: Path) -> Dataset:
    """Reads a songs table from a Parquet file.

    Raises:
        InputError: There is no such file, it is not Parquet, or it is not a songs table.
    """
    path = path.expanduser()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"data.path={path} {what}; give the path of a songs table in Parquet format.")
    with _reading(path):
        columns = pq.read_schema(path).names
    return validated(_parts(path, used(columns)), columns, str(path))


@validate_call
def midi(
    path: Path,
    names: str | None = None,
    grid: str = "32",
    shortest_rest: str = "0.3ticks",
    forward_error: bool = True,
    track: int | None = None,
    published: bool = False,
) -> Dataset:
    """Prepares a folder of MIDI files, or reads what was prepared of it before; only changed files are read again.

    Args:
        path: The folder.
        names: What file names say; None knows those of two corpora. See `prepare`.
        grid: See `Recipe`.
        shortest_rest: See `Recipe`; a number with its unit, such as `0.05s`.
        forward_error: See `Recipe`.
        track: See `Recipe`.
        published: See `Recipe`.

    Raises:
        InputError: The folder or the options cannot be used.
    """
    recipe = Recipe(
        shortest_rest=Limit.parse(shortest_rest),
        grid=grid,
        forward_error=forward_error,
        track=track,
        published=published,
    )
    path = path.expanduser()
    key = hashlib.sha256(repr((str(path.resolve()), recipe, names)).encode()).hexdigest()[:16]
    table = cache_folder() / "midi" / f"{key}.parquet"
    summary = prepare(path, table, recipe, names or NAMES, keep_store=True)
    log.info("%s: %d songs of %d files, %d of them read now", path, summary.songs, summary.files, summary.read)
    for file, reason in summary.refused.items():
        log.warning("Left out %s: %s.", path / file, reason)
    return parquet(table)


@validate_call
def simulated(
    songs: Annotated[int, Field(ge=1)] = 252,
    seed: Annotated[int, Field(ge=0)] = 0,
    singer_effect: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0,
) -> Dataset:
    """Makes the embedded corpus; see `simulate_songs`."""
    return validate_songs(simulate_songs(songs, seed, singer_effect), "simulated songs")


SOURCES: dict[str, Callable[..., Dataset]] = {"hub": hub, "midi": midi, "parquet": parquet, "simulated": simulated}


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"data.path={path} cannot be read as Parquet ({_reason(error)}).") from error


def _parts(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    """Yields the rows of a Parquet file in parts."""
    # With a buffer before it, what was read stays in memory.
    with _reading(path), pq.ParquetFile(path, pre_buffer=False) as file:
        for part in file.iter_batches(ROWS_AT_ONCE, columns=columns):
            yield pa.Table.from_batches([part])


def _reason(error: Exception) -> str:
    """Returns the first line of an error's message, at a length fit for a sentence."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return line if len(line) <= 160 else line[:157] + "..."
