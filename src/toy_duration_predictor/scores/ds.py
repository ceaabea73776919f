"""DiffSinger's `.ds` files: a JSON list of segments, or one segment. Numbers are strings with spaces between them.

`note_seq` has names of notes, or `rest`. `note_dur` has their durations in seconds, without gaps. `note_slur` says
which notes continue the word of the note before. A word begins with its vowel, at a note's onset. `ph_dur` has the
durations of phonemes. Older files have the durations of words, too, in `word_dur`. Curves such as `f0_seq` and `energy`
have a value every `f0_timestep` and `energy_timestep` seconds; `spk_mix` has such a curve for each speaker. See https://github.com/openvpi/DiffSinger,
`inference/ds_variance.py`.

Where notes move, phonemes, words and curves are stretched along with them: the phonemes of a word still last as long as
its notes. Everything else stays as it is.

Shapes: `R` notes and rests of a segment.
"""

import json
from typing import Any

import numpy as np

from toy_duration_predictor.errors import InputError
from toy_duration_predictor.scores.rows import to_durations, to_score
from toy_duration_predictor.scores.score import Opened, Score
from toy_duration_predictor.scores.tempo import guess_tempo

# Seconds become ticks of this resolution. Every grid divides it, and rounding loses half a microsecond at most.
TICKS_PER_BEAT = 960_000
# The least seconds of notes and rests, about two frames. Rests need them for the consonants before the next vowel.
LEAST_SECONDS = 0.02


def open_ds(content: bytes, tempo: float | None) -> Opened:
    """Reads a file. Each segment is a voice of its own, whose score begins with its first note.

    Args:
        content: The file.
        tempo: Beats a minute, which these files do not say; None guesses it from the durations of notes.

    Raises:
        InputError: It cannot be used; the message says why.
    """
    if tempo is not None and not 10 <= tempo <= 1000:
        raise InputError(f"the tempo {tempo:g} is none; give beats a minute from 10 to 1000")
    try:
        given = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"it is no JSON ({error})") from error
    segments = [given] if isinstance(given, dict) else given
    if not isinstance(segments, list) or not all(isinstance(segment, dict) for segment in segments):
        raise InputError("it is no list of segments")
    # Of each segment with notes: its number, the seconds of its notes and rests, and which are rests.
    durations: list[tuple[int, np.ndarray, np.ndarray]] = []
    for i, segment in enumerate(segments):
        seconds = _numbers(segment, "note_dur", i)
        names = str(segment.get("note_seq", "")).split()
        if len(names) != len(seconds):
            raise InputError(f"segment {i} has {len(names)} notes in note_seq and {len(seconds)} in note_dur")
        rest = np.array([name.lower() == "rest" for name in names], dtype=bool)
        if not rest.all():
            durations.append((i, seconds, rest))
    if not durations:
        raise InputError("it has no notes")

    remarks: tuple[str, ...] = ()
    if tempo is None:
        tempo = guess_tempo(np.concatenate([seconds[~rest] for _, seconds, rest in durations]))
        if tempo is None:
            raise InputError("its tempo does not follow from its notes; give it by --tempo, in beats a minute")
        remarks = (f"its notes are at {tempo:g} beats a minute, by their durations; --tempo says another tempo",)
    ticks_per_second = tempo / 60 * TICKS_PER_BEAT
    # Of each segment with notes: its number, its score, the ticks of its notes and rests, and which are rests.
    read: list[tuple[int, Score, np.ndarray, np.ndarray]] = []
    for i, seconds, rest in durations:
        # The ends are rounded, not the durations, so that rounding errors do not add up.
        ticks = np.diff(np.rint(np.cumsum(seconds) * ticks_per_second).astype(np.int64), prepend=0)
        least = np.minimum(ticks, round(LEAST_SECONDS * ticks_per_second))
        read.append((i, to_score(ticks, rest, least, TICKS_PER_BEAT), ticks, rest))

    def write(times: list[np.ndarray]) -> bytes:
        changed = list(segments)
        for (i, score, ticks, rest), moved in zip(read, times, strict=True):
            if (moved != score.times).any():
                new = to_durations(moved, score, ticks, rest)
                old_ends, new_ends = (np.cumsum(each) / ticks_per_second for each in (ticks, new))
                changed[i] = _stretched(segments[i], i, old_ends, new_ends)
        whole = changed[0] if isinstance(given, dict) else changed
        return (json.dumps(whole, ensure_ascii=False, indent=2) + "\n").encode()

    return Opened([score for _, score, _, _ in read], write, remarks)


def _stretched(segment: dict[str, Any], number: int, old: np.ndarray, new: np.ndarray) -> dict[str, Any]:
    """Returns a segment with its notes, phonemes, words and curves moved.

    Args:
        segment: The segment.
        number: Its number in the file, for messages.
        old: float64 `(R,)`, seconds; the ends of its notes and rests.
        new: float64 `(R,)`, seconds; the ends that they move to.
    """
    old, new = (np.concatenate([[0.0], each]) for each in (old, new))

    def moved(times: np.ndarray) -> np.ndarray:
        # Phonemes may last longer than the notes; what is beyond the last note keeps its length.
        beyond: np.ndarray = np.interp(times, old, new) + np.maximum(times - old[-1], 0)
        return beyond

    changed: dict[str, Any] = {}
    for name in ("note_dur", "ph_dur", "word_dur"):
        if segment.get(name):
            ends = moved(np.cumsum(_numbers(segment, name, number)))
            changed[name] = _text(np.diff(ends.round(6), prepend=0).round(6))
    # Each curve has a key for its time step, such as `f0_timestep`. Its values are in `f0_seq`, or by the name alone.
    for key in segment:
        curve = key.removesuffix("_timestep")
        name = f"{curve}_seq" if f"{curve}_seq" in segment else curve
        values = segment.get(name)
        if key == curve or not values or not isinstance(values, (str, dict)):
            continue
        apart = float(_numbers(segment, key, number)[0])
        if apart > 0 and isinstance(values, str):
            changed[name] = _curve(values, apart, old, new)
        elif apart > 0 and isinstance(values, dict):
            # Curves by their speakers, or one share for the whole segment.
            changed[name] = {of: _curve(each, apart, old, new) for of, each in values.items()}
    return {**segment, **changed}


def _curve(text: Any, apart: float, old: np.ndarray, new: np.ndarray) -> Any:
    """Returns the values of a curve, a value every `apart` seconds, moved as the notes are. One value is no curve."""
    values = text.split() if isinstance(text, str) else []
    if len(values) < 2:
        return text
    length = max(1, len(values) + round(float(new[-1] - old[-1]) / apart))
    at = np.arange(length) * apart
    # Where each value of the new curve lies in the old one; the nearest old value is taken.
    was = np.interp(at, new, old) + np.maximum(at - new[-1], 0)
    return " ".join(values[i] for i in np.rint(was / apart).astype(int).clip(max=len(values) - 1))


def _numbers(segment: dict[str, Any], name: str, number: int) -> np.ndarray:
    """Returns the numbers of a segment's string, float64, not negative."""
    if not segment.get(name):
        raise InputError(f"segment {number} has no {name}")
    try:
        values = np.array(str(segment[name]).split(), dtype=np.float64)
    except ValueError as error:
        raise InputError(f"segment {number}: its {name} are not all numbers") from error
    if not ((values >= 0) & (values < 1e6)).all():
        raise InputError(f"segment {number}: its {name} are not all from 0 to 1,000,000")
    return values


def _text(values: np.ndarray) -> str:
    return " ".join(f"{value:.6f}".rstrip("0").rstrip(".") for value in values)
