"""The player and the picture of the page, as HTML. `player.js` moves it, `page.css` dresses it."""

from collections.abc import Sequence
from html import escape
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import quote

from toy_duration_predictor.demo.habits import apart, in_words
from toy_duration_predictor.demo.performance import FIRST_NOTES, MOST_SECONDS, Lane, Performances
from toy_duration_predictor.demo.piano_roll import ONE, SEVERAL, axis_svg, lane_svg, scale

PLAYER_JS = Path(__file__).with_name("player.js").read_text(encoding="utf-8")
PAGE_CSS = Path(__file__).with_name("page.css").read_text(encoding="utf-8")

# Gradio's template: what is between `${` and `}` is JavaScript, and its value is not read as a template again.
TEMPLATE = """<div class="player" role="group" aria-label="Player" ${value.sounds ? "" : "hidden"}>
<button data-do="play" aria-label="Play" title="Play or pause (space bar)"><span aria-hidden="true">▶</span></button>
<input class="position" type="range" min="0" max="1" step="0.1" value="0" aria-label="Position">
<span class="time">0:00 / 0:00</span>
<span class="zoom" role="group" aria-label="Zoom of the picture">
<button data-do="out" aria-label="Zoom out" title="Zoom out (-)">&minus;</button>
<button data-do="fit" title="The whole song (0)">Fit</button>
<button data-do="in" aria-label="Zoom in" title="Zoom in (+)">+</button></span>
<span class="problem" role="alert"></span></div>${value.html}"""

KEY = """<div class="key"><span><i style="background: var(--score)"></i>score</span>
<span><i style="background: var(--sung)"></i>as sung</span>
<span>Below: how far each note begins <i style="background: var(--sung)"></i>after or
<i style="background: var(--early)"></i>before the score's</span></div>"""


def message_view(said: Sequence[str]) -> dict[str, Any]:
    """Returns what the page shows where there is nothing to hear: why."""
    return {"html": _said(said)}


def performances_view(performances: Performances, song: str, said: Sequence[str]) -> dict[str, Any]:
    """Returns what the page shows of performances.

    Args:
        performances: At least one.
        song: Names the song; the player keeps its position while this is the same.
        said: What the visitor has to be told.
    """
    roll, lanes = performances.roll, performances.lanes
    cut = []
    if performances.seconds > MOST_SECONDS:
        cut = [
            f"The song lasts {_clock(performances.seconds)}. Picture and sound end after {_clock(MOST_SECONDS)}; the "
            f"MIDI files are whole."
        ]
    names = ["The score", *(lane.name for lane in lanes)]
    listen = "".join(
        f'<label><input type="radio" name="heard" value="{i}">{escape(name)}</label>' for i, name in enumerate(names)
    )
    most = scale(roll, [lane.sung for lane in lanes])
    sizes = ONE if len(lanes) == 1 else SEVERAL
    pictures = "".join(
        f'<section class="lane" aria-label="{escape(lane.name)}"><div class="head">{_head(lane)}</div>'
        f"{lane_svg(roll, lane.sung, most, sizes, lane.name)}</section>"
        for lane in lanes
    )
    return {
        "html": f'{_said([*said, *cut])}<fieldset class="listen"><legend>Listen to</legend>{listen}</fieldset>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="Picture of the song"><div class="wide">'
        f'{axis_svg(roll)}{pictures}<div class="cursor"></div></div></div>{KEY}<p class="note">{_differences(lanes)} '
        f"The clicks are the score's beats. {_link(performances.sound, 'The score as sound')}</p>",
        "sounds": [_address(place) for place in (performances.sound, *(lane.sound for lane in lanes))],
        "song": song,
        "end": roll.end,
        "notes": len(roll.pitch),
    }


def _said(said: Sequence[str]) -> str:
    lines = "".join(f"<p>{escape(line)}</p>" for line in said)
    return f'<div class="said" role="status">{lines}</div>' if lines else ""


def _head(lane: Lane) -> str:
    links = f'<span class="links">{_link(lane.midi, "MIDI file")} {_link(lane.sound, "sound")}</span>'
    words = escape(in_words(lane.drawn.habits))
    for unit in ("ms", "%"):
        words = words.replace(f" {unit}", f"&nbsp;{unit}")
    return f"<b>{escape(lane.name)}</b> {words}. {links}"


def _differences(lanes: Sequence[Lane]) -> str:
    """Returns sentences on what of a difference is the singers', and what is chance."""
    takes, notes = lanes[0].drawn.takes, lanes[0].drawn.notes
    of = f"this song's first {notes:,} notes" if notes == FIRST_NOTES else "this song's notes"
    figures = f"Figures are medians of {of}{f' in {takes} takes' if takes > 1 else ''}."
    said = []
    chance = [lane.drawn.takes_apart for lane in lanes if lane.drawn.takes_apart is not None]
    if chance:
        said.append(f"two takes of one singer begin notes {_range(chance)} ms apart")
    between = [apart(one.drawn.expected, other.drawn.expected) for one, other in combinations(lanes, 2)]
    if between:
        said.append(f"what the model expects of these singers is {_range(between)} ms apart")
    sentence = "; ".join(said)
    return f"{figures} {sentence[:1].upper()}{sentence[1:]}{'.' if said else ''}"


def _range(values: Sequence[float]) -> str:
    least, most = f"{min(values):.0f}", f"{max(values):.0f}"
    return least if least == most else f"{least} to {most}"


def _link(place: Path, text: str) -> str:
    return f'<a href="{escape(_address(place))}" download="{escape(place.name)}">{text}</a>'


def _address(place: Path) -> str:
    """Returns where Gradio serves a file, counted from the page's own address."""
    return f"gradio_api/file={quote(str(place))}"


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
