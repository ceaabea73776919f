"""A score's file in; its performance to see, to hear and to take away, out. Bounded in size and time."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.io import wavfile

from toy_duration_predictor.data.midi import Voice
from toy_duration_predictor.data.score import Score, move, read_score
from toy_duration_predictor.data.smf import Tracks, parse, replace_track
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.perform import Performance, perform
from toy_duration_predictor.piano_roll import Roll, draw
from toy_duration_predictor.predictor import Predictor, Singer
from toy_duration_predictor.synthesis import RATE, sing

# A song's file has some ten kB, and some hundred notes.
LARGEST_UPLOAD = 2**20
MOST_EVENTS = 20_000
MOST_SECONDS = 300  # what is drawn and sung; the file to take away is whole
MOST_BEATS = 5_000


class Song(NamedTuple):
    """A file, and what is to be known of its voice."""

    content: bytes
    tracks: Tracks
    track: int
    score: Score
    voice: Voice


def read_song(content: bytes) -> Song:
    """Reads a MIDI file of any origin.

    Raises:
        InputError: It cannot be used, or is larger than a song.
    """
    if len(content) > LARGEST_UPLOAD:
        raise InputError(f"it has {len(content):,} bytes, and a song at most {LARGEST_UPLOAD:,}")
    tracks = parse(content)
    events = max(map(len, tracks.tracks))
    if events > MOST_EVENTS:
        raise InputError(f"a track has {events:,} events, and a song at most {MOST_EVENTS:,}")
    score, voice, track = read_score(tracks)
    return Song(content, tracks, track, score, voice)


def write_performance(
    song: Song, predictor: Predictor, singer: Singer, how: Performance, folder: Path, name: str
) -> tuple[str, Path, Path, Path]:
    """Performs a song.

    Args:
        song: What is sung.
        predictor: The model.
        singer: See `Predictor`.
        how: See `Performance`.
        folder: Where the files go.
        name: Of the MIDI file, without its suffix.

    Returns:
        A picture, as HTML; and the files of the score's sound, the performance's, and the performance.

    Raises:
        InputError: As of `perform`.
    """
    times = perform(song.score, predictor, singer, how)
    content = song.content
    if (times != song.score.times).any():
        content = replace_track(content, song.track, move(song.tracks.tracks[song.track], song.score.times, times))
    result = folder / f"{name}.mid"
    result.write_bytes(content)
    roll, beats = _roll(song, times)
    before, after = folder / "score.wav", folder / "sung.wav"
    for sound, notes in ((before, roll.score), (after, roll.sung)):
        wavfile.write(sound, RATE, sing(notes, roll.pitch, beats))
    return draw(roll), before, after, result


def _roll(song: Song, times: np.ndarray) -> tuple[Roll, np.ndarray]:
    """Returns what is to be drawn of a performance, and the beats, in seconds from its first note."""
    voice = song.voice
    score, sung = (voice.seconds(each).reshape(-1, 2) for each in (song.score.times, times))
    begin = score[0, 0]
    shown = np.maximum(score, sung)[:, 0] < begin + MOST_SECONDS
    bars, beats = (voice.seconds(each) - begin for each in _bars_and_beats(voice, song.score.times[-1]))
    roll = Roll(
        (score[shown] - begin).clip(max=MOST_SECONDS),
        (sung[shown] - begin).clip(max=MOST_SECONDS),
        voice.pitch[shown],
        [lyric for lyric, is_shown in zip(voice.lyric, shown, strict=True) if is_shown],
        bars[bars <= score[shown, 1].max() - begin],
    )
    return roll, beats[beats >= 0]


def _bars_and_beats(voice: Voice, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns where bars and beats begin, in ticks, up to the last tick."""
    bars, beats = [], []
    for (since, count, value), until in zip(voice.metres, np.append(voice.metres[1:, 0], last), strict=True):
        beat = 4 * voice.ticks_per_beat / value
        number = min(max((min(until, last) - since) / beat, 0), MOST_BEATS)
        beats.append(since + beat * np.arange(np.ceil(number)))
        bars.append(beats[-1][:: max(count, 1)])
    return np.concatenate(bars), np.concatenate(beats)
