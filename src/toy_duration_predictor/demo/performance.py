"""The files behind the page: a song's performances, written as sounds and MIDI files, and what the page shows of them.

Shapes: `N` notes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.io import wavfile

from toy_duration_predictor.data.midi.voice import Voice
from toy_duration_predictor.demo.habits import Habits, apart, habits
from toy_duration_predictor.demo.piano_roll import PianoRoll
from toy_duration_predictor.demo.songs import Song
from toy_duration_predictor.demo.uploads import file_stems
from toy_duration_predictor.demo.voice import RATE, sing
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.scores.perform import HumanizeSettings, Sings, perform
from toy_duration_predictor.scores.score import Score

MOST_SECONDS = 300  # of the picture and the sound; the MIDI file is whole
MOST_BEATS = 5_000
# A line on a singer is drawn from so many takes of so many first notes; from fewer takes of songs with many notes.
TAKES, FIRST_NOTES, NOTES_OF_TAKES = 8, 1_000, 3_000


class Drawn(NamedTuple):
    """What a singer does to a song, drawn from the model.

    Attributes:
        habits: In all takes.
        takes: How many takes.
        notes: How many notes; the song's first.
        takes_apart: How far apart the onsets of the first two takes are, milliseconds; None if there is one take.
        expected: float `(N, 2)`, seconds; the model's prediction.
    """

    habits: Habits
    takes: int
    notes: int
    takes_apart: float | None
    expected: np.ndarray


class Lane(NamedTuple):
    """A performance of a song.

    Attributes:
        name: Who sings.
        sung: float `(N, 2)`, seconds; onset and end of each note that is shown.
        midi: The performance as a MIDI file.
        sound: The performance as a WAV file.
        drawn: What the singer does to this song.
    """

    name: str
    sung: np.ndarray
    midi: Path
    sound: Path
    drawn: Drawn


class Performances(NamedTuple):
    """Performances of a song beside its score.

    Attributes:
        roll: The score's notes that are shown.
        sound: The score as a WAV file.
        lanes: The performances.
        seconds: How long the song is.
    """

    roll: PianoRoll
    sound: Path
    lanes: list[Lane]
    seconds: float


def draw(song: Song, predictor: Predictor, sings: Sings, settings: HumanizeSettings) -> Drawn:
    """Draws takes from the model and returns what they have in common. The settings' own seed plays no part.

    Raises:
        InputError: As for `perform`.
    """
    notes = min(len(song.midi.score.times) // 2, FIRST_NOTES)
    first = _beginning(song.midi.score, notes)

    def timed(own: HumanizeSettings) -> np.ndarray:
        return _seconds(song.midi.voice, perform(first, predictor, sings, own))

    score = _seconds(song.midi.voice, first.times)
    expected = timed(HumanizeSettings(settings.strength))
    if settings.temperature is None:
        return Drawn(habits(score, expected[None]), 1, notes, None, expected)
    takes = np.stack([timed(settings._replace(seed=seed)) for seed in range(min(TAKES, NOTES_OF_TAKES // notes))])
    return Drawn(habits(score, takes), len(takes), notes, apart(takes[0], takes[1]), expected)


def write_performances(
    song: Song,
    predictor: Predictor,
    singers: Sequence[tuple[str, Sings, Drawn]],
    settings: HumanizeSettings,
    folder: Path,
    name: Path,
) -> Performances:
    """Performs a song and writes its files.

    Args:
        song: The score.
        predictor: The model.
        singers: Who sings: a name, the singer, and what they do.
        settings: See `HumanizeSettings`.
        folder: Where the files go.
        name: The name of the song's file, from which the others have theirs.

    Raises:
        InputError: As for `perform`.
    """
    times = [perform(song.midi.score, predictor, sings, settings) for _, sings, _ in singers]
    voice = song.midi.voice
    score, *sung = (_seconds(voice, each) for each in (song.midi.score.times, *times))
    begin = score[0, 0]
    # Notes that begin within the first minutes; ends are cut there, too.
    shown = np.max([each[:, 0] for each in (score, *sung)], axis=0) < begin + MOST_SECONDS
    score, *sung = ((each[shown] - begin).clip(max=MOST_SECONDS) for each in (score, *sung))
    end = max(each[-1, 1] for each in (score, *sung))
    bars, beats = (voice.seconds(each) - begin for each in _bars_and_beats(voice, song.midi.score.times[-1]))
    pitch = voice.pitch[shown]

    def sound(notes: np.ndarray, of: str) -> Path:
        place = folder / f"{name.stem} - {of}.wav"
        wavfile.write(place, RATE, sing(notes, pitch, beats[(beats >= 0) & (beats <= end)]))
        return place

    lanes = []
    stems = file_stems((who for who, _, _ in singers), ["score"])
    for (who, _, drawn), stem, own, notes in zip(singers, stems, times, sung, strict=True):
        midi = folder / f"{name.stem} - {stem}{name.suffix}"
        midi.write_bytes(song.sung(own))
        lanes.append(Lane(who, notes, midi, sound(notes, stem), drawn))
    roll = PianoRoll(
        score,
        pitch,
        [lyric for lyric, is_shown in zip(voice.lyric, shown, strict=True) if is_shown],
        bars[(bars >= 0) & (bars < end)],
        1 + int((bars < 0).sum()),
        float(end),
    )
    return Performances(roll, sound(score, "score"), lanes, float(voice.seconds(song.midi.score.times[-1]) - begin))


def _beginning(score: Score, notes: int) -> Score:
    """Returns the first notes of a score."""
    return score._replace(
        times=score.times[: 2 * notes],
        least=score.least[: 2 * notes - 1],
        goes_on=None if score.goes_on is None else score.goes_on[:notes],
    )


def _seconds(voice: Voice, times: np.ndarray) -> np.ndarray:
    """Returns onsets and ends, float `(N, 2)`, in seconds from the beginning of the file."""
    return voice.seconds(times).reshape(-1, 2)


def _bars_and_beats(voice: Voice, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ticks at which bars and beats begin, up to the last tick. At most `MOST_BEATS` a time signature."""
    bars, beats = [], []
    for (since, count, value), until in zip(voice.metres, np.append(voice.metres[1:, 0], last), strict=True):
        beat = 4 * voice.ticks_per_beat / value
        # A file may have beats far shorter than a tick, or last for days.
        number = min(max((min(until, last) - since) / beat, 0), MOST_BEATS)
        beats.append(since + beat * np.arange(np.ceil(number)))
        bars.append(beats[-1][:: max(count, 1)])
    return np.concatenate(bars), np.concatenate(beats)
