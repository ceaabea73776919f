"""Sections of tables, pictures and remarks; rendered for the terminal, as Markdown, and as a page of one file."""

import io
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from toy_duration_predictor.files import write_text

# Not imported when this runs: matplotlib takes a second, and pages without pictures do not need it.
if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Cells up to this many characters are not broken into lines.
LONGEST_LINE = 24

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem 1rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #8884; }
td { white-space: nowrap; } td.text { white-space: normal; min-width: 9rem; overflow-wrap: anywhere; }
th { font-weight: 600; } p { margin: .5rem 0; }
figure { margin: 1rem 0; } figure svg { background: #fff; max-width: 100%; height: auto; border-radius: 4px; }
@media print {
  :root { color-scheme: light; font-size: 11px; }
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
            table = Table(*section.heads, box=box.SIMPLE_HEAD, pad_edge=False, show_header=any(section.heads))
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
    """Returns the sections as an HTML page that loads nothing."""
    body = []
    for section in sections:
        body.append(f"<section><h2>{escape(section.title)}</h2>")
        if section.rows:
            head = "".join(f"<th>{escape(each)}</th>" for each in section.heads)
            rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in section.rows)
            body.append(f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>')
        body += [f"<p>{escape(part)}</p>" for part in section.remark.split("\n\n") if part]
        body += [f"<figure>{_svg(picture)}</figure>" for picture in section.pictures]
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


def _svg(figure: "Figure") -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})  # without a date, the same figure gives the same file
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]  # HTML takes no XML declaration
