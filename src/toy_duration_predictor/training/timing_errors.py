"""What a listener hears of a wrong prediction: when notes begin, how far apart, and how long notes and rests last.

| measure | the absolute error of |
| --- | --- |
| `onset` | each onset but the first, which is given; onsets are running totals of durations |
| `ioi` | each inter-onset interval, from one onset to the next |
| `duration` | each duration, notes and rests alike |

Shapes: `T` notes and rests of a song, `N` notes among them.
"""

from typing import NamedTuple

import numpy as np

MEASURES = ("onset", "ioi", "duration")


class TimingErrors(NamedTuple):
    """Absolute errors of one song, float64, in the unit of its durations.

    Attributes:
        onset: `(N - 1,)`.
        ioi: `(N - 1,)`.
        duration: `(T,)`.
    """

    onset: np.ndarray
    ioi: np.ndarray
    duration: np.ndarray


def timing_errors(predicted: np.ndarray, sung: np.ndarray, rest: np.ndarray) -> TimingErrors:
    """Returns the absolute errors of a song's predicted durations.

    Args:
        predicted: `(T,)`, any unit.
        sung: `(T,)`, the same unit.
        rest: bool `(T,)`; which durations are rests.

    >>> rest = np.array([False, True, False, False])
    >>> timing_errors(np.array([50, 10, 60, 60]), np.array([55, 5, 65, 60]), rest).onset
    array([0., 5.])
    """
    off = np.asarray(predicted, dtype=np.float64) - np.asarray(sung, dtype=np.float64)
    # How much too late each onset is predicted. The first onset is whatever precedes it: a song begins with a note.
    late = (np.cumsum(off) - off)[~rest]
    late = late - late[:1]
    return TimingErrors(np.abs(late[1:]), np.abs(np.diff(late)), np.abs(off))
