"""Files of scores made into files of performances: MIDI, `.ds`, projects of singing editors, `.csv` and `.json`.

`docs/scores.md` has a table of the formats.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from toy_duration_predictor.data.midi.smf import SUFFIXES as MIDI
from toy_duration_predictor.data.midi.voices import whole_track
from toy_duration_predictor.data.singers import Singer
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.files import passed_over, write
from toy_duration_predictor.scores.converters import XML
from toy_duration_predictor.scores.ds import open_ds
from toy_duration_predictor.scores.editors import EDITORS, open_editor
from toy_duration_predictor.scores.in_place import IN_PLACE, open_in_place
from toy_duration_predictor.scores.midi import Reading, open_midi
from toy_duration_predictor.scores.perform import HumanizeSettings, Sings, perform, predict_or_sample
from toy_duration_predictor.scores.recordings import read_beginning, read_file, read_references
from toy_duration_predictor.scores.rows import from_voice, open_csv, open_json
from toy_duration_predictor.scores.score import Opened

# Only for the types: they bring torch along, and what cannot be used is to be refused at once.
if TYPE_CHECKING:
    from toy_duration_predictor.inference.predictor import Predictor
    from toy_duration_predictor.inference.references import Like

ROWS = (".csv", ".json")
SUFFIXES = (*MIDI, ".ds", *IN_PLACE, *EDITORS, XML, *ROWS)
# What is read of a folder. Its .csv, .json and .xml files are left alone, because they need not be scores.
FOLDER_SUFFIXES = (*MIDI, ".ds", *IN_PLACE, *EDITORS)

DEFAULT = HumanizeSettings()


class Humanized(NamedTuple):
    """What `humanize` did.

    Attributes:
        files: How many files were written.
        refused: Why a file could not be used, by the file.
        remarks: How each file was read, by the file: in MIDI files, which notes are the voice. And what was not carried
            into the file of its performance.
        passed_over: How many files of a folder are no scores by their names, by the ends of these.
    """

    files: int
    refused: dict[str, str]
    remarks: dict[str, tuple[str, ...]]
    passed_over: dict[str, int]


def humanize(
    source: str | Path,
    out: str | Path,
    model: "Predictor | str | Path",
    singer: Singer | None = None,
    settings: HumanizeSettings = DEFAULT,
    device: str = "cpu",
    progress: Callable[[Iterable[Path], int], Iterator[Path]] | None = None,
    *,
    like: "Like | str | Path | Sequence[str | Path] | None" = None,
    began: str | Path | None = None,
) -> Humanized:
    """Puts a singer's timing into a score, or into every file below a folder that has one of `FOLDER_SUFFIXES`.

    Args:
        source: A file with one of `SUFFIXES` (see `scores.midi`, `scores.ds`, `scores.in_place`, `scores.editors` and
            `scores.rows`), or a folder.
        out: The file to write, or the folder. A MIDI file may become a `.csv` or `.json` file; every other file keeps
            its format.
        model: A predictor, or what `Predictor.load` takes.
        singer: See `Predictor`.
        settings: See `HumanizeSettings`.
        device: Where to compute; a predictor has its own.
        progress: Wraps the files of a folder to show a progress bar. It is given the files and their number.
        like: Songs to sing like, in place of `singer`: see `Predictor`; or recordings of them, which are MIDI files,
            folders of MIDI files, and songs tables in Parquet format.
        began: A recording of the score's first notes, a MIDI file: as many notes as it has. They stay as they were
            sung, and the song goes on from there; see `Predictor.predict`.

    Returns:
        What was written. Files of a folder that cannot be used are left out.

    Raises:
        InputError: The file, or every file of the folder, cannot be used; the model, a recording or a setting cannot be
            used; or `out` cannot be written.
    """
    source, out = Path(source), Path(out)
    settings.validate()
    if not source.exists():
        raise InputError(f"{source} does not exist; give a score, or a folder of scores.")
    if source.resolve() in (out.resolve(), *out.resolve().parents):
        raise InputError(f"{out} is {source} itself, or lies in it; write the performance elsewhere.")
    is_folder = source.is_dir()
    files = [source]
    if is_folder:
        files = sorted(path for path in source.rglob("*") if path.suffix.lower() in FOLDER_SUFFIXES and path.is_file())
        if not files:
            raise InputError(f"{source} has no scores; these are read: {', '.join(FOLDER_SUFFIXES)}.")
        if began is not None:
            raise InputError(
                f"{began} is the beginning of one score, and {source} is a folder; give that score's file."
            )
        if out.is_file():
            raise InputError(f"{out} is a file, and {source} is a folder; name a folder for the performances.")
    elif out.is_dir():
        raise InputError(f"{out} is a folder; name the file to write in it, such as {out / f'sung{source.suffix}'}.")
    else:
        try:
            check_suffixes(source.suffix.lower(), out.suffix.lower())
        except InputError as error:
            raise InputError(f"{source}: {error}.") from error
    # A recording of the beginning is another file: its voice is found by itself.
    beginning = None if began is None else read_beginning(began, _reading(settings)._replace(track=None))
    from toy_duration_predictor.inference.predictor import Predictor

    predictor = model if isinstance(model, Predictor) else Predictor.load(model, device)
    sings = Sings(singer, _read_like(like, predictor.step_beats), beginning)
    # A song of one note: a wrong singer, seed or temperature is refused once, before any file is read.
    predict_or_sample(predictor, settings, np.array([1.0]), 1.0, singer=singer, like=sings.like)
    refused: dict[str, str] = {}
    remarks: dict[str, tuple[str, ...]] = {}
    for file in progress(files, len(files)) if progress and is_folder else files:
        place = out / file.relative_to(source) if is_folder else out
        suffixes = file.suffix.lower(), place.suffix.lower()
        try:
            content, remarks[str(file)] = humanize_with_remarks(read_file(file), predictor, sings, settings, *suffixes)
        except InputError as error:
            refused[str(file)] = str(error).rstrip(".")
        else:
            write(place, partial(Path.write_bytes, data=content))
    if len(refused) == len(files):
        first, reason = next(iter(refused.items()))
        also = f" None of the {len(files)} files can be used." if len(files) > 1 else ""
        raise InputError(f"{first}: {reason}.{also}")
    others = passed_over(source, FOLDER_SUFFIXES) if is_folder else {}
    said = {file: lines for file, lines in remarks.items() if lines}
    return Humanized(len(files) - len(refused), refused, said, others)


def humanize_bytes(
    content: bytes,
    predictor: "Predictor",
    sings: Sings,
    settings: HumanizeSettings = DEFAULT,
    suffix: str = ".mid",
    out_suffix: str = ".mid",
) -> bytes:
    """Returns the file of a performance.

    In a MIDI file only the notes of the voice move, and their lyrics with them; lyrics keep their bytes. All else stays
    as it is. Where no note moves, the file stays the same to the byte.

    Args:
        content: The score's file.
        predictor: The model.
        sings: Who sings.
        settings: See `HumanizeSettings`.
        suffix: The format of the score, one of `SUFFIXES`.
        out_suffix: The format of the performance: the same; or of a MIDI file `.csv` or `.json`.

    Raises:
        InputError: The file cannot be used; or as for `perform`.
    """
    return humanize_with_remarks(content, predictor, sings, settings, suffix, out_suffix)[0]


def humanize_with_remarks(
    content: bytes, predictor: "Predictor", sings: Sings, settings: HumanizeSettings, suffix: str, out_suffix: str
) -> tuple[bytes, tuple[str, ...]]:
    """Returns what `humanize_bytes` does, with remarks on how the score was read and on what was not carried."""
    settings.validate()
    check_suffixes(suffix, out_suffix)
    opened = _open(content, settings, suffix, out_suffix)
    times = [perform(score, predictor, sings, settings) for score in opened.scores]
    unmoved = all(np.array_equal(new, score.times) for new, score in zip(times, opened.scores, strict=True))
    # Where no note moves, a file is not written anew: another writer's spaces, line ends and running status stay.
    stays = unmoved and (out_suffix in MIDI) == (suffix in MIDI)
    performance = content if stays else opened.write(times)
    return performance, (
        *(f"{name} has no use for a {suffix} file" for name in _unused(settings, suffix)),
        *opened.remarks,
    )


def _unused(settings: HumanizeSettings, suffix: str) -> list[str]:
    """Returns the settings of how a score is read that are given, and that its format has no use for."""
    used: dict[str, tuple[str, ...]] = {".ds": ("tempo",), **dict.fromkeys(MIDI, Reading._fields)}
    used |= dict.fromkeys((*IN_PLACE, *EDITORS, XML), ("track",))
    given = [name for name in ("tempo", *Reading._fields) if getattr(settings, name) != getattr(DEFAULT, name)]
    return [name for name in given if name not in used.get(suffix, ())]


def check_suffixes(suffix: str, out_suffix: str) -> None:
    """Refuses a format that is not read, or that a score cannot become; see `humanize_bytes`."""
    if suffix not in SUFFIXES:
        raise InputError(f"no scores are read from '{suffix}' files, but from {', '.join(SUFFIXES)}")
    possible = (*MIDI, *ROWS) if suffix in MIDI else (suffix,)
    if out_suffix not in possible:
        other = f"'{out_suffix}' file" if out_suffix else "file whose name has no ending"
        raise InputError(f"a {suffix} file can become a {' or '.join(possible)} file, and no {other}")


def _open(content: bytes, settings: HumanizeSettings, suffix: str, out_suffix: str) -> Opened:
    if suffix == ".ds":
        return open_ds(content, settings.tempo)
    if suffix in IN_PLACE:
        return open_in_place(content, suffix, whole_track(settings.track))
    if suffix in (*EDITORS, XML):
        return open_editor(content, suffix, whole_track(settings.track))
    if suffix in ROWS:
        return open_csv(content) if suffix == ".csv" else open_json(content)
    midi = open_midi(content, _reading(settings))
    if out_suffix in ROWS:
        return Opened([midi.score], lambda times: from_voice(times[0], midi.voice, out_suffix), midi.remarks)
    return Opened([midi.score], lambda times: midi.write(times[0]), midi.remarks)


def _reading(settings: HumanizeSettings) -> Reading:
    return Reading(**{name: getattr(settings, name) for name in Reading._fields})


def _read_like(like: "Like | str | Path | Sequence[str | Path] | None", step_beats: float) -> "Like | None":
    """Returns what songs tell of their singer, added up once for all files; recordings on a grid of this step."""
    if like is None:
        return None
    given = [like] if isinstance(like, (str, Path)) else like
    paths = [each for each in given if isinstance(each, (str, Path))] if isinstance(given, Sequence) else []
    songs = read_references(paths, step_beats) if paths else cast("Like", like)
    from toy_duration_predictor.inference.references import reference_sums

    return reference_sums(songs)
