"""A singer's timing for the notes of a score.

Shapes: `N` notes, `T` = `2N - 1` durations of notes and rests; see `scores.score`.
"""

from typing import NamedTuple

import numpy as np

from toy_duration_predictor.data.quantize import grid_ticks, quantize
from toy_duration_predictor.data.simulate import RESOLUTIONS
from toy_duration_predictor.errors import InputError, did_you_mean
from toy_duration_predictor.inference.predictor import Predictor, Singer
from toy_duration_predictor.scores.score import Score, fit

ANCHORS = ("none", "bar", "phrase", "song")


class HumanizeSettings(NamedTuple):
    """Settings of a performance, and of how its score is read.

    Attributes:
        strength: Factor of the singer's deviations from the score, from 0 to 1.5.
        anchor: Where the singer is back in the score's time: at the first onset of each `bar`; at the first onset of
            each `phrase`, which is one after a rest of a beat or more; at the end of the `song`; or nowhere but at the
            first note, `none`. The time that was gained or lost before an anchor is given back evenly between it and
            the anchor before. Without anchors songs drift by half a beat, because medians do not add up to the median
            of their sum.
        temperature: Samples a performance instead of predicting the median of each duration; see `Predictor.sample`.
        seed: Of the sample. A seed alone samples at a temperature of 1, a temperature alone with seed 0.
        quantize: The grid that the score is quantized to first, counted from its first onset: a note value such as
            `1/32`, or `1/8t` for triplets. None: the score is on a grid of 1/32 already.
        track: The track of a MIDI file that is the voice, from 0; None is the one with the most notes.
        tempo: Beats a minute. Only `.ds` files need it, because they do not say it.
    """

    strength: float = 1.0
    anchor: str = "phrase"
    temperature: float | None = None
    seed: int | None = None
    quantize: str | None = None
    track: int | None = None
    tempo: float | None = None

    def validate(self) -> None:
        """Refuses values that are wrong whatever the score and the model are.

        Raises:
            InputError: The strength is out of range, or there is no such anchor or grid.
        """
        if not 0 <= self.strength <= 1.5:
            raise InputError(f"strength={self.strength}: give a number from 0, the score as it is, to 1.5.")
        if self.anchor not in ANCHORS:
            raise InputError(f"anchor={self.anchor}: there is no such anchor; {did_you_mean(self.anchor, ANCHORS)}")
        if self.quantize is not None:
            self.grid_step(3 * 256)  # every grid divides this resolution, so only an unknown grid is refused

    def grid_step(self, ticks_per_beat: int) -> int:
        """Returns the ticks of a step of the grid `quantize`; see `grid_ticks`."""
        return grid_ticks(ticks_per_beat, str(self.quantize).removeprefix("1/"))


def predict_or_sample(
    quantized: np.ndarray, step: float, predictor: Predictor, singer: Singer, settings: HumanizeSettings
) -> np.ndarray:
    """Returns sung durations, float64 `(T,)`: a sample where the settings name a temperature or a seed."""
    if settings.temperature is None and settings.seed is None:
        return predictor.predict(quantized, singer, step)
    temperature = 1.0 if settings.temperature is None else settings.temperature
    return predictor.sample(quantized, singer, step, temperature=temperature, seed=settings.seed or 0)


def perform(score: Score, predictor: Predictor, singer: Singer, settings: HumanizeSettings) -> np.ndarray:
    """Returns the onsets and ends of a score's notes as a singer sings them, int64 `(2N,)`, ticks; see `Score.times`.

    Args:
        score: The notes.
        predictor: The model.
        singer: See `Predictor`.
        settings: See `HumanizeSettings`.

    Raises:
        InputError: The singer is not known, a setting is out of range, or the model has no distribution to sample from.
    """
    settings.validate()
    quantized: np.ndarray = np.diff(score.times)
    step = score.ticks_per_beat / 8
    if settings.quantize is not None:
        step = settings.grid_step(score.ticks_per_beat)
        quantized = quantize(quantized, step)
        on_grid = np.concatenate([score.times[:1], score.times[0] + np.cumsum(quantized)])
        # The grid may leave a note no ticks. The score's own times keep its least; the model is given the grid's 0.
        score = score._replace(times=fit(on_grid, score, np.array([0])))
    # Models learn from scores of 120, 480 and 960 ticks per beat; they are given any other score at 480.
    scale = 1.0 if score.ticks_per_beat in RESOLUTIONS else 480 / score.ticks_per_beat
    sung = predict_or_sample(quantized * scale, step * scale, predictor, singer, settings)
    # How many ticks later than in the score each onset and end is sung.
    late = np.concatenate([[0], np.cumsum(settings.strength * (sung / scale - quantized))])
    anchors = _anchors(score, settings.anchor)
    # What is left at the anchors is taken away, in proportion to the score's time between them.
    late -= np.interp(score.times, score.times[anchors], late[anchors])
    return fit(score.times + late, score, anchors)


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
    # `begins` is about the second note and later ones, whose onsets are the times 2, 4, ...
    return np.array([0, *(2 * np.flatnonzero(begins) + 2), last])
