import io
import re

import pytest
from matplotlib.figure import Figure
from rich.console import Console

from toy_duration_predictor.sections import Section, render_html, render_markdown, render_text


@pytest.fixture
def sections():
    figure = Figure(figsize=(2, 1), layout="constrained")
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


def test_a_narrow_terminal_cuts_nothing():
    console = Console(record=True, width=40, file=io.StringIO())
    names = ["model_b-phase-simulated-seed0-3a185dd8", "model_b-phase-simulated-seed1-e59bbb94"]
    console.print(render_text("Runs", [Section("logs", ("folder", "size"), [(name, "3.0 MB") for name in names])]))
    shown = "".join(line[:30].strip() for line in console.export_text().splitlines())
    assert all(name in shown for name in names)


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
    assert "<nav" not in page  # three sections are seen at a glance
    assert "http://" not in page.replace("http://www.w3.org/", "").replace("http://purl.org/", "").replace(
        "http://creativecommons.org/", ""
    )


def test_a_long_page_lists_its_sections_after_the_first():
    page = render_html("Title", [Section(name, remark=name) for name in ("A", "B & C", "D", "E")])
    contents = page[page.index("<nav") : page.index("</nav>")]
    for number, name in ((1, "B &amp; C"), (2, "D"), (3, "E")):
        assert f'<a href="#s{number}">{name}</a>' in contents
        assert f'<section id="s{number}"><h2>{name}</h2>' in page
    assert page.index("<p>A</p>") < page.index("<nav") < page.index("<p>B &amp; C</p>")


def test_pictures_have_the_pages_colours_and_are_as_they_were(sections):
    page = render_html("Title", sections)
    picture = page[page.index("<svg") : page.index("</svg>")]
    assert "#000000" not in picture  # a reader of dark pages would not see it
    assert "currentColor" in picture
    assert "#ffffff" not in picture  # nor is there a white sheet below it
    assert ">1.2</text>" in picture  # letters, not their outlines
    assert page == render_html("Title", sections)
    assert sections[1].pictures[0].get_size_inches().tolist() == [2, 1]


def test_a_picture_of_another_library_is_not_cut():
    """Its parts lie where they were put, and long names beside an axis reach over the edge."""
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().set_yticks([0], ["training.learning_rate"])
    picture = render_html("Title", [Section("Pictures", pictures=[figure])])
    left, _, width, _ = (float(each) for each in re.search(r'viewBox="([^"]+)"', picture)[1].split())
    assert width > 2 * 72
    assert left == 0
    assert all(float(x) > 0 for x in re.findall(r"translate\(([-\d.]+)", picture[picture.index(">training.") - 300 :]))


def test_text_of_pictures_is_large_enough_for_a_phone(sections):
    """On a screen of 360 points, less the margins of the page."""
    page = render_html("Title", sections)
    picture = page[page.index("<svg") : page.index("</svg>")]
    width = float(re.search(r'viewBox="0 0 ([\d.]+) ', picture)[1])
    sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)px", picture)]
    assert min(sizes) * (360 - 2 * 16) / width >= 10.5
    assert min(sizes) * (390 - 2 * 16) / width >= 11
