"""Sections of tables, pictures and remarks; rendered for the terminal, as Markdown, and as a page of one file."""

import io
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich import box
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from toy_duration_predictor.files import write_text

# Not imported when this runs: matplotlib takes a second, and pages without pictures do not need it.
if TYPE_CHECKING:
    from matplotlib.figure import Figure

# A page with at least so many sections begins with a list of them.
CONTENTS_FROM = 4

# The width of a picture on a page, in inches. Its text, of 10 points, has at least 11 pixels on a phone of 360.
PICTURE_WIDTH = 4.3

# Colours of pictures that a page has in another shade when it is dark, and what its style calls them.
COLOURS = {"#000000": "currentColor", "#dddddd": "var(--faint)", "#0072b2": "var(--blue)"}

# Cells up to this many characters are not broken into lines.
LONGEST_LINE = 24

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; --faint: #ddd; --blue: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --faint: #444; --blue: #56b4e9; } }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem 1rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #8884; }
td { white-space: nowrap; } td.text { white-space: normal; min-width: 9rem; overflow-wrap: anywhere; }
th { font-weight: 600; } p { margin: .5rem 0; }
nav { columns: 16rem; } nav a { display: block; padding: .15rem 0; break-inside: avoid; }
dt { font-weight: 600; margin-top: .5rem; } dd { margin: 0; }
figure { margin: 1rem 0; } figure svg { width: 100%; max-width: 30rem; height: auto; fill: currentColor; }
figure:has(.large) { overflow-x: auto; } figure svg.large { min-width: 33rem; max-width: 40rem; }
@media print {
  :root { color-scheme: light; font-size: 11px; --faint: #ddd; --blue: #0072b2; } nav { display: none; }
  body { max-width: none; margin: 0; padding: 0; } .wide { overflow: visible; } td { white-space: normal; }
  h2 { break-after: avoid; } figure, tr, p { break-inside: avoid; } figure svg { max-height: 7cm; }
}
"""


class Section(NamedTuple):
    """A part of a page: a title, a table with its heads and rows, a remark below it, and pictures."""

    title: str
    heads: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    remark: str = ""
    pictures: "Sequence[Figure]" = ()


def render_text(title: str, sections: Sequence[Section]) -> Group:
    """Returns the sections for rich to print, without the pictures."""
    parts: list[Table | Text] = [Text(f"{title}\n", style="bold")]
    for section in sections:
        parts.append(Text(section.title, style="bold"))
        if section.rows:
            # In a narrow terminal a long word, such as a folder's name, goes on in the next line; none is cut.
            columns = [Column(head, overflow="fold") for head in section.heads]
            table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, show_header=any(section.heads))
            for row in section.rows:
                table.add_row(*map(Text, row))
            parts.append(table)
        if section.remark:
            parts.append(Text(f"{section.remark}\n"))
    return Group(*parts)


def render_markdown(title: str, sections: Sequence[Section]) -> str:
    """Returns the sections as Markdown, without the pictures.

    >>> print(render_markdown("Songs", [Section("By singer", ("singer", "songs"), [("2", "14"), ("7", "9")])]))
    # Songs
    <BLANKLINE>
    ## By singer
    <BLANKLINE>
    | singer | songs |
    | --- | --- |
    | 2 | 14 |
    | 7 | 9 |
    <BLANKLINE>
    """
    parts = [f"# {title}"]
    for section in sections:
        parts.append(f"## {section.title}")
        if section.rows:
            lines = [section.heads, ("---",) * len(section.heads), *section.rows]
            parts.append("\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines))
        if section.remark:
            parts.append(section.remark)
    return "\n\n".join(parts) + "\n"


def render_html(title: str, sections: Sequence[Section]) -> str:
    """Returns the sections as an HTML page that loads nothing. Its pictures are dark where the reader's pages are."""
    body = []
    if len(sections) >= CONTENTS_FROM:
        # After the first section, which says the most in the fewest words.
        links = (
            f'<a href="#s{number}">{escape(section.title)}</a>' for number, section in enumerate(sections) if number
        )
        contents = f'<nav aria-label="Contents">{"".join(links)}</nav>'
    else:
        contents = ""
    for number, section in enumerate(sections):
        body.append(contents if number == 1 else "")
        body.append(f'<section id="s{number}"><h2>{escape(section.title)}</h2>')
        if section.rows:
            head = "".join(f"<th>{escape(each)}</th>" for each in section.heads)
            rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in section.rows)
            body.append(f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>')
        body += [f"<p>{escape(part)}</p>" for part in section.remark.split("\n\n") if part]
        body += [f"<figure>{_svg(picture, section.title)}</figure>" for picture in section.pictures]
        body.append("</section>")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{''.join(body)}</body></html>\n"
    )


def write_report(folder: Path, title: str, sections: Sequence[Section], facts: Any) -> None:
    """Writes `report.html`, `report.md` and `report.json`.

    Args:
        folder: Where the files go.
        title: The report's title.
        sections: The report's parts.
        facts: The report's numbers, as a value that JSON can hold.
    """
    write_text(folder / "report.html", render_html(title, sections))
    write_text(folder / "report.md", render_markdown(title, sections))
    write_text(folder / "report.json", json.dumps(facts, indent=2) + "\n")


def _cell(text: str) -> str:
    """Returns a cell. Numbers and names stay on one line; sentences are broken into lines."""
    style = ' class="text"' if len(text) > LONGEST_LINE else ""
    return f"<td{style}>{escape(text)}</td>"


def _svg(figure: "Figure", title: str) -> str:
    """Returns a picture in the page's colours and font; `title` says what it is to those who do not see it."""
    from matplotlib import rc_context

    size, buffer = figure.get_size_inches(), io.StringIO()
    # A picture whose parts lie where they were put, such as another library's, keeps its size.
    fits = figure.get_layout_engine() is not None
    if fits:
        figure.set_size_inches(PICTURE_WIDTH, max(PICTURE_WIDTH * max(0.55, size[1] / size[0]), size[1] * 0.8))
    # Without a date or random names, the same figure gives the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):
        tight = None if fits else "tight"  # what reaches over the edge, such as long names beside an axis, is shown
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True, bbox_inches=tight)
    figure.set_size_inches(*size)
    svg = buffer.getvalue()
    for colour, style in COLOURS.items():
        svg = svg.replace(colour, style)
    start = svg.index("<svg") + len("<svg")  # HTML takes no XML declaration
    return f'<svg{"" if fits else " class=large"} role="img" aria-label="{escape(title)}"{svg[start:]}'
