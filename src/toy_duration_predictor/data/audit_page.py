"""An audit as a terminal's tables, and as a page."""

from html import escape

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from toy_duration_predictor.data.audit import Section

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem 1rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #8884; }
th { font-weight: 600; } p { margin: .5rem 0; }
@media print { body { max-width: none; margin: 0; } h2 { break-after: avoid; } }
"""


def render_text(name: str, sections: list[Section]) -> Group:
    """Returns what rich prints for an audit."""
    parts: list[Table | Text] = [Text(f"Audit of {name}\n", style="bold")]
    for section in sections:
        parts.append(Text(section.title, style="bold"))
        table = Table(*section.columns, box=box.SIMPLE_HEAD, pad_edge=False, show_header=any(section.columns))
        for row in section.rows:
            table.add_row(*row)
        parts.append(table)
        if section.remark:
            parts.append(Text(f"{section.remark}\n"))
    return Group(*parts)


def render_html(name: str, sections: list[Section]) -> str:
    """Returns a page, whole in itself."""
    body = []
    for section in sections:
        head = "".join(f"<th>{escape(column)}</th>" for column in section.columns)
        rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in section.rows)
        table = f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        remark = f"<p>{escape(section.remark)}</p>" if section.remark else ""
        body.append(f"<section><h2>{escape(section.title)}</h2>{table}{remark}</section>")
    title = f"Audit of {escape(name)}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><h1>{title}</h1>{''.join(body)}</body></html>\n"
    )
