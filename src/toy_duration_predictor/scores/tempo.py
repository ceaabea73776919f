"""The tempo of notes whose durations are known in seconds alone.

Shapes: `N` notes.
"""

import numpy as np

# Fewer notes may have a common unit by chance.
FEWEST_NOTES = 6
# Files round durations to milliseconds. Most notes are this near to multiples of the unit, in seconds.
NEAR, MOST = 0.001, 0.9
# A unit is no shorter than this, in seconds, or anything would be near a multiple; and no finer part of a note.
SHORTEST_UNIT, FINEST = 0.03, 8
# Most notes of a song are plain ones, neither dotted nor tied.
PLAIN = 0.7
# Whether a unit is an eighth or a sixteenth cannot be heard. Of all the tempos that it could have, one is in here.
SLOWEST, FASTEST = 80, 160


def guess_tempo(seconds: np.ndarray) -> float | None:
    """Returns the tempo at which durations are note values, in beats a minute; None where that is not clear.

    The durations have to be multiples of one unit, most of them by powers of two. With triplets beside other notes the
    unit is a part of both, and no beat follows from it.

    Args:
        seconds: float64 `(N,)`; durations of notes.

    >>> guess_tempo(np.array([0.429, 0.214, 0.214, 0.857, 0.429, 0.107, 0.107]))
    140.0
    """
    if len(seconds) < FEWEST_NOTES:
        return None
    for part in range(1, FINEST + 1):
        unit = float(seconds.min()) / part
        if unit < SHORTEST_UNIT:
            break
        # Twice, because a unit that was rounded is too far off for the longest notes.
        for some in (seconds[seconds < 4 * seconds.min()], seconds):
            count = np.rint(some / unit)
            unit = float((count * some).sum() / (count**2).sum())
        count = np.rint(seconds / unit)
        if (np.abs(seconds - count * unit) <= NEAR).mean() < MOST:
            continue
        if (np.exp2(np.rint(np.log2(count.clip(min=1)))) == count).mean() < PLAIN:
            return None
        tempo = 60 / unit
        while tempo >= FASTEST:
            tempo /= 2
        while tempo < SLOWEST:
            tempo *= 2
        whole = round(tempo)
        return float(whole) if abs(tempo - whole) < 0.003 * whole else round(tempo, 2)
    return None
