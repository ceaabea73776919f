"""Files of scores made into files of performances: `.mid`, DiffSinger's `.ds`, and durations in `.csv` and `.json`."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from toy_duration_predictor.data.ds import open_ds
from toy_duration_predictor.data.files import write
from toy_duration_predictor.data.rows import from_voice, open_csv, open_json
from toy_duration_predictor.data.score import Opened, move, read_score
from toy_duration_predictor.data.smf import LARGEST_FILE, parse, replace_track
from toy_duration_predictor.errors import InputError, did_you_mean
from toy_duration_predictor.perform import Performance, check, perform, sing
from toy_duration_predictor.predictor import Predictor, Singer

MIDI, ROWS = (".mid", ".midi"), (".csv", ".json")
KINDS = (*MIDI, ".ds", *ROWS)
# What is read of a folder: its other .csv and .json files need not be scores.
OF_FOLDER = (*MIDI, ".ds")

DEFAULT = Performance()


class Humanized(NamedTuple):
    """How many files were written; and which could not be used, and why."""

    files: int
    refused: dict[str, str]


def humanize(
    source: str | Path,
    out: str | Path,
    model: Predictor | str | Path,
    singer: Singer,
    how: Performance = DEFAULT,
    device: str = "cpu",
    progress: Callable[[Iterable[Path], int], Iterator[Path]] | None = None,
) -> Humanized:
    """Puts a singer's timing into a score, or into every `.mid`, `.midi` and `.ds` file below a folder.

    Args:
        source: A `.mid`, `.midi`, `.ds`, `.csv` or `.json` file (see `data.ds` and `data.rows`), or a folder.
        out: The file to write, of the same kind, or `.csv` or `.json` of a MIDI file; or the folder.
        model: A predictor, or what `Predictor.load` takes.
        singer: See `Predictor`.
        how: See `Performance`.
        device: Where to compute; a predictor has its own.
        progress: Wraps the files of a folder, whose number it is given, to show a progress bar.

    Returns:
        What was written. A folder's files that cannot be used are left out.

    Raises:
        InputError: The file, or every file of the folder, cannot be used; the model or a setting cannot; or `out`
            cannot be written.
    """
    source, out = Path(source), Path(out)
    check(how)
    if not source.exists():
        raise InputError(f"{source} does not exist; give a score, or a folder of scores.")
    if source.resolve() in (out.resolve(), *out.resolve().parents):
        raise InputError(f"{out} is {source} itself, or lies in it; write the performance elsewhere.")
    is_folder = source.is_dir()
    files = [source]
    if is_folder:
        files = sorted(path for path in source.rglob("*") if path.suffix.lower() in OF_FOLDER and path.is_file())
        if not files:
            raise InputError(f"{source} has no {', '.join(OF_FOLDER)} files.")
    predictor = model if isinstance(model, Predictor) else Predictor.load(model, device)
    sing(np.array([1.0]), 1.0, predictor, singer, how)  # what no file can help is refused before the first one
    refused: dict[str, str] = {}
    for file in progress(files, len(files)) if progress and is_folder else files:
        place = out / file.relative_to(source) if is_folder else out
        try:
            content = humanize_bytes(_read(file), predictor, singer, how, file.suffix.lower(), place.suffix.lower())
        except InputError as error:
            refused[str(file)] = str(error).rstrip(".")
        else:
            write(place, partial(Path.write_bytes, data=content))
    if len(refused) == len(files):
        first, reason = next(iter(refused.items()))
        also = f" None of the {len(files)} files can be used." if len(files) > 1 else ""
        raise InputError(f"{first}: {reason}.{also}")
    return Humanized(len(files) - len(refused), refused)


def humanize_bytes(
    content: bytes,
    predictor: Predictor,
    singer: Singer,
    how: Performance = DEFAULT,
    kind: str = ".mid",
    into: str = ".mid",
) -> bytes:
    """Returns the file of a performance.

    Of a MIDI file, the notes of the vocal track move, and nothing else. Lyrics of that track keep their bytes and go
    with their notes; what stands on other tracks stays. Where no note moves, the file is the same to the byte.

    Args:
        content: The score's file.
        predictor: The model.
        singer: See `Predictor`.
        how: See `Performance`.
        kind: The suffix of the score, one of `KINDS`.
        into: The suffix of the performance: the same, or `.csv` or `.json` of a MIDI file.

    Raises:
        InputError: The file cannot be used; or as of `perform`.
    """
    if kind not in KINDS:
        raise InputError(f"there are no scores of the kind '{kind}'; {did_you_mean(kind, KINDS)}")
    if into not in ((*MIDI, *ROWS) if kind in MIDI else (kind,)):
        raise InputError(f"a {kind} file cannot become a file of the kind '{into}'")
    opened = _open(content, how, kind, into)
    times = [perform(score, predictor, singer, how) for score in opened.scores]
    unmoved = all(np.array_equal(new, score.times) for new, score in zip(times, opened.scores, strict=True))
    return content if unmoved and (into in MIDI) == (kind in MIDI) else opened.write(times)


def _open(content: bytes, how: Performance, kind: str, into: str) -> Opened:
    if kind == ".ds":
        return open_ds(content, how.tempo)
    if kind in ROWS:
        return open_csv(content) if kind == ".csv" else open_json(content)
    tracks = parse(content)
    score, voice, track = read_score(tracks, how.track)
    if into in ROWS:
        return Opened([score], lambda times: from_voice(times[0], voice, into))
    events = tracks.tracks[track]
    return Opened([score], lambda times: replace_track(content, track, move(events, score.times, times[0])))


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise InputError(f"it is larger than {LARGEST_FILE >> 20} MiB")
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror or error}") from error
