"""What a singer does to a song, in figures and in words.

Shapes: `N` notes, `K` takes.
"""

from typing import NamedTuple

import numpy as np

# A phrase ends before a rest of at least as long. The annotators of real songs left shorter ones between notes.
PHRASE_REST = 0.3  # seconds
# Two phrase ends tell more of a singer than of one note.
FEWEST_PHRASE_ENDS = 2


class Habits(NamedTuple):
    """Medians over all notes of all takes.

    Attributes:
        late: How much later than written notes begin, milliseconds.
        sounded: Which share of its written length a note sounds.
        held: How much longer than written the last notes of phrases are, milliseconds; None where there are too few.
    """

    late: float
    sounded: float
    held: float | None


def habits(score: np.ndarray, takes: np.ndarray) -> Habits:
    """Returns what takes of a song have in common.

    Args:
        score: float `(N, 2)`, seconds; onset and end of each note as written.
        takes: float `(K, N, 2)`, seconds; the same as sung.

    >>> score = np.array([[0.0, 1.0], [1.0, 2.0], [3.0, 4.0]])
    >>> habits(score, np.array([[[0.01, 0.91], [1.01, 2.11], [3.01, 4.11]]]))
    Habits(late=10.0, sounded=1.1, held=100.0)
    """
    written = score[:, 1] - score[:, 0]
    sung = takes[..., 1] - takes[..., 0]
    ends = phrase_ends(score)
    held = float(np.median(sung[:, ends] - written[ends])) * 1000 if ends.sum() >= FEWEST_PHRASE_ENDS else None
    return Habits(
        late=round(float(np.median(takes[..., 0] - score[:, 0])) * 1000, 3),
        sounded=round(float(np.median(sung / written)), 5),
        held=None if held is None else round(held, 3),
    )


def phrase_ends(score: np.ndarray) -> np.ndarray:
    """Returns which notes end a phrase, bool `(N,)`: those before a rest of `PHRASE_REST` seconds, and the last."""
    rests = score[1:, 0] - score[:-1, 1]
    return np.append(rests >= PHRASE_REST, True)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Returns how far apart notes begin in two performances of a song, milliseconds; the median of `N` notes.

    Args:
        one: float `(N, 2)`, seconds; onset and end of each note.
        other: The same of the other performance.
    """
    return float(np.median(np.abs(one[:, 0] - other[:, 0]))) * 1000


def in_words(found: Habits) -> str:
    """Returns a line on a singer.

    >>> in_words(Habits(late=17.4, sounded=0.93, held=-20.0))
    'begins notes 17 ms late, sounds 93 % of their written length, shortens the last notes of phrases by 20 ms'
    >>> in_words(Habits(late=-0.2, sounded=1.0, held=None))
    'begins notes on time, sounds 100 % of their written length'
    """
    late = round(found.late)
    parts = [
        f"begins notes {abs(late)} ms {'late' if late > 0 else 'early'}" if late else "begins notes on time",
        f"sounds {100 * found.sounded:.0f} % of their written length",
    ]
    if found.held is not None:
        held = round(found.held)
        does = f"{'lengthens' if held > 0 else 'shortens'} the last notes of phrases by {abs(held)} ms"
        parts.append(does if held else "keeps the length of the last notes of phrases")
    return ", ".join(parts)
