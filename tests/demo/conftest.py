"""A page that is served, and a browser."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

# Seconds that a page, a browser or a process is given where this machine has much else to do.
LONGEST = 120


class Server(NamedTuple):
    """A running `tdp demo`."""

    address: str
    temporary: Path
    process: subprocess.Popen[str]

    def files(self) -> list[Path]:
        """What visitors have left. Files may go while this looks."""
        [folder] = self.temporary.glob("tdp-demo-*/files")
        return [Path(place, name) for place, _, names in os.walk(folder) for name in names if is_filled(place, name)]


def is_filled(place: str, name: str) -> bool:
    with suppress(FileNotFoundError):
        return Path(place, name).stat().st_size > 0
    return False


@pytest.fixture(scope="package")
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
        assert "toy_duration_predictor" not in complaints, complaints  # Gradio logs the attacks itself
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
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    opened = webdriver.Chrome(options, Service(driver))
    opened.implicitly_wait(LONGEST)
    opened.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path / "got")})
    yield opened
    opened.quit()


def until(holds: Callable[[], Any], pause: float = 0.1) -> None:
    """Waits until a condition holds. It is asked again after each pause, in seconds."""
    end = time.monotonic() + LONGEST
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(pause)
