"""A picture for a page: singers below each other on one time line, each over the score, with the deviations.

The SVG is made by hand, not by matplotlib: a browser has fonts for lyrics in any script, and makes the picture wider
without making it higher. Places on the time line are percentages of the picture's width, so that it fits any screen.

Shapes: `N` notes, `M` bars.
"""

from collections.abc import Iterable
from html import escape
from typing import NamedTuple

import numpy as np

LEAST_SCALE = 25.0  # milliseconds; small deviations look small
HIGHEST = 260  # pixels of the notes, however far apart their pitches are
AXIS = 18  # pixels

NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


class PianoRoll(NamedTuple):
    """A score on a time line. Times are in seconds, and begin with the score's first onset.

    Attributes:
        score: float `(N, 2)`; onset and end of each note.
        pitch: int `(N,)`, MIDI note numbers.
        lyric: `N` strings. They come from uploaded files, so they are escaped.
        bars: float `(M,)`; where bars begin.
        first_bar: The number of the first of them.
        end: Where the time line ends.
    """

    score: np.ndarray
    pitch: np.ndarray
    lyric: list[str]
    bars: np.ndarray
    first_bar: int
    end: float

    def place(self, seconds: float) -> str:
        """Returns a place on the time line as SVG has it."""
        return f"{100 * seconds / self.end:.3f}%"


class Sizes(NamedTuple):
    """Heights within a lane, in pixels."""

    semitone: float
    deviations: float
    top: float = 18  # room for the lyric of the highest note
    gap: float = 10


ONE, SEVERAL = Sizes(9, 110), Sizes(6, 50)


def late(score: np.ndarray, sung: np.ndarray) -> np.ndarray:
    """Returns how late each note begins, milliseconds, float `(N,)`."""
    by: np.ndarray = 1000 * (sung[:, 0] - score[:, 0])
    return by


def scale(roll: PianoRoll, lanes: Iterable[np.ndarray]) -> float:
    """Returns the deviation that is as high as there is room, milliseconds; the same in all lanes."""
    return max([LEAST_SCALE, *(float(np.abs(late(roll.score, sung)).max()) for sung in lanes)])


def lane_svg(roll: PianoRoll, sung: np.ndarray, most: float, sizes: Sizes, name: str) -> str:
    """Returns a lane: a singer's notes over the score's, and below them how late each note begins, in milliseconds.

    Args:
        roll: The score.
        sung: float `(N, 2)`; onset and end of each note as it is sung.
        most: See `scale`.
        sizes: See `Sizes`.
        name: Whose lane it is.
    """
    high, low = int(roll.pitch.max()) + 1, int(roll.pitch.min()) - 1
    semitone = min(sizes.semitone, HIGHEST / (high - low))
    zero = sizes.top + (high - low) * semitone + sizes.gap + sizes.deviations / 2
    height = zero + sizes.deviations / 2 + 2
    room = sizes.deviations / 2

    parts = [f'<rect class="zero" y="{zero:.1f}" width="100%" height="1"/>']
    for bar in roll.bars:
        parts.append(f'<rect class="bar" x="{roll.place(bar)}" y="0" width="1" height="{height:.0f}"/>')
    for (start, stop), (sung_start, sung_stop), pitch, lyric, by in zip(
        roll.score, sung, roll.pitch, roll.lyric, late(roll.score, sung), strict=True
    ):
        y = sizes.top + (high - pitch - 0.5) * semitone
        text = escape(lyric)
        where = f"{abs(by):.0f} ms {'late' if by > 0 else 'early'}" if round(by) else "on time"
        longer = round(1000 * (sung_stop - sung_start - stop + start))
        length = (
            f"{abs(longer)} ms {'longer' if longer > 0 else 'shorter'} than written" if longer else "as long as written"
        )
        x = roll.place(sung_start)
        parts.append(
            f'<rect class="score" x="{roll.place(start)}" y="{y:.1f}" width="{roll.place(stop - start)}" '
            f'height="{semitone + 2:.1f}"/>'
            f'<rect class="sung" x="{x}" y="{y + semitone / 3:.1f}" width="{roll.place(sung_stop - sung_start)}" '
            f'height="{semitone / 2 + 0.5:.1f}"><title>{text} {where}, {length}</title></rect>'
            f'<text class="lyric" x="{x}" dx="3" y="{y - 3:.1f}">{text}</text>'
            f'<rect class="{"late" if by > 0 else "early"}" x="{roll.place(start)}" width="3" '
            f'y="{zero - max(by, 0) / most * room:.1f}" height="{abs(by) / most * room:.1f}"/>'
        )
    labels = [
        f'<text x="2" y="{sizes.top + (high - pitch) * semitone + 4:.1f}">{_name(pitch)}</text>'
        for pitch in _spread(sorted(set(roll.pitch.tolist())), 12 / semitone)
    ] + [
        f'<text x="2" y="{zero - value / most * (room - 5) + 4:.1f}">{_signed(value)} ms</text>'
        for value in (most, 0, -most)
    ]
    return (
        f'<div class="lane-picture" style="height:{height:.0f}px">'
        f'<svg class="labels" aria-hidden="true">{"".join(labels)}</svg>'
        f'<svg class="plot" role="img" aria-label="{escape(name)}: notes over the score, and how late each begins">'
        f"{''.join(parts)}</svg></div>"
    )


def axis_svg(roll: PianoRoll) -> str:
    """Returns the numbers of the bars, and below them the seconds. The page hides those that have no room."""
    bars = [
        f'<text data-bar="{i}" x="{roll.place(bar)}" dx="4" y="12">{i + roll.first_bar}</text>'
        for i, bar in enumerate(roll.bars.tolist())
    ]
    seconds = [
        f'<text data-second="{second}" x="{roll.place(second)}" dx="4" y="{AXIS + 12}">{second} s</text>'
        for second in range(int(0.95 * roll.end) + 1)  # the last ones would not fit beside the end
    ]
    return (
        f'<div class="lane-picture axis" style="height:{2 * AXIS}px" aria-hidden="true"><svg class="labels">'
        f'<text x="2" y="12">bar</text></svg><svg class="plot">{"".join(bars + seconds)}</svg></div>'
    )


def _spread(pitches: list[int], apart: float) -> list[int]:
    """Returns those of the pitches that have room for a label, from the highest on."""
    chosen: list[int] = []
    for pitch in reversed(pitches):
        if not chosen or chosen[-1] - pitch >= apart:
            chosen.append(pitch)
    return chosen


def _signed(value: float) -> str:
    return f"{value:+.0f}".replace("-", "&minus;") if value else "0"


def _name(pitch: int) -> str:
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"
