"""The files behind the page: an uploaded score is read, and its performance written as picture, sound and MIDI file.

Anyone may upload anything, so size and time have limits.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.io import wavfile

from toy_duration_predictor.data.midi.smf import parse
from toy_duration_predictor.data.midi.voice import Voice
from toy_duration_predictor.demo.piano_roll import PianoRoll, piano_roll_html
from toy_duration_predictor.demo.voice import RATE, sing
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.scores.midi import MidiScore, open_midi
from toy_duration_predictor.scores.perform import HumanizeSettings, Sings, perform
from toy_duration_predictor.scores.recordings import read_recording

# A song's file has some ten kB, and some hundred notes.
LARGEST_UPLOAD = 2**20
MOST_EVENTS = 20_000
MOST_SECONDS = 300  # of the picture and the sound; the MIDI file is whole
MOST_BEATS = 5_000


class Song(NamedTuple):
    """A MIDI file that was read."""

    content: bytes
    midi: MidiScore


def read_song(content: bytes) -> Song:
    """Reads a MIDI file of any origin.

    Raises:
        InputError: The file cannot be used, or is larger than a song's.
    """
    if len(content) > LARGEST_UPLOAD:
        raise InputError(f"it has {len(content):,} bytes, and a song at most {LARGEST_UPLOAD:,}")
    tracks = parse(content)
    most = max(map(len, tracks.tracks))
    if most > MOST_EVENTS:
        raise InputError(f"a track has {most:,} events, and a song at most {MOST_EVENTS:,}")
    return Song(content, open_midi(content))


def read_heard(content: bytes) -> dict[str, Any]:
    """Reads a recording to sing like, a MIDI file of any origin; see `read_recording`.

    Raises:
        InputError: As for `read_song`.
    """
    read_song(content)
    return read_recording(content)


def write_performance(
    song: Song, predictor: Predictor, sings: Sings, settings: HumanizeSettings, folder: Path, name: str
) -> tuple[str, Path, Path, Path]:
    """Performs a song and writes its files.

    Args:
        song: The score.
        predictor: The model.
        sings: Who sings.
        settings: See `HumanizeSettings`.
        folder: Where the files go.
        name: The MIDI file's name without its suffix.

    Returns:
        The picture as HTML, the sound of the score, the sound of the performance, and the performance as a MIDI file.

    Raises:
        InputError: As for `perform`.
    """
    times = perform(song.midi.score, predictor, sings, settings)
    content = song.content if np.array_equal(times, song.midi.score.times) else song.midi.write(times)
    result = folder / f"{name}.mid"
    result.write_bytes(content)
    roll, beats = _roll(song, times)
    before, after = folder / "score.wav", folder / "sung.wav"
    for sound, notes in ((before, roll.score), (after, roll.sung)):
        wavfile.write(sound, RATE, sing(notes, roll.pitch, beats))
    return piano_roll_html(roll), before, after, result


def _roll(song: Song, times: np.ndarray) -> tuple[PianoRoll, np.ndarray]:
    """Returns the piano roll of a performance, and its beats, in seconds from the score's first onset."""
    voice, score_times = song.midi.voice, song.midi.score.times
    score, sung = (voice.seconds(each).reshape(-1, 2) for each in (score_times, times))
    begin = score[0, 0]
    # Notes that begin within the first minutes; ends are cut there, too.
    shown = np.maximum(score, sung)[:, 0] < begin + MOST_SECONDS
    bars, beats = (voice.seconds(each) - begin for each in _bars_and_beats(voice, score_times[-1]))
    roll = PianoRoll(
        (score[shown] - begin).clip(max=MOST_SECONDS),
        (sung[shown] - begin).clip(max=MOST_SECONDS),
        voice.pitch[shown],
        [lyric for lyric, is_shown in zip(voice.lyric, shown, strict=True) if is_shown],
        bars[bars <= score[shown, 1].max() - begin],
    )
    return roll, beats[beats >= 0]


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
