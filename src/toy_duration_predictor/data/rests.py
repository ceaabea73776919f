"""Which durations of a song are rests, where nobody says so: a guess for each duration.

The guess is the likeliest path of a hidden Markov model with two states, note and rest, found by the Viterbi algorithm
(Viterbi, 1967, "Error bounds for convolutional codes", IEEE Transactions on Information Theory 13). A rest is never
followed by a rest. How long notes and rests are, and how often two notes follow each other, was counted in 160 real
songs, in which 99.95 % of the guesses are right (docs/data.md).

Shapes: `T` notes and rests of a song.
"""

import numpy as np

# Logarithm of how much likelier a rest is to have so many grid steps than a note, from 0 steps on; 20 stands for more.
# No note of the 160 songs is quantized to 0 steps, so the first value only has to be large.
LOG_ODDS = np.array([8.0, 1.1] + [-2.2] * 3 + [-1.8] * 5 + [-1.2] * 10 + [-0.2])
# The share of notes that are followed by a note.
TOUCHING = 0.02

# A rest of so many grid steps ends a phrase: an eighth note on a grid of 1/32. A shorter one is articulation.
LONG_REST = 4

# With fewer durations of at most one step than this, a song has no short rests, and the guess must fail: in songs with
# short rests they are 46 % of all durations, in the same songs without rests under 0.3 s they are 4 %.
LEAST_SHORT = 0.15


def guess_rests(steps: np.ndarray) -> np.ndarray:
    """Guesses which durations are rests, bool `(T,)`.

    Args:
        steps: `(T,)`, quantized durations in grid steps.

    >>> guess_rests(np.array([4, 0, 2, 2, 1, 6, 0, 3]))
    array([False,  True, False, False,  True, False,  True, False])
    """
    odds = LOG_ODDS[np.minimum(np.rint(steps), len(LOG_ODDS) - 1).astype(np.int64)]
    touching, parted = np.log(TOUCHING), np.log1p(-TOUCHING)
    note, rest = 0.0, float(odds[0])
    came_from_rest = np.zeros(len(steps), dtype=bool)  # the best path to a note comes from a rest
    for i in range(1, len(steps)):
        came_from_rest[i] = rest > note + touching
        note, rest = max(rest, note + touching), note + parted + float(odds[i])
    found = np.zeros(len(steps), dtype=bool)
    found[-1] = rest > note
    for i in range(len(steps) - 1, 0, -1):
        found[i - 1] = not found[i] and came_from_rest[i]
    return found


def can_be_guessed(steps: np.ndarray) -> bool:
    """Returns whether a song has the short rests that the guess goes by; arguments as of `guess_rests`."""
    return bool((steps <= 1).mean() >= LEAST_SHORT)
