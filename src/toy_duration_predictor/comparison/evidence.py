"""The errors that everything rests on: a number a test song, since the song is the unit of the statistics.

| measure | the absolute error of |
| --- | --- |
| `onset`, `ioi`, `duration` | onsets, inter-onset intervals, durations; see `training.timing_errors` |
| `notes`, `rests` | the durations of notes, and of rests |

Each is known in ticks; in beats, where the resolution of all test songs is known; and in ms, where their tempo is, too.
Running totals of carried values are no onsets, so that predictions of these have only the errors of durations.

Shapes: `S` songs, in the order of their rows in the songs table; `T` notes and rests of a song.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from toy_duration_predictor.comparison.intervals import Interval, difference_interval, mae_interval
from toy_duration_predictor.comparison.significance import PairedTests, paired_tests
from toy_duration_predictor.training.timing_errors import timing_errors


class SongErrors(NamedTuple):
    """Absolute errors of an arm, baseline or ablation by one measure, in one unit, summed over each test song.

    Songs in which nothing counts, such as the onsets of a song of one note, are left out.

    Attributes:
        row: int64 `(S,)`; the song's row in its table.
        singer: int64 `(S,)`; `singer_id`.
        notes: int64 `(S,)`; how many errors are in the sum.
        error: float64 `(S,)`.
        repetitions: Mean absolute error in each repetition; known to `averaged`.
    """

    row: np.ndarray
    singer: np.ndarray
    notes: np.ndarray
    error: np.ndarray
    repetitions: tuple[float, ...] = ()

    @property
    def mae(self) -> float:
        """Mean absolute error over everything that counts."""
        return float(self.error.sum() / self.notes.sum())

    def minus(self, other: "SongErrors", resamples: int) -> Interval:
        """Returns how much larger `mae` is than on the same songs by `other`, and the interval over songs."""
        return difference_interval(self.error, other.error, other.notes, other.singer, resamples=resamples)


# By unit and measure.
Errors: TypeAlias = dict[str, dict[str, SongErrors]]


class ArmErrors(NamedTuple):
    """The error of an arm or baseline over all test songs, by one measure.

    Attributes:
        mae: Mean absolute error, averaged over the repetitions, in the unit that decides.
        share_of_copy: The same over the error of the copy baseline.
        repetitions: Mean absolute error in each repetition, in the same unit.
        units: Mean absolute error in each unit that is known.
    """

    mae: Interval
    share_of_copy: float
    repetitions: tuple[float, ...]
    units: dict[str, float]


class AblationErrors(NamedTuple):
    """The error of Model B under an ablation, as in `ArmErrors`; `difference`: how much larger it is than without."""

    mae: float
    share_of_copy: float
    difference: Interval


def tests_against(arm: str, errors: Mapping[str, SongErrors], resamples: int) -> dict[str, PairedTests]:
    """Tests an arm against all others in `errors`, by name, which are of the same songs; see `paired_tests`."""
    return paired_tests(
        arm,
        {name: each.error for name, each in errors.items()},
        {name: each.repetitions for name, each in errors.items()},
        errors[arm].notes,
        errors[arm].singer,
        resamples,
    )


def notes_by_song(predictions: pa.Table, column: str) -> list[np.ndarray]:
    """Returns a list column of a predictions table: an array `(T,)` a song, of the type that it is stored in."""
    lists = pa.concat_arrays(predictions[column].chunks)
    ends = np.cumsum(lists.value_lengths().to_numpy())
    return np.split(lists.flatten().to_numpy(zero_copy_only=False), ends[:-1])


def share(error: float, copy: float) -> float:
    """Returns the share of the copy baseline's error; nan where copying is perfect."""
    return error / copy if copy else math.nan


def deciding(units: Mapping[str, object]) -> str:
    """Returns the unit that decides: beats where they are known, as a tick is another length in another file."""
    return "beats" if "beats" in units else "ticks"


def ticks_in(predictions: pa.Table) -> dict[str, np.ndarray]:
    """Returns the ticks of each unit that is known of all songs, float `(S,)`."""
    ticks_per_beat, tempo = (predictions[name].to_numpy().astype(float) for name in ("ticks_per_beat", "tempo"))
    units = {"beats": ticks_per_beat, "ms": ticks_per_beat / tempo * 1000, "ticks": np.ones(len(ticks_per_beat))}
    return {name: ticks for name, ticks in units.items() if not np.isnan(ticks).any()}


def measured(predictions: pa.Table, column: str = "predicted") -> Errors:
    """Returns the errors of a column of a predictions table, by all units and measures that are known."""
    ordered = predictions.sort_by("row")
    songs = list(zip(*(notes_by_song(ordered, name) for name in (column, "sung", "rest")), strict=True))
    errors = [timing_errors(*song) for song in songs]
    rests = [rest for _, _, rest in songs]
    values = {"duration": [each.duration for each in errors]}
    if not any(ordered["carried"].to_pylist()):
        values = {"onset": [each.onset for each in errors], "ioi": [each.ioi for each in errors], **values}
    values["notes"] = [each.duration[~rest] for each, rest in zip(errors, rests, strict=True)]
    values["rests"] = [each.duration[rest] for each, rest in zip(errors, rests, strict=True)]
    row, singer = ordered["row"].to_numpy(), ordered["singer_id"].to_numpy()
    found: Errors = {}
    for unit, ticks in ticks_in(ordered).items():
        found[unit] = {}
        for measure, of_songs in values.items():
            count = np.array([len(song) for song in of_songs])
            total = np.array([song.sum() for song in of_songs]) / ticks
            if (some := count > 0).any():
                found[unit][measure] = SongErrors(row[some], singer[some], count[some], total[some])
    return found


def song_errors(
    predictions: pa.Table, column: str = "predicted", measure: str = "duration", unit: str = "ticks"
) -> SongErrors:
    """Returns the errors of a column of a predictions table by one measure; `quantized` is the copy baseline."""
    return measured(predictions, column)[unit][measure]


def averaged(repetitions: list[SongErrors]) -> SongErrors:
    """Returns each song's errors, averaged over the repetitions in which it was a test song.

    Args:
        repetitions: Errors with different seeds, or on different splits; at least one.
    """
    rows = np.unique(np.concatenate([each.row for each in repetitions]))
    total, times = np.zeros(len(rows)), np.zeros(len(rows))
    singer, notes = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
    for each in repetitions:
        # Not all songs: where the split varies, each repetition tests other ones.
        at = np.searchsorted(rows, each.row)
        total[at] += each.error
        times[at] += 1
        singer[at], notes[at] = each.singer, each.notes
    return SongErrors(rows, singer, notes, total / times, tuple(each.mae for each in repetitions))


def all_averaged(repetitions: list[Errors]) -> Errors:
    """Returns the same for all units and measures that are known in every repetition."""
    return {
        unit: {
            measure: averaged([each[unit][measure] for each in repetitions])
            for measure in measures
            if all(measure in each[unit] for each in repetitions)
        }
        for unit, measures in repetitions[0].items()
        if all(unit in each for each in repetitions)
    }


def summaries(errors: Mapping[str, Errors], copy: str, resamples: int) -> dict[str, dict[str, ArmErrors]]:
    """Returns the errors over all test songs, by measure and name.

    Args:
        errors: Of arms and baselines, by name.
        copy: Name of the copy baseline.
        resamples: Of the bootstrap.
    """
    unit = deciding(errors[copy])
    found: dict[str, dict[str, ArmErrors]] = {}
    for measure, copied in errors[copy][unit].items():
        found[measure] = {}
        for name, every in errors.items():
            each = every[unit][measure]
            interval = mae_interval(each.error, each.notes, each.singer, resamples=resamples)
            units = {known: of[measure].mae for known, of in every.items()}
            found[measure][name] = ArmErrors(interval, share(each.mae, copied.mae), each.repetitions, units)
    return found


def ablation_summaries(
    ablated: Mapping[str, SongErrors], model: SongErrors, copy: SongErrors, resamples: int
) -> dict[str, AblationErrors]:
    """Returns the errors over all test songs of ablations of a model, by one measure."""
    return {
        name: AblationErrors(each.mae, share(each.mae, copy.mae), each.minus(model, resamples))
        for name, each in ablated.items()
    }
