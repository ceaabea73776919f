import io

import pytest
from matplotlib.figure import Figure
from rich.console import Console

from toy_duration_predictor.sections import Section, render_html, render_markdown, render_text


@pytest.fixture
def sections():
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([1, 2], [3, 4])
    return [
        Section("A title longer than its table", ("a", "b"), [("1 < 2", "x | y")], "First.\n\nSecond & last."),
        Section("Pictures", pictures=[figure, figure]),
    ]


def test_the_terminal_shows_all_but_pictures(sections):
    console = Console(record=True, width=80, file=io.StringIO())
    console.print(render_text("Title", sections))
    text = console.export_text()
    for part in ("Title", "A title longer than its table", "1 < 2", "x | y", "Second & last.", "Pictures"):
        assert part in text


def test_markdown(sections):
    assert render_markdown("Title", sections) == (
        "# Title\n\n## A title longer than its table\n\n| a | b |\n| --- | --- |\n| 1 < 2 | x / y |\n\n"
        "First.\n\nSecond & last.\n\n## Pictures\n"
    )


def test_the_page_is_whole_and_escaped(sections):
    sentence = "What would be too wide for a phone if it were not broken."
    page = render_html("<Title>", [*sections, Section("Third", ("", ""), [("name", sentence)])])
    assert "<h1>&lt;Title&gt;</h1>" in page
    assert "<td>1 &lt; 2</td>" in page
    assert f'<td class="text">{sentence}</td>' in page  # broken into lines; numbers and names are not
    assert "<p>First.</p><p>Second &amp; last.</p>" in page
    assert page.count("<svg") == page.count("</svg>") == 2
    assert "<?xml" not in page
    assert "http://" not in page.replace("http://www.w3.org/", "").replace("http://purl.org/", "").replace(
        "http://creativecommons.org/", ""
    )
