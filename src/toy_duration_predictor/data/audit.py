"""What a careful person wants to know of a songs table before training, and whether it has the published fault."""

from collections import Counter

import numpy as np
from datasets import Dataset

from toy_duration_predictor.data.quantize import CARRIED, EITHER, NEITHER, SUNG, grid_step, kind, quantize
from toy_duration_predictor.data.repair import Repaired, is_carried, repair
from toy_duration_predictor.data.schema import SUNG_COLUMN
from toy_duration_predictor.data.songs import fingerprint, ragged
from toy_duration_predictor.data.split import split_rows
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.sections import Section

PERCENTILES = (1, 25, 50, 75, 99)
# Longer than this, in beats, is a pause and no rest of a phrase.
OUTLIER_BEATS = 16


class Columns:
    """A songs table as arrays, with each row's grid step as it is seen in its quantized durations."""

    def __init__(self, table: Dataset) -> None:
        self.table = table
        self.sung, self.offsets = ragged(table, "sung")
        self.quantized, _ = ragged(table, "quantized")
        self.lengths = np.diff(self.offsets)
        self.row = np.repeat(np.arange(len(table)), self.lengths)
        self.step = np.array([grid_step(self.song(self.quantized, row)) for row in range(len(table))])
        self.pitch = ragged(table, "pitch")[0] if "pitch" in table.column_names else None
        self.ticks_per_beat = self._known("ticks_per_beat")
        self.tempo = self._known("tempo")

    def _known(self, column: str) -> np.ndarray:
        """Returns a number a row, nan where it is not known."""
        values = self.table[column] if column in self.table.column_names else [None] * len(self.table)
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    def song(self, values: np.ndarray, row: int) -> np.ndarray:
        """Returns the notes of one row."""
        return values[self.offsets[row] : self.offsets[row + 1]]


def audit(table: Dataset) -> list[Section]:
    """Looks at a songs table.

    Args:
        table: A validated songs table.

    Returns:
        What was found, for `render_text` and `render_html`.
    """
    columns = Columns(table)
    return [
        _contents(columns),
        _lengths(columns),
        _resolutions(columns),
        _copy_error(columns),
        _outliers(columns),
        _repetitions(columns),
        _shared(columns),
        _fault(columns),
    ]


def kinds(columns: Columns) -> list[str]:
    """Returns for each row what its durations are; see `quantize.kind`."""
    return [
        kind(columns.song(columns.sung, row), columns.song(columns.quantized, row)) for row in range(len(columns.step))
    ]


def repair_table(table: Dataset) -> tuple[Dataset, int]:
    """Recovers the sung durations of all rows that bear the fault's mark; other rows stay as they are.

    Args:
        table: A validated songs table.

    Returns:
        The table, with another column `undecided`, which has a bool a note: true where the arithmetic leaves more than
        one duration and the likelier one was taken; and how many rows were repaired.

    Raises:
        InputError: No row bears the mark.
    """
    columns = Columns(table)
    rows = [
        row
        for row, found in enumerate(kinds(columns))
        if found == CARRIED and is_carried(columns.song(columns.sung, row), columns.song(columns.quantized, row))
    ]
    if not rows:
        raise InputError("No row of this table bears the mark of the published fault; there is nothing to repair.")
    done: Repaired = repair(
        [columns.song(columns.sung, row) for row in rows],
        [columns.song(columns.quantized, row) for row in rows],
        [int(columns.step[row]) for row in rows],
    )
    sung = [columns.song(columns.sung, row) for row in range(len(table))]
    undecided = [np.zeros(length, dtype=bool) for length in columns.lengths]
    for row, recovered, open_ in zip(rows, done.sung, done.undecided, strict=True):
        sung[row], undecided[row] = recovered, open_
    others = {name: table[name] for name in table.column_names if name != SUNG_COLUMN}
    return Dataset.from_dict({**others, SUNG_COLUMN: sung, "undecided": undecided}), len(rows)


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


def _lengths(columns: Columns) -> Section:
    beats = columns.sung / columns.ticks_per_beat[columns.row]
    if columns.pitch is None:
        parts = {"notes and rests": np.ones(len(beats), dtype=bool)}
        remark = "Percentiles. Which are rests is not known without pitch."
    else:
        parts = {"notes": columns.pitch > 0, "rests": columns.pitch == 0}
        remark = "Percentiles."
    rows = []
    for name, which in parts.items():
        for unit, values in (("ticks", columns.sung[which]), ("beats", beats[which])):
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
    milliseconds = beats * columns.tempo[columns.row] / 1000
    rows = []
    for unit, values, digits in (("ticks", error, 3), ("beats", beats, 4), ("ms", milliseconds, 1)):
        known = values[~np.isnan(values)]
        if len(known):
            rows.append((unit, f"{known.mean():.{digits}f}", f"{np.median(known):.{digits}f}", f"{len(known):,}"))
        else:
            rows.append((unit, "not known", "", "0"))
    same = (error == 0).mean()
    return Section(
        "Error of copying the quantized durations", ("", "mean", "median", "notes"), rows, f"{same:.1%} are 0."
    )


def _outliers(columns: Columns) -> Section:
    beats = columns.sung / columns.ticks_per_beat[columns.row]
    by_known = ~np.isnan(beats)
    # Where the resolution is not known, the grid stands in for it.
    step_beats = columns.sung / (8 * columns.step[columns.row])
    long = np.where(by_known, beats, step_beats) > OUTLIER_BEATS
    rows = []
    for note in np.flatnonzero(long)[np.argsort(-columns.sung[long], kind="stable")][:5]:
        row = columns.row[note]
        kind = "" if columns.pitch is None else ("rest" if columns.pitch[note] == 0 else "note")
        rows.append((str(row), str(note - columns.offsets[row]), kind, f"{columns.sung[note]:,}"))
    off = np.abs(columns.sung - columns.quantized) > 2 * columns.step[columns.row]
    remark = (
        f"{long.sum():,} durations are longer than {OUTLIER_BEATS} beats, and {off.sum():,} are more than two grid "
        f"steps from their quantized ones; {(columns.sung == 0).sum():,} are 0."
    )
    return Section("Outliers", ("row", "note", "", "ticks"), rows, remark)


def _repetitions(columns: Columns) -> Section:
    rows = []
    for name, values in (("durations", columns.sung), ("quantized durations", columns.quantized)):
        groups = _equal_rows(columns, values)
        several = [group for group in groups.values() if len(group) > 1]
        shown = "; ".join(" = ".join(map(str, group[:4])) for group in several[:3])
        rows.append((f"the same {name}", f"{sum(len(group) - 1 for group in several):,}", shown))
    return Section("Duplicates", ("", "rows beyond the first", "such as rows"), rows)


def _equal_rows(columns: Columns, values: np.ndarray) -> dict[bytes, list[int]]:
    groups: dict[bytes, list[int]] = {}
    for row in range(len(columns.table)):
        groups.setdefault(columns.song(values, row).tobytes(), []).append(row)
    return groups


def _shared(columns: Columns) -> Section:
    title, heads = (
        "Test rows that training has seen",
        ("split", "test rows", "same song in training", "same score in training"),
    )
    rows = []
    for how in ("published", "grouped"):
        try:
            split = split_rows(columns.table, how, seed=42)
        except InputError:
            continue
        train = {columns.song(columns.quantized, row).tobytes() for row in split.train}
        same = sum(columns.song(columns.quantized, row).tobytes() in train for row in split.test)
        songs = "not known"
        if "song_id" in columns.table.column_names:
            ids = columns.table["song_id"]
            heard = {ids[row] for row in split.train} - {None}
            songs = str(sum(ids[row] in heard for row in split.test))
        rows.append((how, str(len(split.test)), songs, str(same)))
    return Section(title, heads, rows, "" if rows else "The table is too small to be split.")


def _fault(columns: Columns) -> Section:
    title, heads = "The published fault", ("how a row's durations fit its quantized ones", "rows")
    found = kinds(columns)
    counts = Counter(found)
    rows = [
        ("quantized from the stored durations, the error carried forward: sung", f"{counts[SUNG]:,}"),
        ("each stored duration rounded by itself: the quantizer's carried values", f"{counts[CARRIED]:,}"),
        ("both: too short to tell", f"{counts[EITHER]:,}"),
        ("neither: another quantizer, or another grid", f"{counts[NEITHER]:,}"),
    ]
    if not counts[CARRIED]:
        return Section(
            "The published fault", ("how a row's durations fit its quantized ones", "rows"), rows, "It is not found."
        )
    carried = np.array([each == CARRIED for each in found])[columns.row]
    # Were the stored durations the sung ones, so many notes would have been quantized to another value ...
    requantized = np.concatenate(
        [quantize(columns.song(columns.sung, r), int(columns.step[r])) for r, k in enumerate(found) if k == CARRIED]
    )
    against = int((requantized != columns.quantized[carried]).sum())
    # ... and a note's carried value differs from its sung one wherever an error was carried into it.
    error = columns.sung - columns.quantized
    first = np.zeros(len(error), dtype=bool)
    first[columns.offsets[:-1]] = True
    into = np.where(first, 0, np.roll(error, 1))
    touched = int((carried & (into != 0)).sum())
    notes = carried.sum()
    remark = (
        f"It is found in {counts[CARRIED]:,} of {len(found):,} rows: every one of their {notes:,} notes is quantized "
        f"as if no error were carried, and {against:,} of them ({against / notes:.1%}) could not be so if the stored "
        f"durations were the sung ones; {counts[SUNG]:,} rows speak against it. It touches at most {touched:,} notes "
        f"({touched / len(error):.1%}). tdp audit --repair recovers what the arithmetic allows."
    )
    return Section(title, heads, rows, remark)
