import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import pytest

from toy_duration_predictor import cli
from toy_duration_predictor.data.midi.smf import LYRIC, META, Tracks, parse, unparse
from toy_duration_predictor.data.midi.voice import Voice, read_voice
from toy_duration_predictor.demo.built_in_songs import write_songs
from toy_duration_predictor.demo.performance import MOST_BEATS, MOST_SECONDS, read_song, write_performance
from toy_duration_predictor.demo.piano_roll import PianoRoll, piano_roll_html
from toy_duration_predictor.demo.voice import RATE, sing
from toy_duration_predictor.errors import InputError
from toy_duration_predictor.inference.predictor import Predictor
from toy_duration_predictor.scores.perform import HumanizeSettings, Sings

# Seconds that a page, a browser or a process is given where this machine has much else to do.
LONGEST = 120


def midi(notes: int = 8, lyric: bytes = b"la", ticks: int = 240) -> bytes:
    """A song of equal notes."""
    events = [(0, META, 0x51, (500_000).to_bytes(3))]
    for i in range(notes):
        events += [(i * ticks, META, LYRIC, lyric), (i * ticks, 0x90, 60 + i % 12, b"\x50")]
        events.append(((i + 1) * ticks, 0x80, 60 + i % 12, b"\0"))
    return unparse(Tracks(0, 480, [events]))


def voice(content: bytes) -> Voice:
    return read_voice(parse(content))


class TestTheVoice:
    def test_it_sings_the_notes_and_nothing_between_them(self):
        notes = np.array([[0.5, 1.5], [2.0, 2.5]])
        sound = sing(notes, np.array([69, 57]), np.array([])).astype(float)
        assert len(sound) == int(3.5 * RATE)
        for (begin, end), hertz in zip(notes, (440, 220), strict=True):
            part = sound[int((begin + 0.05) * RATE) : int((end - 0.05) * RATE)]
            spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 2**18))
            frequency = np.fft.rfftfreq(2**18, 1 / RATE)
            near = np.abs(frequency / hertz - 1) < 0.3
            assert abs(frequency[near][spectrum[near].argmax()] / hertz - 1) < 0.02
        for begin, end in ((0, 0.5), (1.51, 2.0), (2.51, 3.5)):
            assert not sound[int(begin * RATE) : int(end * RATE)].any()

    def test_beats_click(self):
        beats = np.array([0.0, 0.5, 1.0])
        sound = sing(np.array([[1.5, 2.0]]), np.array([60]), beats)
        loud = np.flatnonzero(np.abs(sound[: int(1.4 * RATE)]) > 500) / RATE
        assert {round(float(each), 1) for each in loud} == set(beats)

    def test_high_notes_do_not_fold_back(self):
        sound = sing(np.array([[0.0, 1.0]]), np.array([120]), np.array([])).astype(float)
        spectrum = np.abs(np.fft.rfft(sound[:RATE] * np.hanning(RATE)))
        assert spectrum[:8000].max() < 0.01 * spectrum.max()


class TestThePicture:
    def test_it_shows_every_note_twice_with_its_lyric_and_deviation(self):
        score = np.array([[0.0, 0.5], [0.5, 1.0], [1.5, 2.0]])
        sung = score + np.array([[0, 0], [0.02, 0.02], [-0.03, 0]])
        lyric = ["아", "<script>alert(1)</script>", "&"]
        page = piano_roll_html(PianoRoll(score, sung, np.array([60, 64, 62]), lyric, np.array([0.0, 2.0])))
        assert "<script" not in page
        picture = ElementTree.fromstring(re.findall(r"<svg.*?</svg>", page)[1])
        kinds = [each.get("class") for each in picture.iter("rect")]
        assert [kinds.count(kind) for kind in ("score", "sung", "late", "early")] == [3, 3, 1, 2]
        assert [t.text for t in picture.iter("text") if t.get("class") is None] == lyric
        titles = [title.text for title in picture.iter("title")]
        assert [title.split(",")[0] for title in titles] == [
            "아 on time",
            "<script>alert(1)</script> 20 ms late",
            "& 30 ms early",
        ]

    def test_the_longest_bar_is_the_scale(self):
        score = np.array([[0.0, 0.5], [0.5, 1.0]])
        page = piano_roll_html(
            PianoRoll(score, score + np.array([[0], [0.2]]), np.array([60, 60]), ["", ""], np.array([]))
        )
        assert "+200 ms" in page
        heights = re.findall(r'class="(?:late|early)"[^>]* height="([\d.]+)"', page)
        assert [float(height) for height in heights] == [0, 55]


def test_the_built_in_songs_are_whole(tmp_path):
    songs = {name: voice(place.read_bytes()) for name, place in write_songs(tmp_path).items()}
    for song in songs.values():
        assert not song.mended
        assert (song.onset % 60 == 0).all()
        assert all(song.lyric)
    assert "".join(songs["Ode to Joy"].lyric[:8]) == "Freude,schönerGötterfunken,"
    assert (songs["Hänschen klein"].onset[-1] + songs["Hänschen klein"].duration[-1]) % (4 * 480) == 0


def zipped() -> bytes:
    """A thousandfold of itself."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("song.mid", bytes(1_000_000))
    return archive.getvalue()


HOSTILE = {
    "not MIDI": (b"a" * 100, "is not a Standard MIDI File"),
    "empty": (b"", "is not a Standard MIDI File"),
    "a zip bomb": (zipped(), "is not a Standard MIDI File"),
    "cut": (midi()[:-20], "is cut"),
    "too many events": (midi(notes=8_000), "24,001 events"),
    "too large": (midi(lyric=b"l" * 200_000), "1,600,"),
    "no notes": (midi(notes=0), "has no notes"),
}


@pytest.mark.parametrize(("content", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_uploads_are_refused_by_name(content, reason):
    began = time.process_time()
    with pytest.raises(InputError, match=reason):
        read_song(content)
    assert time.process_time() - began < 3


# No event may come later than 2^28 ticks after the one before.
LATE = [*((n * 2**27, META, 1, b"") for n in range(16)), (2**31 - 9, 0x90, 0, b"\1")]


@pytest.mark.parametrize(
    "content",
    [
        midi(notes=6_000),
        unparse(Tracks(0, 1, [[(0, META, 0x51, b"\0\0\1"), *LATE, (2**31 - 1, 0x80, 0, b"\0")]])),
        unparse(Tracks(0, 1, [[(0, META, 0x58, b"\0\xff\0\0"), (0, 0x90, 127, b"\1"), (30_000, 0x80, 127, b"\0")]])),
        unparse(Tracks(0, 96, [[(0, 0x90, 60, b"\1")] * 9_000 + [(9, 0x80, 60, b"\0")] * 9_000])),
    ],
    ids=["6,000 notes", "days of silence", "endless beats", "9,000 notes at once"],
)
def test_odd_files_take_seconds(content, tmp_path):
    """The picture and the sound of a song have an end, whatever the song has."""
    song = read_song(content)
    settings = HumanizeSettings(temperature=1.0)
    began = time.process_time()
    picture, before, _, result = write_performance(song, Predictor.load("demo"), Sings(3), settings, tmp_path, "odd")
    assert time.process_time() - began < 20
    assert before.stat().st_size <= 2 * RATE * (MOST_SECONDS + 1) + 100
    assert picture.count('class="line"') <= MOST_BEATS
    assert len(voice(result.read_bytes()).onset) == len(voice(content).onset)


class Server(NamedTuple):
    """A running `tdp demo`."""

    address: str
    temporary: Path
    process: subprocess.Popen[str]

    def files(self) -> list[Path]:
        """What visitors have left."""
        return [path for path in self.temporary.glob("tdp-demo-*/files/**/*") if path.is_file() and path.stat().st_size]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not find_spec("gradio"):
        pytest.skip("the page needs the extra 'demo'")
    temporary = tmp_path_factory.mktemp("server")
    process = demo("--port", str(free_port()), TMPDIR=str(temporary))
    try:
        line = process.stdout.readline()
        address = re.search(r"http://\S+/", line)
        assert address, line + process.communicate()[1]
        yield Server(address[0], temporary, process)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=LONGEST)
        assert process.returncode == 0
        assert "toy_duration_predictor" not in complaints, complaints  # Gradio logs the attacks below itself
        assert not [path for path in temporary.rglob("*") if path.is_file()]
    finally:
        process.kill()
        process.communicate()


def demo(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "toy_duration_predictor.cli", "demo", *arguments]
    return subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_it_listens_on_loopback_only(server):
    assert server.address.startswith("http://127.0.0.1:")
    port = int(server.address.rstrip("/").rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; tells this machine's own address
        own = probe.getsockname()[0]
    with pytest.raises(OSError, match=r"refused|timed out"), socket.create_connection((own, port), timeout=2):
        pass


@pytest.mark.slow
def test_a_port_in_use_ends_in_a_sentence(server):
    port = server.address.rstrip("/").rpartition(":")[2]
    output, complaint = demo("--port", port).communicate(timeout=LONGEST)
    assert output == ""
    # After the line that libraries are loaded.
    assert complaint.splitlines()[1:] == [
        f"The page cannot listen on 127.0.0.1:{port}; choose another --host or --port."
    ]


def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "toy_duration_predictor.demo.page", raising=False)
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo"])
    assert ended.value.code == "The page needs Gradio: pip install 'toy-duration-predictor[demo]'."


class TestAttacks:
    """Requests that no browser would make."""

    @pytest.mark.parametrize("path", ["/etc/passwd", "../../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd"])
    def test_no_other_file_is_given_away(self, server, path):
        with pytest.raises(urllib.error.HTTPError, match=r"403|404") as refused:
            urllib.request.urlopen(f"{server.address}gradio_api/file={path}", timeout=LONGEST)
        refused.value.close()

    def test_no_other_file_is_read(self, server, tmp_path):
        own = tmp_path / "own.mid"
        own.write_bytes(midi())
        for path in (own, next(server.temporary.glob("*/examples/*.mid"))):
            for function in (1, 3):  # a score, and a recording to sing like
                assert "error" in call(server, function, [{"path": str(path), "meta": {"_type": "gradio.FileData"}}])
                assert path.exists()

    def test_a_visit_cannot_choose_its_folder(self, server):
        [sent] = upload(server, "song.mid", midi())
        call(server, 1, [{"path": sent, "meta": {"_type": "gradio.FileData"}}], session="../../../escaped")
        assert not list(server.temporary.rglob("escaped"))
        [song] = server.files()
        assert song.name == "song.mid"
        assert re.fullmatch("[0-9a-f]{64}", song.parents[1].name)
        song.unlink()

    def test_large_uploads_are_refused(self, server):
        before = server.files()
        with pytest.raises(urllib.error.URLError, match=r"413|reset|pipe") as refused:
            upload(server, "song.mid", bytes(100_000_000))
        if isinstance(refused.value, urllib.error.HTTPError):
            refused.value.close()
        until(lambda: server.files() == before)

    def test_names_lead_nowhere(self, server):
        [sent] = upload(server, "../../../escaped.mid", midi())
        assert server.temporary in Path(sent).resolve().parents
        assert "files" in Path(sent).parts
        Path(sent).unlink()

    def test_settings_out_of_range_are_refused(self, server):
        for singer, strength in ((1, 99), (99, 1)):
            assert "error" in call(server, 2, [None, singer, None, strength, 1, 0])


def upload(server: Server, name: str, content: bytes) -> list[str]:
    """Sends a file as a form and returns where it was put."""
    head = f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
    request = urllib.request.Request(
        f"{server.address}gradio_api/upload",
        head + content + b"\r\n--b--\r\n",
        {"Content-Type": "multipart/form-data; boundary=b"},
    )
    with urllib.request.urlopen(request, timeout=LONGEST) as answer:
        paths: list[str] = json.load(answer)
    return paths


def call(server: Server, function: int, data: list[Any], session: str = "abc") -> str:
    """Calls a function of the page and returns all that comes back."""
    body = json.dumps({"fn_index": function, "data": data, "session_hash": session}).encode()
    headers = {"Content-Type": "application/json"}
    for path, sent in (("queue/join", body), (f"queue/data?session_hash={session}", None)):
        request = urllib.request.Request(f"{server.address}gradio_api/{path}", sent, headers)
        with urllib.request.urlopen(request, timeout=LONGEST) as answer:
            text = answer.read().decode()
    return str(text)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("Chromium and chromedriver are not both on the path")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    # Containers have neither what the sandbox needs nor a large /dev/shm.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    opened = webdriver.Chrome(options, Service(driver))
    opened.implicitly_wait(LONGEST)
    opened.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path / "got")})
    yield opened
    opened.quit()


def until(holds: Any, pause: float = 0.1) -> None:
    """Waits until a condition holds. It is asked again after each pause, in seconds."""
    end = time.monotonic() + LONGEST
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(pause)


def test_a_visit(server, browser, tmp_path):
    """Upload, choose, look, play, download; nothing is asked of another host, and nothing stays."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    def part(selector: str) -> Any:
        return browser.find_element(By.CSS_SELECTOR, selector)

    def picture() -> str:
        return str(part("#picture .scroll").get_attribute("innerHTML"))

    browser.get(server.address)
    assert ">Freu<" in picture()  # the first example is there from the start

    bad, good = tmp_path / "bad.mid", tmp_path / "가 #1 <b>.mid"
    bad.write_bytes(b"MThd" + bytes(50))
    good.write_bytes(midi(notes=16, lyric="가<i>".encode()))
    part("#upload input[type=file]").send_keys(str(bad))
    until(lambda: "cannot be used: it does not count in ticks per beat" in part("[data-testid=toast-body]").text)
    part("#upload input[type=file]").send_keys(str(good))
    until(lambda: picture().count("가&lt;i&gt; ") == 16)
    assert browser.execute_script("return document.querySelectorAll('#picture .scroll i').length") == 0

    before = picture()
    singer = part("#singer input")
    singer.send_keys(Keys.CONTROL, "a")
    singer.send_keys("Singer 7", Keys.ENTER)
    until(lambda: picture() != before)
    for setting, value in (("strength", "1.5"), ("temperature", "0.5")):
        before = picture()
        part(f"#{setting} input[type=number]").send_keys(Keys.CONTROL, "a")
        part(f"#{setting} input[type=number]").send_keys(value, Keys.TAB)
        until(lambda before=before: picture() != before)

    def plays() -> bool:
        """Whether the player is past its first second; if not, presses Play, which is not there while it plays."""
        # The first of its times is how far it has played. A busy machine may never show a certain second.
        if re.findall(r"\d+:\d\d", part("#after").text)[:1] not in ([], ["0:00"]):
            return True
        browser.execute_script("document.querySelector('#after button[aria-label=Play]')?.click()")
        return False

    # The player is a new one, deaf until it has loaded, after each performance.
    until(plays, pause=2)
    part("#download").click()
    until(lambda: list(tmp_path.glob("got/*.mid")))
    [got] = tmp_path.glob("got/*.mid")
    assert got.name == "가 1 b - singer 7.mid"
    score, sung = voice(good.read_bytes()), voice(got.read_bytes())
    assert sung.lyric == score.lyric
    assert (sung.pitch == score.pitch).all()
    assert (sung.onset != score.onset).sum() > 6
    assert np.abs(sung.onset - score.onset).max() <= 1.5 * 30 + 1  # half a step, times the strength

    before = picture()
    part("#recording input[type=file]").send_keys(str(bad))
    until(lambda: "cannot be used: it does not count in ticks per beat" in part("[data-testid=toast-body]").text)
    assert picture() == before
    part("#recording input[type=file]").send_keys(str(good))
    until(lambda: picture() != before)
    part("#download").click()
    until(lambda: list(tmp_path.glob("got/*like*.mid")))

    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    assert len(asked) > 10
    assert not [url for url in asked if not url.startswith((server.address, f"blob:{server.address}", "data:"))]
    browser.get("about:blank")
    until(lambda: not server.files())


@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_the_screen(server, browser, width):
    from selenium.webdriver.common.by import By

    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(server.address)
    assert browser.find_element(By.CSS_SELECTOR, "#picture .scroll")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
