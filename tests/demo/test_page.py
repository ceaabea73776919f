"""The page in a browser."""

import zipfile

import numpy as np
import pytest

from tests.demo.conftest import until
from tests.demo.midi_files import midi, voice
from tests.demo.page_in_browser import Page


def test_a_visit(server, browser, tmp_path):
    """Upload, choose, look, play, download; nothing is asked of another host, and nothing stays."""
    from selenium.webdriver.common.keys import Keys

    page = Page(browser, server.address)
    bad, good, second = tmp_path / "bad.mid", tmp_path / "가 #1 <b>.mid", tmp_path / "second.mid"
    bad.write_bytes(b"MThd" + bytes(50))
    good.write_bytes(midi(notes=16, lyric="가<i>".encode(), others=5))
    second.write_bytes(midi(notes=12))

    # A file that is refused leaves nothing of the last song; its neighbours are shown.
    page.part("#upload input[type=file]").send_keys(str(bad))
    until(lambda: "bad.mid cannot be used: it does not count in ticks per beat." in page.text("#view .said"))
    assert page.count("#view .lane") == 0
    assert not page.part("#view .player").is_displayed()
    page.part("#upload input[type=file]").send_keys(f"{good}\n{bad}\n{second}")
    until(lambda: page.count("#view .sung") == 16)
    assert "bad.mid cannot be used" in page.text("#view .said")
    assert page.text("#view .lyric") == "가<i>"
    assert page.count("#view .wide i") == 0

    # A track stays with its file.
    assert "The voice is track 0 (channel 1, 16 notes, 16 lyrics): lyrics." in page.text("#view .said")
    page.choose("#track", "1 (")
    until(lambda: page.count("#view .sung") == 5)
    page.choose("#song", "second")
    until(lambda: page.count("#view .sung") == 12)
    assert page.count("#track") == 0
    page.choose("#song", "가")
    until(lambda: page.count("#view .sung") == 5)
    page.choose("#track", "0 (")
    until(lambda: page.count("#view .sung") == 16)

    # Singers, settings, another take.
    page.part("#singers input").send_keys("Singer 7", Keys.ENTER)
    until(lambda: page.count("#view .lane") == 2)
    for setting, value in (("strength", "1.5"), ("temperature", "0.5")):
        page.changes(lambda setting=setting, value=value: page.number(f"#{setting}", value))
    page.changes(lambda: page.part("#another").click())
    assert page.run("return document.querySelector('#seed input').value") == "1"
    page.play()

    page.part("#view .lane:nth-of-type(2) a[download$='.mid']")
    page.run("document.querySelectorAll(\"#view a[download$='.mid']\")[1].click()")
    until(lambda: list(tmp_path.glob("got/*.mid")))
    [got] = tmp_path.glob("got/*.mid")
    assert got.name == "가 1 b - Singer 7.mid"
    score, sung = voice(good.read_bytes()), voice(got.read_bytes())
    assert sung.lyric == score.lyric
    assert (sung.pitch == score.pitch).all()
    assert (sung.onset != score.onset).sum() > 6
    assert np.abs(sung.onset - score.onset).max() <= 1.5 * 30 + 1  # half a step, times the strength

    # All files at once.
    page.part("#pack").click()
    until(lambda: page.count("#packed a[href]"))
    page.part("#packed a[href]").click()
    until(lambda: list(tmp_path.glob("got/*.zip")))
    with zipfile.ZipFile(next(tmp_path.glob("got/*.zip"))) as packed:
        assert len(packed.namelist()) == 4

    # Recordings to sing like: one that is refused is said, and their singer stands beside the others.
    page.part("#like button").click()
    worse = bad.rename(tmp_path / "worse.mid")
    page.part("#recording input[type=file]").send_keys(str(worse))
    until(lambda: page.text("#view .said").startswith("worse.mid cannot be used"))
    page.part("#recording input[type=file]").send_keys(f"{good}\n{second}")
    until(lambda: page.count("#view .lane") == 3)
    assert page.text("#view .lane b") == "Like 가 1 b and 1 more"
    page.run("document.querySelectorAll('#recording .label-clear-button')[1].click()")
    until(lambda: page.text("#view .lane b") == "Like second")

    asked = page.requests()
    assert len(asked) > 10
    assert not [url for url in asked if not url.startswith((server.address, f"blob:{server.address}", "data:"))]
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    browser.get("about:blank")
    until(lambda: not server.files())


def test_what_was_chosen_last_is_shown(server, browser, tmp_path):
    """However much is chosen while a song is performed."""
    page = Page(browser, server.address)
    long = tmp_path / "long.mid"
    long.write_bytes(midi(notes=800))
    page.part("#upload input[type=file]").send_keys(str(long))
    until(lambda: page.count("#view .sung") == 800)
    page.changes(lambda: page.number("#seed", "2"))
    second = page.take()
    page.changes(lambda: page.number("#seed", "0"))
    for seed in ("1", "2"):
        page.run("document.querySelector('#another').click()")
        until(lambda seed=seed: page.run("return document.querySelector('#seed input').value") == seed)
    until(lambda: page.take() == second)

    # Files are added to those before.
    for name, notes in (("other", 9), ("third", 10)):
        place = tmp_path / f"{name}.mid"
        place.write_bytes(midi(notes))
        page.part("#upload input[type=file]").send_keys(str(place))
        until(lambda notes=notes: page.count("#view .sung") == notes)
    assert page.text("#pack").strip() == "Sing all 3 files"

    # Another file is taken out of the box, then all are.
    page.run("document.querySelector('#upload .label-clear-button').click()")
    until(lambda: page.text("#pack").strip() == "Sing all 2 files")
    assert page.count("#view .sung") == 10
    page.part("#upload [aria-label='Clear']").click()
    until(lambda: page.count("#view a[download^='Ode to Joy']"))


# Holds the sounds back until they are let go.
HOLD = """
const fetched = window.fetch, held = new Promise((release) => { window.release = release; });
window.fetch = async (...all) => { if (String(all[0]).endsWith(".wav")) await held; return fetched(...all); };
"""

# Returns how often the player draws within 30 pictures of the screen.
PICTURES = """
const ask = window.requestAnimationFrame;
let asked = 0;
window.requestAnimationFrame = (draw) => { asked += String(draw).includes("sounding"); return ask(draw); };
return new Promise((done) => {
  let seen = 0;
  const next = () => (++seen > 30 ? done(asked) : ask(next));
  ask(next);
});
"""

# Counts the sources that were started, and keeps their gains, in the order of the sounds.
LISTEN = """
window.started = 0; window.gains = [];
const start = AudioBufferSourceNode.prototype.start, gain = AudioContext.prototype.createGain;
AudioBufferSourceNode.prototype.start = function (...all) { window.started += 1; return start.apply(this, all); };
AudioContext.prototype.createGain = function () { const node = gain.call(this); window.gains.push(node); return node; };
"""


def test_the_player_switches_without_a_gap_and_keeps_its_position(server, browser):
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": LISTEN})
    page = Page(browser, f"{server.address}?singers=1,3", lanes=2)

    def loud() -> list[bool]:
        return loud_of(page, 3)

    page.play()
    assert page.run("return window.started") == 3
    assert loud() == [False, True, False]
    before = page.position()
    page.run("document.querySelector('[name=heard][value=\"0\"]').click()")
    until(lambda: loud() == [True, False, False])
    assert page.run("return window.started") == 3  # nothing began anew, so there is no gap
    until(lambda: page.position() > before)
    page.part("#view .scroll").send_keys("s")
    until(lambda: loud() == [False, True, False])

    # The cursor is where the player is.
    page.part("#view [data-do=play]").click()
    end = float(page.run("return document.querySelector('#view .position').max"))
    assert page.cursor() == pytest.approx(page.position() / end, abs=0.01)

    # Another take is heard from the same position on, and the same lane.
    page.run("document.querySelector('#view .plot').scrollIntoView({block: 'center'})")
    click_at(page, 0.5)
    until(lambda: abs(page.position() - end / 2) < 0.2)
    page.run("document.querySelector('[name=heard][value=\"0\"]').click()")
    page.seek(2)
    page.play()
    page.changes(lambda: page.part("#another").click())
    until(lambda: page.run("return window.started") >= 9 and page.position() > 2)
    assert page.plays()
    assert loud() == [True, False, False]

    # Play may be pressed while the next take is made.
    page.part("#view [data-do=play]").click()
    page.seek(2)
    page.run("document.querySelector('#another').click()")
    page.play()
    assert page.text("#view .problem") == ""

    # Another song begins anew, and does not play by itself.
    page.changes(lambda: page.choose("#song", "Hän"))
    until(lambda: not page.plays())
    assert page.position() == 0


def loud_of(page: Page, voices: int) -> list[bool]:
    """Returns which of the voices that play are heard."""
    gains = page.run("return window.gains.slice(-arguments[0]).map((each) => each.gain.value)", voices)
    return [each > 0.5 for each in gains]


def test_what_plays_goes_on_while_the_next_take_is_loaded(server, browser):
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": LISTEN})
    page = Page(browser, f"{server.address}?singers=1,3", lanes=2)
    page.play()
    page.run(HOLD)
    page.changes(lambda: page.part("#another").click())
    page.seek(10)
    until(lambda: page.position() > 10)  # the last take, from there on
    assert page.run("return window.started") == 6
    page.part("#view .scroll").send_keys("s")
    until(lambda: loud_of(page, 3) == [False, False, True])
    page.part("#view [data-do=play]").click()
    page.part("#view [data-do=play]").click()
    page.run("window.release()")
    until(lambda: page.run("return window.started") == 9)  # the new take, once
    assert page.position() > 10
    assert loud_of(page, 3) == [False, False, True]

    # Another take has no more pictures a second.
    page.seek(2)
    page.changes(lambda: page.part("#another").click())
    until(lambda: page.run("return window.started") == 15)
    assert 25 < page.run(PICTURES) < 35

    # The singer who is heard stays, whoever goes.
    page.part("#singers .token-remove").click()
    until(lambda: page.count("#view .lane") == 1)
    assert page.text("#view .heard b") == "Singer 3"
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def click_at(page: Page, share: float) -> None:
    """Clicks into the picture, at a share of the time line."""
    from selenium.webdriver import ActionChains

    plot = page.part("#view .lane .plot")
    width = page.run("return arguments[0].getBoundingClientRect().width", plot)
    ActionChains(page.browser).move_to_element_with_offset(plot, int((share - 0.5) * width), 0).click().perform()


def test_the_picture_fits_and_zooms(server, browser):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
    from selenium.webdriver.common.keys import Keys

    page = Page(browser, server.address)

    def zoom() -> float:
        return float(
            page.run("const s = document.querySelector('#view .scroll'); return s.scrollWidth / s.clientWidth")
        )

    def bars() -> list[str]:
        return list(
            page.run(
                "return [...document.querySelectorAll('[data-bar]')].filter((e) => e.checkVisibility())"
                ".map((e) => e.textContent)"
            )
        )

    assert zoom() == 1
    few = bars()
    assert not page.part("#view .lyric").is_displayed()
    page.part("#view [data-do=in]").click()
    assert zoom() == pytest.approx(1.5, abs=0.01)
    scroll = page.part("#view .scroll")
    scroll.send_keys("+++")
    assert zoom() == pytest.approx(4, abs=0.01)
    assert page.part("#view .lyric").is_displayed()
    assert len(bars()) >= len(few)
    scroll.send_keys("-")
    assert zoom() == pytest.approx(3, abs=0.01)
    chain = ActionChains(browser).key_down(Keys.CONTROL)
    chain.scroll_from_origin(ScrollOrigin.from_element(scroll), 0, -100).key_up(Keys.CONTROL).perform()
    until(lambda: zoom() == pytest.approx(4, abs=0.01))

    # While it plays, the cursor stays in sight.
    page.seek(20)
    page.play()
    until(
        lambda: page.run(
            "const s = document.querySelector('#view .scroll').getBoundingClientRect(),"
            "c = document.querySelector('#view .cursor').getBoundingClientRect();"
            "return c.left >= s.left && c.left <= s.right"
        )
    )
    page.part("#view [data-do=fit]").click()
    assert zoom() == 1
    assert bars() == few

    # Another song is seen as a whole.
    page.part("#view [data-do=in]").click()
    page.changes(lambda: page.choose("#song", "Hän"))
    until(lambda: zoom() == 1)


# Returns a place in the window as a share of the time line.
SHARE = "const plot = arguments[0].getBoundingClientRect(); return (arguments[1] - plot.x) / plot.width"


def test_two_fingers_zoom(server, browser):
    """What is between the fingers stays there."""
    page = Page(browser, server.address)
    plot, scroll = page.part("#view .lane .plot"), page.part("#view .scroll")
    left, top, width = page.run(
        "const box = arguments[0].getBoundingClientRect(); return [box.x, box.y + 20, box.width]", plot
    )

    def touch(kind: str, *places: float) -> None:
        points = [{"x": left + place * width, "y": top} for place in places]
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def zoom() -> float:
        return float(page.run("return arguments[0].scrollWidth / arguments[0].clientWidth", scroll))

    def middle() -> float:
        return float(page.run(SHARE, plot, left + 0.6 * width))

    touch("touchStart", 0.5)
    touch("touchStart", 0.5, 0.7)
    touch("touchMove", 0.49, 0.71)
    assert zoom() == 1  # fingers are never quite still
    for apart, wanted in ((0.3, 1.5), (0.4, 2), (0.55, 3), (0.4, 2)):
        touch("touchMove", 0.6 - apart / 2, 0.6 + apart / 2)
        until(lambda wanted=wanted: zoom() == pytest.approx(wanted, abs=0.01))
        assert middle() == pytest.approx(0.6, abs=0.01)
    touch("touchEnd")
    # One finger scrolls, and does not zoom.
    touch("touchStart", 0.8)
    for place in (0.7, 0.6, 0.5):
        touch("touchMove", place)
    touch("touchEnd")
    until(lambda: middle() > 0.65)
    assert zoom() == pytest.approx(2, abs=0.01)


# Each performance has addresses of its own.
SHOWN = "return [...document.querySelectorAll('#view a')].map((each) => each.href)"


def test_a_keyboard_reaches_everything(server, browser):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    page = Page(browser, f"{server.address}?singers=1,3&strength=9", lanes=2)
    page.part("#view [data-do=in]").click()  # so that all buttons of the zoom can be pressed
    page.run("document.activeElement.blur(); document.body.focus()")
    wanted = {
        "#song input",
        "#singers input",
        "[data-do=play]",
        "#view .position",
        "[data-do=out]",
        "[data-do=fit]",
        "[data-do=in]",
        "[name=heard]",
        "#view .scroll",
        "#view a[download$='.mid']",
        "#view a[download$='.wav']",
        "#another",
        "#seed input",
        "#upload button",
        "#strength input[type=number]",
        "#strength input[type=range]",
        "#temperature input[type=range]",
        "#like button",
        "#link button",
    }
    reached = set()
    shown = page.run(SHOWN)
    for _ in range(60):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        reached |= set(
            page.run("return arguments[0].filter((each) => document.activeElement.matches(each))", list(wanted))
        )
    assert reached == wanted
    assert page.run(SHOWN) == shown  # who passes a control has changed nothing
    assert "strength=9 in the link is passed over" in page.text("#view .said")

    # The player without a mouse: play, seek, switch, zoom.
    page.part("#view .scroll").send_keys(" ")
    until(lambda: page.plays() and page.position() > 0)
    page.part("#view .scroll").send_keys(" ")
    assert not page.plays()
    page.part("#view .position").send_keys(Keys.END)
    until(lambda: page.position() > 30)
    page.run("document.querySelector('[name=heard]:checked').focus()")
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
    assert page.run("return document.querySelector('[name=heard]:checked').value") == "2"
    assert page.text("#view .heard b") == "Singer 3"


def test_a_link_carries_the_settings(server, browser):
    page = Page(browser, f"{server.address}?singers=2,7&seed=5&strength=0.5&song=Hänschen klein&temperature=9", lanes=2)
    assert "temperature=9 in the link is passed over" in page.text("#view .said")
    assert [each.text for each in page.browser.find_elements("css selector", "#view .head b")] == [
        "Singer 2",
        "Singer 7",
    ]
    heads = page.text("#view .wide")
    link = page.link()
    assert "seed=5" in link
    assert link == page.browser.current_url
    again = Page(browser, link, lanes=2)
    assert again.text("#view .wide") == heads
    assert page.count("#view .said") == 0
    # A recording cannot be in it, nor a song of one's own.
    assert "like" not in link


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_it_fits_the_screen(server, browser, width, height, dark):
    phone = width < 500
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    page = Page(browser, f"{server.address}?singers=1,3", lanes=2)
    assert page.run("return document.documentElement.scrollWidth") <= width
    assert page.run("return document.body.classList.contains('dark')") == dark
    [top, bottom] = page.run(
        "const box = document.querySelector('#view .lane-picture .sung').closest('svg').getBoundingClientRect();"
        "return [box.top, box.bottom]"
    )
    assert 0 < top < bottom < height
    assert page.run("const s = document.querySelector('#view .scroll'); return s.scrollWidth - s.clientWidth") == 0
    small = page.run(
        """return [...document.querySelectorAll("body *")].filter((each) => each.checkVisibility()
        && [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())
        && parseFloat(getComputedStyle(each).fontSize) < 11).map((each) => each.textContent)"""
    )
    assert small == []
    # Nothing is wider than what it is in, but the picture, which scrolls.
    wide = page.run(
        """return [...document.querySelectorAll(".gradio-container *")].filter((each) => each.checkVisibility()
        && !each.closest("svg") && each.getBoundingClientRect().right > innerWidth + 1).map((each) => each.outerHTML)"""
    )
    assert wide == []
