import re
from xml.etree import ElementTree

import numpy as np
import pytest

from toy_duration_predictor.demo.piano_roll import HIGHEST, ONE, SEVERAL, PianoRoll, axis_svg, lane_svg, scale

SCORE = np.array([[0.0, 0.5], [0.5, 1.0], [1.5, 2.0]])
LYRIC = ["아", "<script>alert(1)</script>", "&"]


def roll(pitch=(60, 64, 62), bars=(0.0, 1.0), first_bar=1):
    return PianoRoll(SCORE, np.array(pitch), LYRIC, np.array(bars), first_bar, 2.0)


def plot(html):
    return ElementTree.fromstring(re.findall(r"<svg.*?</svg>", html)[1])


def test_it_shows_every_note_twice_with_its_lyric_and_deviation():
    sung = SCORE + np.array([[0, 0], [0.02, 0.02], [-0.03, 0]])
    html = lane_svg(roll(), sung, 30, ONE, "<b>")
    assert "<script" not in html
    assert "<b>" not in html
    picture = plot(html)
    kinds = [each.get("class") for each in picture.iter("rect")]
    assert [kinds.count(kind) for kind in ("score", "sung", "late", "early", "bar")] == [3, 3, 1, 2, 2]
    assert [t.text for t in picture.iter("text")] == LYRIC
    titles = [title.text for title in picture.iter("title")]
    assert [title.split(",")[0] for title in titles] == [
        "아 on time",
        "<script>alert(1)</script> 20 ms late",
        "& 30 ms early",
    ]
    assert [title.split(", ")[1] for title in titles] == ["as long as written"] * 2 + ["30 ms longer than written"]


def test_places_are_shares_of_the_time_line():
    picture = plot(lane_svg(roll(), SCORE + 0.1, 100, ONE, ""))
    for kind, by in (("score", 0), ("sung", 0.1)):
        found = [each for each in picture.iter("rect") if each.get("class") == kind]
        # 2 seconds are 100 %.
        assert [float(each.get("x").rstrip("%")) for each in found] == pytest.approx(50 * (SCORE[:, 0] + by))
        assert [float(each.get("width").rstrip("%")) for each in found] == pytest.approx([25, 25, 25])


def test_the_longest_deviation_of_all_lanes_is_the_scale():
    lanes = [SCORE + 0.01, SCORE - 0.2]
    assert scale(roll(), lanes) == pytest.approx(200)
    assert scale(roll(), lanes[:1]) == 25  # small ones look small
    heights = []
    for sung in lanes:
        html = lane_svg(roll(), sung, 200, ONE, "")
        assert "+200 ms" in html
        heights.append(float(re.findall(r'class="(?:late|early)"[^>]* height="([\d.]+)"', html)[0]))
    assert heights == pytest.approx([2.75, 55], abs=0.1)


def test_lanes_stay_low():
    def height(pitch, sizes):
        return int(re.search(r"height:(\d+)px", lane_svg(roll(pitch), SCORE, 25, sizes, ""))[1])

    assert height((60, 64, 62), SEVERAL) < 0.6 * height((60, 64, 62), ONE)
    assert height((0, 127, 60), ONE) < HIGHEST + 150


def test_bars_keep_their_numbers():
    html = axis_svg(roll(bars=(0.5, 1.5), first_bar=7))
    assert re.findall(r'data-bar="(\d)"[^>]*>(\d+)<', html) == [("0", "7"), ("1", "8")]
    assert re.findall(r'data-second="(\d)"', html) == ["0", "1"]
