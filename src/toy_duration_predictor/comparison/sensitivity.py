"""Would an effect have been found? A known one is planted in the very same songs, and looked for by the same means.

That no difference is found means something only where one that matters would have been found. So every second onset
within a phrase is moved by a constant of its singer: earlier for half of the singers, later for the others. The
constant is such that knowing the singer is worth just as much as the verdicts call no practical difference. Model B is
trained on these songs with and without the singer, with the same seeds and splits, and the verdict has to be
*supported*.

A rest before a moved onset moves with it, so that the note before takes or gives the time. Sung durations change, and
are quantized anew.

Shapes: `T` notes and rests of a song.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from datasets import Dataset
from scipy.optimize import brentq

from toy_duration_predictor.comparison.arms import ANONYMOUS, MODEL, runs_by_arm
from toy_duration_predictor.comparison.corrections import song_arrays
from toy_duration_predictor.comparison.evidence import averaged, notes_by_song, song_errors, tests_against, ticks_in
from toy_duration_predictor.comparison.intervals import Interval
from toy_duration_predictor.comparison.questions import verdict
from toy_duration_predictor.data.quantize import grid_step, quantize
from toy_duration_predictor.data.rests import LONG_REST
from toy_duration_predictor.data.schema import QUANTIZED_COLUMN, SUNG_COLUMN
from toy_duration_predictor.training.run_folder import FinishedRun
from toy_duration_predictor.training.timing_errors import timing_errors

# Trains Model B with and without the singer on songs in which an effect by this measure is planted.
Train: TypeAlias = Callable[[Dataset, str], list[FinishedRun]]


class Sensitivity(NamedTuple):
    """What became of a planted effect.

    Attributes:
        size: By how much onsets were moved, in the unit that decides.
        worth: What knowing the singer is worth by that, in the same unit.
        difference: What Model B gained by the singer.
        p_songs: Sign-flip test over songs.
        p: The larger of that and the one over repetitions.
        verdict: *supported* if the effect was found.
    """

    size: float
    worth: float
    difference: Interval
    p_songs: float
    p: float
    verdict: str


def sensitivity(
    table: Dataset, predictions: pa.Table, measure: str, unit: str, worth: float, train: Train, resamples: int
) -> Sensitivity | None:
    """Plants an effect, and looks for it.

    Args:
        table: The songs table, of sung durations.
        predictions: Model B's, of the test songs.
        measure: The measure whose verdict is at stake.
        unit: The unit that decides.
        worth: What knowing the singer is to be worth, in this unit, above 0.
        train: See `Train`.
        resamples: Of the bootstrap.

    Returns:
        None where no phrase of a test song has a second note, so that no onset can move.
    """
    if not any(moved(*song).any() for song in zip(*_lists(predictions, "quantized", "rest"), strict=True)):
        return None
    size = size_of(predictions, measure, unit, worth)
    by_arm = runs_by_arm(train(plant(table, size, unit), measure))
    errors = {
        arm: averaged([song_errors(run.predictions, measure=measure, unit=unit) for run in by_arm[arm]])
        for arm in (MODEL, ANONYMOUS)
    }
    test = tests_against(MODEL, errors, resamples)[ANONYMOUS]
    return Sensitivity(size, worth, test.difference, test.p_songs, test.p, verdict(test.difference, test.p, worth))


def size_of(predictions: pa.Table, measure: str, unit: str, worth: float) -> float:
    """Returns by how much onsets have to move for the singer to be worth so much, in a unit.

    Who does not know the singer is off by what the model is off, plus or minus the move; who does is off as before. So
    the singer is worth the mean of |e + a| and |e - a|, minus |e|, for errors `e` and a move `a`.
    """
    lists = _lists(predictions, "quantized", "sung", "predicted", "rest")
    songs = list(zip(*lists, ticks_in(predictions)[unit], strict=True))

    def gained(size: float) -> float:
        gain, count = 0.0, 0
        for quantized, sung, predicted, rest, ticks in songs:
            # Moved onsets change the durations before and after them.
            change = np.diff(moved(quantized, rest), append=0) * size * ticks
            either, plain = (
                [getattr(timing_errors(predicted, sung + by, rest), measure) for by in changes]
                for changes in ((change, -change), (0,))
            )
            gain += (either[0] + either[1] - 2 * plain[0]).sum() / (2 * ticks)
            count += len(plain[0])
        return gain / count

    high = worth
    while gained(high) < worth:
        high *= 2
    return float(brentq(lambda size: gained(size) - worth, 0, high))


def plant(table: Dataset, size: float, unit: str) -> Dataset:
    """Returns the songs with moved onsets: later for every second singer, and earlier for the others.

    Args:
        table: The songs table. Songs whose resolution is not known stay as they are where `unit` is beats.
        size: By how much onsets move.
        unit: `ticks` or `beats`.
    """
    songs = song_arrays(table, range(len(table)))
    ticks = table["ticks_per_beat"] if unit == "beats" else [1] * len(table)
    sign = np.where(np.unique(songs.singer, return_inverse=True)[1] % 2, -1, 1)
    sung, quantized = [], []
    for row, (own, score, rest) in enumerate(zip(songs.sung, songs.quantized, songs.rest, strict=True)):
        at = moved(score, rest)
        # Onsets are whole ticks, and moves may be less than one: some onsets move by a tick more than others.
        by = np.floor(sign[row] * size * (ticks[row] or 0) + np.random.default_rng(row).random(len(own)))
        by[:-1] = np.where(rest[:-1], by[1:], by[:-1])
        times = np.maximum.accumulate(np.append(np.cumsum(own) - own + by * at, own.sum()))
        sung.append(np.diff(times).astype(np.int64))
        quantized.append(quantize(sung[-1], grid_step(score)))
    for name, column in ((SUNG_COLUMN, sung), (QUANTIZED_COLUMN, quantized)):
        table = table.remove_columns(name).add_column(name, [song.tolist() for song in column])
    return table


def moved(quantized: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Returns which onsets of notes and rests are moved, 1 or 0, int64 `(T,)`: every second note's of each phrase.

    Args:
        quantized: `(T,)`, ticks.
        rest: bool `(T,)`.
    """
    note = np.flatnonzero(~rest)
    phrase = np.cumsum(rest & (quantized >= LONG_REST * grid_step(quantized)))[note]
    number = np.arange(len(note)) - np.searchsorted(phrase, phrase)
    found = np.zeros(len(rest), dtype=np.int64)
    found[note] = number % 2
    # A rest within a phrase goes with the note after it.
    found[:-1] = np.where(rest[:-1], found[1:], found[:-1])
    return found


def _lists(predictions: pa.Table, *columns: str) -> list[list[np.ndarray]]:
    return [notes_by_song(predictions, column) for column in columns]
