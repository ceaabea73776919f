"""What a careful person asks of a songs table before training, and whether the table has the published fault."""

from collections import Counter

import numpy as np
from datasets import Dataset

from toy_duration_predictor.data.finding import finding
from toy_duration_predictor.data.origin import MEANING, Origin, declared, origins
from toy_duration_predictor.data.quantize import grid_step
from toy_duration_predictor.data.singer_names import singer_names
from toy_duration_predictor.data.singers import label
from toy_duration_predictor.data.songs import fingerprint, ragged
from toy_duration_predictor.data.split import split_rows
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.sections import Section

PERCENTILES = (1, 25, 50, 75, 99)
# A duration longer than this, in beats, is a pause and no rest within a song's phrases.
OUTLIER_BEATS = 16


class Columns:
    """A songs table as arrays over all notes, `(notes,)`, and over all rows, `(rows,)`."""

    def __init__(self, table: Dataset) -> None:
        self.table = table
        self.sung, self.offsets = ragged(table, "sung")
        self.quantized, _ = ragged(table, "quantized")
        self.lengths = np.diff(self.offsets)
        self.row = np.repeat(np.arange(len(table)), self.lengths)  # of each note
        self.songs = [(self.song(self.sung, row), self.song(self.quantized, row)) for row in range(len(table))]
        self.step = np.array([grid_step(quantized) for _, quantized in self.songs])
        self.pitch = ragged(table, "pitch")[0] if "pitch" in table.column_names else None
        self.ticks_per_beat = self._known("ticks_per_beat")
        self.tempo = self._known("tempo")
        self.beats = self.sung / self.ticks_per_beat[self.row]

    def _known(self, name: str) -> np.ndarray:
        """Returns a column of numbers, nan where a number is not known."""
        values = self.table[name] if name in self.table.column_names else [None] * len(self.table)
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    def song(self, values: np.ndarray, row: int) -> np.ndarray:
        """Returns the values of one row's notes."""
        return values[self.offsets[row] : self.offsets[row + 1]]


def audit(table: Dataset) -> list[Section]:
    """Looks at a songs table.

    Args:
        table: A validated songs table.

    Returns:
        What was found, for `render_text` and `render_html`.
    """
    columns = Columns(table)
    found = np.array(origins(table))
    return [
        finding(columns, found),
        _contents(columns),
        *_singers(columns),
        _lengths(columns),
        _resolutions(columns),
        _copy_error(columns),
        _outliers(columns),
        _repetitions(columns),
        _shared(columns),
        _fault(columns, found),
    ]


def _contents(columns: Columns) -> Section:
    table = columns.table
    singers = Counter(table["singer_id"])
    rows = [
        ("rows", f"{len(table):,}"),
        ("notes and rests", f"{len(columns.sung):,}"),
        ("a row", f"{columns.lengths.min():,} to {columns.lengths.max():,}, median {np.median(columns.lengths):,.0f}"),
        ("singers", f"{len(singers)}, with {min(singers.values())} to {max(singers.values())} rows each"),
        ("columns", ", ".join(table.column_names)),
        ("fingerprint", fingerprint(table)),
    ]
    if "song_id" in table.column_names:
        by_song: dict[str, set[int]] = {}
        for song_id, singer in zip(table["song_id"], table["singer_id"], strict=True):
            if song_id is not None:
                by_song.setdefault(song_id, set()).add(singer)
        several = {song_id: len(who) for song_id, who in by_song.items() if len(who) > 1}
        most = max(several, key=several.__getitem__, default=None)
        more = f", the most {most} by {several[most]}" if most else ""
        rows.insert(4, ("songs", f"{len(by_song):,}, {len(several):,} of them by several singers{more}"))
    return Section("Contents", ("", ""), rows)


def _singers(columns: Columns) -> list[Section]:
    """Lists the singers where some have names."""
    names, singer_ids = singer_names(columns.table), np.array(columns.table["singer_id"][:])
    rows = [
        (label(singer, names), str(singer), f"{of.sum():,}", f"{columns.lengths[of].sum():,}")
        for singer in np.unique(singer_ids).tolist()
        for of in [singer_ids == singer]
    ]
    return [Section("Singers", ("name", "number", "rows", "notes and rests"), rows)] if names else []


def _lengths(columns: Columns) -> Section:
    if columns.pitch is None:
        parts = {"notes and rests": np.ones(len(columns.sung), dtype=bool)}
        remark = "Percentiles. Which are rests is not known without pitch."
    else:
        parts = {"notes": columns.pitch > 0, "rests": columns.pitch == 0}
        remark = "Percentiles."
    rows = []
    for name, which in parts.items():
        for unit, values in (("ticks", columns.sung[which]), ("beats", columns.beats[which])):
            values = values[~np.isnan(values)]
            if len(values):
                digits = 0 if unit == "ticks" else 3
                rows.append((f"{name}, {unit}", *(f"{p:,.{digits}f}" for p in np.percentile(values, PERCENTILES))))
        zero = (columns.quantized[which] == 0).mean() if which.any() else 0
        rows.append((f"{name} quantized to 0", f"{zero:.1%}", *[""] * (len(PERCENTILES) - 1)))
    return Section("Lengths", ("", *(f"{p} %" for p in PERCENTILES)), rows, remark)


def _resolutions(columns: Columns) -> Section:
    rows = []
    for step in np.unique(columns.step):
        of_step = columns.step == step
        known = sorted({int(t) for t in columns.ticks_per_beat[of_step] if not np.isnan(t)})
        rows.append((str(step), str(8 * step), ", ".join(map(str, known)) or "not known", f"{of_step.sum():,}"))
    return Section(
        "Resolutions",
        ("grid step, ticks", "ticks per beat if it is 1/32", "ticks per beat in the table", "rows"),
        rows,
        "A row's grid step is the greatest common divisor of its quantized durations.",
    )


def _copy_error(columns: Columns) -> Section:
    error = np.abs(columns.sung - columns.quantized).astype(np.float64)
    beats = error / columns.ticks_per_beat[columns.row]
    milliseconds = beats * columns.tempo[columns.row] / 1000  # a tempo is microseconds per beat
    rows = []
    for unit, values, digits in (("ticks", error, 3), ("beats", beats, 4), ("ms", milliseconds, 1)):
        known = values[~np.isnan(values)]
        if len(known):
            rows.append((unit, f"{known.mean():.{digits}f}", f"{np.median(known):.{digits}f}", f"{len(known):,}"))
        else:
            rows.append((unit, "not known", "", "0"))
    remark = f"{(error == 0).mean():.1%} of the errors are 0."
    return Section("Error of the copy baseline", ("", "mean", "median", "notes"), rows, remark)


def _outliers(columns: Columns) -> Section:
    # Where the resolution is not known, a beat has eight grid steps, as with a grid of 1/32.
    guessed = columns.sung / (8 * columns.step[columns.row])
    long = np.where(np.isnan(columns.beats), guessed, columns.beats) > OUTLIER_BEATS
    rows = []
    for note in np.flatnonzero(long)[np.argsort(-columns.sung[long], kind="stable")][:5]:
        row = columns.row[note]
        what = "" if columns.pitch is None else ("rest" if columns.pitch[note] == 0 else "note")
        rows.append((str(row), str(note - columns.offsets[row]), what, f"{columns.sung[note]:,}"))
    off = np.abs(columns.sung - columns.quantized) > 2 * columns.step[columns.row]
    remark = (
        f"{long.sum():,} durations are longer than {OUTLIER_BEATS} beats, and {off.sum():,} are more than two grid "
        f"steps from their quantized ones; {(columns.sung == 0).sum():,} are 0."
    )
    return Section("Outliers", ("row", "note", "", "ticks"), rows, remark)


def _repetitions(columns: Columns) -> Section:
    rows = []
    for name, values in (("durations", columns.sung), ("quantized durations", columns.quantized)):
        groups: dict[bytes, list[int]] = {}
        for row in range(len(columns.table)):
            groups.setdefault(columns.song(values, row).tobytes(), []).append(row)
        several = [group for group in groups.values() if len(group) > 1]
        shown = "; ".join(" = ".join(map(str, group[:4])) for group in several[:3])
        rows.append((f"the same {name}", f"{sum(len(group) - 1 for group in several):,}", shown))
    return Section("Duplicates", ("", "rows beyond the first", "such as rows"), rows)


def _shared(columns: Columns) -> Section:
    rows = []
    ids = columns.table["song_id"] if "song_id" in columns.table.column_names else None
    scores = [quantized.tobytes() for _, quantized in columns.songs]
    for scheme in ("published", "grouped"):
        try:
            split = split_rows(columns.table, scheme, seed=42)
        except InputError:
            continue
        known = {scores[row] for row in split.train}
        same_score = sum(scores[row] in known for row in split.test)
        same_song = "not known"
        if ids is not None:
            heard = {ids[row] for row in split.train} - {None}
            same_song = str(sum(ids[row] in heard for row in split.test))
        rows.append((scheme, str(len(split.test)), same_song, str(same_score)))
    heads = ("split", "test rows", "same song in training", "same score in training")
    remark = "" if rows else "The table is too small to be split."
    return Section("Test rows that training has seen", heads, rows, remark)


def _fault(columns: Columns, found: np.ndarray) -> Section:
    rows = [(MEANING[each], f"{(found == each).sum():,}") for each in Origin]
    said = {"auto": "", "sung": "They are said to be sung. ", "carried": "They are said to be carried values. "}
    remark = said[declared(columns.table)] + _fault_in_words(columns, found)
    return Section("The published fault", ("what a row's durations are", "rows"), rows, remark)


def _fault_in_words(columns: Columns, found: np.ndarray) -> str:
    carried = found == Origin.QUANTIZER
    undecided = (found == Origin.UNDECIDED).sum()
    unsaid = f" {undecided:,} rows have too few short rests to tell." if undecided else ""
    if not carried.any():
        return f"It is not found.{unsaid}"
    # A bound: a carried value differs from the sung duration only where an error was carried into the note. The error
    # is the previous note's difference of carried value and quantized duration; a song's first note is given none.
    error = columns.sung - columns.quantized
    into = np.roll(error, 1)
    into[columns.offsets[:-1]] = 0
    touched = int((carried[columns.row] & (into != 0)).sum())
    return (
        f"It is found in {carried.sum():,} of {len(found):,} rows. It touches at most {touched:,} notes "
        f"({touched / len(error):.1%} of the table).{unsaid} tdp audit --repair recovers what the arithmetic allows."
    )
