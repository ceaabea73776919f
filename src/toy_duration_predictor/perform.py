"""A singer's timing for the notes of a score.

Shapes: `N` notes; see `data.score`.
"""

from typing import NamedTuple

import numpy as np

from toy_duration_predictor.data.quantize import grid_ticks, quantize
from toy_duration_predictor.data.score import Score, fit
from toy_duration_predictor.data.simulate import RESOLUTIONS
from toy_duration_predictor.errors import InputError, did_you_mean
from toy_duration_predictor.predictor import Predictor, Singer

ANCHORS = ("none", "bar", "phrase", "song")


class Performance(NamedTuple):
    """How a score is performed.

    Attributes:
        strength: What the singer's deviations from the score are multiplied with, from 0 to 1.5.
        anchor: Where the singer is back in the score's time: at the first onset of each `bar`; of each `phrase`, after
            a rest of a beat; at the end of the `song`; or at the first note alone, `none`. What has run ahead or fallen
            behind by there is taken from the durations before it, in proportion to their length. Medians do not add up
            to a median: without an anchor, songs drift by half a beat.
        temperature: Draws a performance instead of predicting the median of each duration; see `Predictor.sample`.
        seed: Decides which one is drawn. A seed alone draws at a temperature of 1, a temperature alone with seed 0.
        quantize: Grid to put the score on first, counted from its first onset: a note value such as `1/32`, or `1/8t`
            for triplets. None: the score is on a grid of 1/32 already.
        track: Which track of a MIDI file is the voice, from 0; None is the one with the most notes.
        tempo: Beats a minute, of `.ds` files, which do not say it.
    """

    strength: float = 1.0
    anchor: str = "phrase"
    temperature: float | None = None
    seed: int | None = None
    quantize: str | None = None
    track: int | None = None
    tempo: float | None = None


def check(how: Performance) -> None:
    """Refuses what no score can be performed by.

    Raises:
        InputError: The strength, the anchor or the grid cannot be.
    """
    if not 0 <= how.strength <= 1.5:
        raise InputError(f"strength={how.strength}: give a number from 0, the score as it is, to 1.5.")
    if how.anchor not in ANCHORS:
        raise InputError(f"anchor={how.anchor}: there is no such anchor; {did_you_mean(how.anchor, ANCHORS)}")
    if how.quantize is not None:
        _grid(3 * 256, how)  # a resolution that every grid divides


def sing(durations: np.ndarray, step: float, predictor: Predictor, singer: Singer, how: Performance) -> np.ndarray:
    """Returns sung durations, predicted or drawn, float64 `(T,)`; see `Predictor`."""
    if how.temperature is None and how.seed is None:
        return predictor.predict(durations, singer, step)
    temperature = 1.0 if how.temperature is None else how.temperature
    return predictor.sample(durations, singer, step, temperature=temperature, seed=how.seed or 0)


def perform(score: Score, predictor: Predictor, singer: Singer, how: Performance) -> np.ndarray:
    """Returns when a singer sings the notes of a score, int64 `(2N,)`, ticks; see `Score.times`.

    Models learn from scores of 120, 480 and 960 ticks per beat; any other is shown to them at 480.

    Args:
        score: Its notes.
        predictor: The model.
        singer: See `Predictor`.
        how: See `Performance`.

    Raises:
        InputError: The singer is not known, a setting cannot be, or the model has no distribution to draw from.
    """
    check(how)
    durations: np.ndarray = np.diff(score.times)
    step = score.ticks_per_beat / 8
    if how.quantize is not None:
        step = _grid(score.ticks_per_beat, how)
        durations = quantize(durations, step)
        on_grid = np.concatenate([score.times[:1], score.times[0] + np.cumsum(durations)])
        score = score._replace(times=fit(on_grid, score, np.array([0])))
    scale = 1.0 if score.ticks_per_beat in RESOLUTIONS else 480 / score.ticks_per_beat
    sung = sing(durations * scale, step * scale, predictor, singer, how)
    ahead = np.concatenate([[0], np.cumsum(how.strength * (sung / scale - durations))])
    anchors = _anchors(score, how.anchor)
    ahead -= np.interp(score.times, score.times[anchors], ahead[anchors])
    return fit(score.times + ahead, score, anchors)


def _grid(ticks_per_beat: int, how: Performance) -> int:
    return grid_ticks(ticks_per_beat, str(how.quantize).removeprefix("1/"))


def _anchors(score: Score, anchor: str) -> np.ndarray:
    """Returns at which of the `2N` times the singer is back in the score's time, int64, ascending."""
    last = len(score.times) - 1
    if anchor == "none":
        return np.array([0])
    if anchor == "song":
        return np.array([0, last])
    if anchor == "phrase":
        begins = np.diff(score.times)[1::2] >= score.ticks_per_beat
    elif score.bar is not None:
        begins = np.diff(score.bar) > 0
    else:
        raise InputError("anchor=bar: bars are known of MIDI files only; choose phrase, song or none.")
    return np.array([0, *(2 * np.flatnonzero(begins) + 2), last])
