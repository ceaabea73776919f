"""Simulated songs, by singers of known style: a ground truth that real songs do not have.

A score is a row of phrases on a grid of 1/32. A singer turns it into a performance by five parameters (`Style`). The
quantized durations are that performance on the grid, exactly as with real songs. The constants below were set so that
note lengths, rests and copy error resemble 160 real performances; `tdp audit simulated` and `tdp audit` of a table of
real songs print both.
"""

from typing import Literal, NamedTuple

import numpy as np
from datasets import Dataset

from toy_duration_predictor.data.quantize import grid_ticks, quantize
from toy_duration_predictor.data.schema import QUANTIZED_COLUMN, RESOLUTIONS, SUNG_COLUMN

SINGERS = 18

# The share of the songs that have each of `RESOLUTIONS`.
RESOLUTION_SHARES = (0.5, 0.42, 0.08)

# Written lengths in 1/32 notes, and how often they occur.
LENGTHS = np.array([1, 2, 3, 4, 5, 6, 8, 10, 12, 16])
LENGTH_SHARES = np.array([0.03, 0.30, 0.20, 0.23, 0.08, 0.05, 0.06, 0.02, 0.02, 0.01])
PHRASE_FINAL_LENGTHS = np.array([4, 6, 8, 12, 16, 24])
BREATH_LENGTHS = np.array([4, 6, 8, 12, 16, 24, 32, 64, 128])
BREATH_SHARES = np.array([0.27, 0.2, 0.15, 0.12, 0.09, 0.07, 0.06, 0.03, 0.01])

# How far the rest after a legato note varies, as the standard deviation of its logarithm.
ARTICULATION_SPREAD = 0.7


class Style(NamedTuple):
    """How a singer departs from the score.

    Attributes:
        articulation: The share of a note that becomes the rest after it; the median over notes.
        phrase_final: Factor on the length of a phrase's last note; 1.1 lengthens it by a tenth.
        unevenness: Beats that the first of two equal neighbours takes from the second, per beat of length. Below 0 the
            second takes them.
        bias: Beats by which onsets come after the score's, a phrase's first onset excepted. Below 0 they come before.
        spread: Standard deviation of the onsets about all this, in beats.
    """

    articulation: float
    phrase_final: float
    unevenness: float
    bias: float
    spread: float


MEAN_STYLE = Style(articulation=0.055, phrase_final=1.10, unevenness=0.03, bias=0.01, spread=0.04)
# Standard deviation over singers, at `singer_effect` 1; articulation and spread vary in their logarithm.
STYLE_SPREAD = Style(articulation=0.6, phrase_final=0.10, unevenness=0.08, bias=0.03, spread=0.25)


def singer_styles(seed: int, singer_effect: float) -> list[Style]:
    """Returns the styles of the 18 singers.

    Args:
        seed: Decides the styles.
        singer_effect: Scales how far singers lie from `MEAN_STYLE`; 0 makes all of them the same person.
    """
    sampled = np.random.default_rng([seed, 0]).standard_normal((SINGERS, len(MEAN_STYLE))).clip(-2, 2)
    offsets = singer_effect * sampled * np.array(STYLE_SPREAD)
    mean = np.array(MEAN_STYLE)
    values = mean + offsets
    for column in (Style._fields.index("articulation"), Style._fields.index("spread")):
        values[:, column] = mean[column] * np.exp(offsets[:, column])
    return [Style(*map(float, row)) for row in values]


def simulate_songs(
    songs: int = 252, seed: int = 0, singer_effect: float = 1.0, against: Literal["quantized", "score"] = "quantized"
) -> Dataset:
    """Makes a songs table of simulated performances.

    Two different singers sing every score, so that a split by row and a split by song differ.

    Args:
        songs: Rows of the table. Singers take turns.
        seed: Decides scores, styles and performances; the same seed gives the same table.
        singer_effect: See `singer_styles`.
        against: What `quantized_durations` are: the performance on a grid of 1/32 with the error carried forward, or
            the score that was sung. A score has rests at the ends of phrases only; other rests have 0 ticks there.

    Returns:
        A table with `song_id`, `singer_id` (1..18), `ticks_per_beat`, `tempo`, `pitch`, `durations` and
        `quantized_durations`.

    >>> songs = simulate_songs(2)
    >>> songs["singer_id"][:], songs["song_id"][:]
    ([1, 2], ['simulated-00000', 'simulated-00000'])
    """
    styles = singer_styles(seed, singer_effect)
    rows = []
    for row in range(songs):
        singer = row % SINGERS
        score = row // 2
        # A generator for each score and one for each row: more songs leave the first songs as they are.
        lengths, rests, pitch = _score(np.random.default_rng([seed, 1, score]))
        rng = np.random.default_rng([seed, 2, row])
        beats = _perform(lengths, rests, styles[singer], rng)
        ticks_per_beat = int(rng.choice(RESOLUTIONS, p=RESOLUTION_SHARES))
        sung = _to_ticks(beats, ticks_per_beat)
        step = grid_ticks(ticks_per_beat)
        written = _written(lengths, rests, step) if against == "score" else quantize(sung, step)
        rows.append(
            {
                "song_id": f"simulated-{score:05d}",
                "singer_id": singer + 1,
                "ticks_per_beat": ticks_per_beat,
                "tempo": 500_000,
                "pitch": pitch,
                SUNG_COLUMN: sung,
                QUANTIZED_COLUMN: written,
            }
        )
    return Dataset.from_dict({column: [row[column] for row in rows] for column in rows[0]})


def _score(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Makes a score of `N` notes.

    Returns:
        Lengths from one onset to the next, in beats, float `(N,)`. The written rest after each note, in beats, float
        `(N,)`, above 0 at ends of phrases only. And the pitches of notes and rests in turn, `(2N - 1,)`.
    """
    phrases = rng.integers(13, 22)
    counts = rng.integers(5, 12, size=phrases)
    notes = int(counts.sum())
    last = np.cumsum(counts) - 1
    # Rhythms repeat: half of the notes have the length of the note one pattern before.
    lengths = rng.choice(LENGTHS, size=notes, p=LENGTH_SHARES)
    pattern = int(rng.integers(4, 9))
    for i in np.flatnonzero(rng.random(notes) < 0.5):
        if i >= pattern:
            lengths[i] = lengths[i - pattern]
    lengths[last] = rng.choice(PHRASE_FINAL_LENGTHS, size=phrases)
    rests = np.zeros(notes)
    rests[last] = rng.choice(BREATH_LENGTHS, size=phrases, p=BREATH_SHARES) / 8
    rests[-1] = 0  # a song ends with a note
    pitch = np.zeros(2 * notes - 1, dtype=np.int64)
    pitch[::2] = 60 + np.clip(np.cumsum(rng.integers(-3, 4, size=notes)), -12, 12)
    return lengths / 8 + rests, rests, pitch


def _perform(lengths: np.ndarray, rests: np.ndarray, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Sings a score.

    Args:
        lengths: Beats from each onset to the next, `(N,)`.
        rests: Beats of written rest within these, `(N,)`.
        style: The singer's style.
        rng: The source of everything that varies from one performance to the next.

    Returns:
        Sung durations of note, rest, note, ... in beats, float `(2N - 1,)`.
    """
    notes = len(lengths)
    ends_phrase = rests > 0
    starts_phrase = np.concatenate([[True], ends_phrase[:-1]])
    onsets = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])

    # A run of equal notes is paired from its beginning; no note is in two pairs.
    first_of_pair = np.zeros(notes, dtype=bool)
    equal = (lengths[:-1] == lengths[1:]) & ~ends_phrase[1:]
    for i in np.flatnonzero(equal):
        first_of_pair[i] = not (i and first_of_pair[i - 1])
    shift = np.where(starts_phrase, 0.0, style.bias) + rng.normal(0, style.spread, notes)
    shift[1:] += np.where(first_of_pair[:-1], style.unevenness * lengths[:-1], 0.0)
    until_next = np.diff(np.append(onsets + shift, onsets[-1] + lengths[-1]))
    until_next = np.maximum(until_next, 0.05)  # onsets that pass each other are put right

    # The rest after a note: what articulation takes from a note within a phrase, at most half of it; and at the end of
    # a phrase what the lengthened note leaves of the written rest.
    gap = until_next * style.articulation * np.exp(rng.normal(0, ARTICULATION_SPREAD, notes))
    lengthened = (until_next - rests) * style.phrase_final
    gap = np.where(ends_phrase, np.maximum(until_next - lengthened, 0.05), np.minimum(gap, 0.5 * until_next))
    sung = np.empty(2 * notes - 1)
    sung[::2] = until_next - gap
    sung[1::2] = gap[:-1]
    return sung


def _written(lengths: np.ndarray, rests: np.ndarray, step: int) -> np.ndarray:
    """Returns the score's durations of note, rest, note, ... in ticks, int64 `(2N - 1,)`; see `_perform`."""
    written = np.empty(2 * len(lengths) - 1)
    written[::2], written[1::2] = lengths - rests, rests[:-1]
    return np.rint(written * 8).astype(np.int64) * step  # lengths are whole grid steps, eight a beat


def _to_ticks(beats: np.ndarray, ticks_per_beat: int) -> np.ndarray:
    """Rounds the points in time, not the durations, so that no error accumulates; no duration is below 1 tick."""
    times = np.rint(np.cumsum(beats) * ticks_per_beat).astype(np.int64)
    sung: np.ndarray = np.maximum(np.diff(times, prepend=0), 1)
    return sung
