"""A picture for a page: score and performance over each other on one time line, and the deviations below.

The SVG is made by hand, not by matplotlib: a browser has fonts for lyrics in any script, and scrolls long songs.

Shapes: `N` notes, `M` bars.
"""

from html import escape
from typing import NamedTuple

import numpy as np

SECOND = 96  # pixels
SEMITONE = 9
TOP, GAP, DEVIATIONS, BOTTOM = 30, 26, 110, 20
MARGIN = 12
LABELS = 52  # width of the labels, which stay in place while the notes scroll
LEAST_SCALE = 25.0  # milliseconds; small deviations look small

# Okabe and Ito's colours, which colour-blind readers tell apart.
STYLE = """<style>
.roll, .key { --score: #999; --sung: #0072b2; --early: #d55e00; }
.dark .roll, .dark .key { --sung: #56b4e9; }
.roll { display: flex; font: 12px system-ui, sans-serif; }
.roll svg { display: block; flex: none; }
.roll .scroll { overflow-x: auto; flex: 1; }
.roll text { fill: currentColor; }
.roll .small { font-size: 10px; opacity: .75; }
.roll .line { stroke: currentColor; opacity: .15; }
.roll .zero { stroke: currentColor; opacity: .5; }
.roll .score { fill: var(--score); fill-opacity: .3; stroke: var(--score); }
.roll .sung { fill: var(--sung); fill-opacity: .75; }
.roll .late { fill: var(--sung); } .roll .early { fill: var(--early); }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: 13px; margin: .3rem 0 .5rem; }
.key i { display: inline-block; width: 14px; height: 10px; margin-right: 5px; vertical-align: baseline; }
</style>
<div class="key"><span><i style="background: var(--score)"></i>score</span>
<span><i style="background: var(--sung)"></i>as sung</span>
<span>Below, how far each note begins <i style="background: var(--sung)"></i>after or
<i style="background: var(--early)"></i>before the score's</span></div>"""

NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


class PianoRoll(NamedTuple):
    """The contents of a piano roll. Times are in seconds.

    Attributes:
        score: float `(N, 2)`; onset and end of each note.
        sung: float `(N, 2)`; onset and end of each note as it is sung.
        pitch: int `(N,)`, MIDI note numbers.
        lyric: `N` strings. They come from uploaded files, so they are escaped.
        bars: float `(M,)`; where bars begin.
    """

    score: np.ndarray
    sung: np.ndarray
    pitch: np.ndarray
    lyric: list[str]
    bars: np.ndarray


def piano_roll_html(roll: PianoRoll) -> str:
    """Returns a piano roll as HTML, and below it how late each note begins, in milliseconds."""
    high, low = int(roll.pitch.max()) + 1, int(roll.pitch.min()) - 1
    bottom = TOP + (high - low) * SEMITONE
    zero = bottom + GAP + DEVIATIONS / 2
    height = bottom + GAP + DEVIATIONS + BOTTOM
    begin = min(roll.score[0, 0], roll.sung[0, 0])
    width = (max(roll.score[-1, 1], roll.sung[-1, 1]) - begin) * SECOND + 2 * MARGIN
    late = 1000 * (roll.sung[:, 0] - roll.score[:, 0])
    scale = max(float(np.abs(late).max()), LEAST_SCALE)

    def x(seconds: float) -> float:
        return float(seconds - begin) * SECOND + MARGIN

    parts = []
    for number, bar in enumerate(roll.bars, 1):
        if bar >= begin:  # a song may begin within its first bar, or long after it
            parts.append(f'<path class="line" d="M{x(bar):.1f} {TOP - 6}V{height - BOTTOM}"/>')
            parts.append(f'<text class="small" x="{x(bar) + 3:.1f}" y="11">{number}</text>')
    parts.append(f'<path class="zero" d="M0 {zero:.1f}H{width:.1f}"/>')
    for (start, stop), (sung_start, sung_stop), pitch, lyric, by in zip(
        roll.score, roll.sung, roll.pitch, roll.lyric, late, strict=True
    ):
        y = TOP + (high - pitch - 0.5) * SEMITONE
        text = escape(lyric)
        where = f"{abs(by):.0f} ms {'late' if by > 0 else 'early'}" if round(by) else "on time"
        longer = 1000 * (sung_stop - sung_start - stop + start)
        parts.append(
            f'<rect class="score" x="{x(start):.1f}" y="{y:.1f}" width="{(stop - start) * SECOND:.1f}" height="11"/>'
            f'<rect class="sung" x="{x(sung_start):.1f}" y="{y + 3:.1f}" '
            # At least a pixel: no note is invisible.
            f'width="{max((sung_stop - sung_start) * SECOND, 1):.1f}" height="5">'
            f"<title>{text} {where}, {longer:+.0f} ms long</title></rect>"
            f'<text x="{x(sung_start):.1f}" y="{y - 3:.1f}">{text}</text>'
            f'<rect class="{"late" if by > 0 else "early"}" x="{x(start):.1f}" width="4" '
            f'y="{zero - max(by, 0) / scale * DEVIATIONS / 2:.1f}" height="{abs(by) / scale * DEVIATIONS / 2:.1f}"/>'
        )
    for second in range(int(width / SECOND) + 1):
        parts.append(f'<text class="small" x="{MARGIN + second * SECOND}" y="{height - 5}">{second} s</text>')
    labels = [
        f'<text class="small" x="{LABELS - 6}" y="{TOP + (high - pitch + 0.5) * SEMITONE:.1f}" text-anchor="end">'
        f"{_name(pitch)}</text>"
        for pitch in sorted(set(roll.pitch.tolist()))[::-2]  # every other one, so that labels do not touch
    ] + [
        f'<text class="small" x="{LABELS - 6}" y="{zero - value / scale * DEVIATIONS / 2 + 3:.1f}" text-anchor="end">'
        f"{f'{value:+.0f}' if value else 0} ms</text>"
        for value in (scale, 0, -scale)
    ]
    return (
        f'{STYLE}<div class="roll"><svg width="{LABELS}" height="{height}" aria-hidden="true">{"".join(labels)}</svg>'
        f'<div class="scroll" tabindex="0" role="img" aria-label="Piano roll of score and performance, and how late '
        f'each note begins"><svg width="{width:.0f}" height="{height}">{"".join(parts)}</svg></div></div>'
    )


def _name(pitch: int) -> str:
    return f"{NAMES[pitch % 12]}{pitch // 12 - 1}"
