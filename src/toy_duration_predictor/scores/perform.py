"""A singer's timing for the notes of a score.

Shapes: `N` notes, `n` of them sung already, `T` = `2N - 1` durations of notes and rests; see `scores.score`.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from toy_duration_predictor.data.midi.encodings import checked_encoding
from toy_duration_predictor.data.midi.voices import checked_number
from toy_duration_predictor.data.quantize import ANY_GRID, grid_ticks, quantize
from toy_duration_predictor.data.schema import RESOLUTIONS
from toy_duration_predictor.data.singers import Singer
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.inputs import check_sampling
from toy_duration_predictor.scores.score import Score, fit

# Only for the types: they bring torch along, and wrong settings are to be refused at once.
if TYPE_CHECKING:
    from toy_duration_predictor.inference.predictor import Predictor
    from toy_duration_predictor.inference.references import Like


class Sings(NamedTuple):
    """Who sings; see `Predictor`, whose arguments these are. Nobody in particular if all are None.

    Attributes:
        singer: A trained singer, or a mixture.
        like: Songs to sing like.
        began: A recording of the score's first notes, after which the performance goes on as it began.
    """

    singer: Singer | None = None
    like: "Like | None" = None
    began: Score | None = None


class HumanizeSettings(NamedTuple):
    """Settings of a performance, and of how its score is read.

    Attributes:
        strength: Factor of how late each onset and end is, from 0 to 1.5. With 1, networks with a distribution keep
            all of them within half a grid step of where the score has them, however long the song is. The step is the
            model's, 1/32 by default.
        temperature: Samples a performance instead of predicting the least expected error; see `Predictor.sample`.
        seed: Of the sample. A seed alone samples at a temperature of 1, a temperature alone with seed 0.
        quantize: The grid that the score is quantized to first, counted from its first onset: a note value such as
            `1/32`, or `1/8t` for triplets. None: the score is on a grid already.
        legato: Whether all notes that touch in the score still touch. Otherwise notes of a MIDI file do where a lyric
            goes on; where the next one has a lyric of its own, a singer may leave a rest.
        tempo: Beats a minute of `.ds` files, which do not say it; None guesses it from the durations of their notes.
        track: See `midi.Reading`, as for the settings after it.
        encoding: See there.
        begin: See there.
        end: See there.
        polyphonic: See there.
    """

    strength: float = 1.0
    temperature: float | None = None
    seed: int | None = None
    quantize: str | None = None
    legato: bool = False
    tempo: float | None = None
    track: int | str | None = None
    encoding: str | None = None
    begin: str = ""
    end: str = ""
    polyphonic: bool = False

    def validate(self) -> None:
        """Refuses values that are wrong whatever the score and the model are.

        Raises:
            InputError: A number is out of range, or there is no such grid or encoding, or no track can be so named.
        """
        if not 0 <= self.strength <= 1.5:
            raise InputError(f"strength={self.strength}: give a number from 0, the score as it is, to 1.5.")
        check_sampling(1.0 if self.temperature is None else self.temperature, self.seed or 0)
        if self.tempo is not None and not 10 <= self.tempo <= 1000:
            raise InputError(f"tempo={self.tempo:g}: give beats a minute, from 10 to 1000.")
        if self.quantize is not None:
            self.grid_step(ANY_GRID)  # so only an unknown grid is refused
        checked_number(self.track)
        checked_encoding(self.encoding)

    def grid_step(self, ticks_per_beat: int) -> int:
        """Returns the ticks of a step of the grid `quantize`; see `grid_ticks`."""
        return grid_ticks(ticks_per_beat, str(self.quantize).removeprefix("1/"))


def predict_or_sample(
    predictor: "Predictor", settings: HumanizeSettings, quantized: np.ndarray, step: float, **known: Any
) -> np.ndarray:
    """Returns sung durations, float64 `(T,)`: a sample where the settings name a temperature or a seed."""
    if settings.temperature is None and settings.seed is None:
        return predictor.predict(quantized, step=step, **known)
    temperature = 1.0 if settings.temperature is None else settings.temperature
    return predictor.sample(quantized, step=step, temperature=temperature, seed=settings.seed or 0, **known)


def perform(score: Score, predictor: "Predictor", sings: Sings, settings: HumanizeSettings) -> np.ndarray:
    """Returns the onsets and ends of a score's notes as a singer sings them, int64 `(2N,)`, ticks; see `Score.times`.

    Args:
        score: The notes.
        predictor: The model.
        sings: Who sings. What they have sung already stays as it is, counted from the score's first onset.
        settings: See `HumanizeSettings`.

    Raises:
        InputError: The singer is not known, the beginning is not that of this score, a setting is out of range, or the
            model has no distribution to sample from; or as for `Predictor.predict`.
    """
    settings.validate()
    quantized: np.ndarray = np.diff(score.times)
    # On whatever grid the score is, the step is that on which the model learned.
    step = score.ticks_per_beat * predictor.step_beats
    if settings.quantize is not None:
        quantized = quantize(quantized, settings.grid_step(score.ticks_per_beat))
        on_grid = np.concatenate([score.times[:1], score.times[0] + np.cumsum(quantized)])
        # The grid may leave a note no ticks. The score's own times keep its least; the model is given the grid's 0.
        score = score._replace(times=fit(on_grid, score))
    # Models learn from scores of 120, 480 and 960 ticks per beat; they are given any other score at 480.
    scale = 1.0 if score.ticks_per_beat in RESOLUTIONS else 480 / score.ticks_per_beat
    began = None if sings.began is None else beginning(score, sings.began)
    sung = predict_or_sample(
        predictor,
        settings,
        quantized * scale,
        step * scale,
        rest=np.arange(len(quantized)) % 2 == 1,
        singer=sings.singer,
        like=sings.like,
        began=None if began is None else began * scale,
    )
    # How many ticks later than in the score each onset and end is sung.
    late = np.concatenate([[0], np.cumsum(sung / scale - quantized)])
    first = 1 + (0 if began is None else len(began))
    late[first:] *= settings.strength
    sung = score.times + late
    ends = np.flatnonzero(touching(score, settings.legato)) * 2 + 1
    ends = ends[ends >= first]
    sung[ends] = sung[ends + 1]
    return fit(sung, score)


def touching(score: Score, legato: bool) -> np.ndarray:
    """Returns which notes last until the next one begins, whoever sings, bool `(N - 1,)`.

    Args:
        score: The notes.
        legato: Whether all notes do that touch in the score, or only those whose lyric goes on.
    """
    touch: np.ndarray = score.times[1:-1:2] == score.times[2::2]
    if legato:
        return touch
    return touch & (False if score.goes_on is None else score.goes_on[1:])


def beginning(score: Score, began: Score) -> np.ndarray:
    """Returns a recording of a score's first notes as sung durations, float64 `(2n - 1,)`, in the score's ticks.

    Raises:
        InputError: It has more notes than the score, another pitch somewhere, or pitches are not known.
    """
    if score.pitch is None or began.pitch is None:
        raise InputError("a recording of a beginning needs a score and a recording with pitches, which .ds files lack")
    notes = len(began.pitch)
    if notes > len(score.pitch):
        raise InputError(
            f"it has {len(score.pitch)} notes, and the recording of its beginning {notes}; give a recording of the "
            f"score's first notes"
        )
    other = np.flatnonzero(began.pitch != score.pitch[:notes])
    if len(other):
        i = other[0]
        raise InputError(
            f"note {i} has pitch {score.pitch[i]}, and in the recording of the beginning {began.pitch[i]}; give a "
            f"recording of the score's first notes"
        )
    in_beats: np.ndarray = np.diff(began.times) / began.ticks_per_beat
    return in_beats * score.ticks_per_beat
