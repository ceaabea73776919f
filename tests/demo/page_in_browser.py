"""The page in a browser, as tests use it."""

import json
import re
from typing import Any

from tests.demo.conftest import until


class Page:
    """The page in a browser."""

    def __init__(self, browser: Any, address: str, lanes: int = 1) -> None:
        self.browser = browser
        browser.get(address)
        until(lambda: self.count("#view .lane") == lanes)
        until(self.link)  # comes last

    def part(self, selector: str) -> Any:
        from selenium.webdriver.common.by import By

        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def count(self, selector: str) -> int:
        return int(self.run("return document.querySelectorAll(arguments[0]).length", selector))

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector))

    def link(self) -> str:
        return str(self.run("return document.querySelector('#link :is(input, textarea)').value"))

    def requests(self) -> list[str]:
        """Returns the addresses that the browser has asked for since this was called last."""
        messages = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        return [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]

    def take(self) -> str:
        """Returns how each note is sung."""
        return str(
            self.run("return [...document.querySelectorAll('#view title')].map((each) => each.textContent).join()")
        )

    def choose(self, selector: str, text: str) -> None:
        """Chooses from a list, by the keyboard."""
        from selenium.webdriver.common.keys import Keys

        self.part(f"{selector} input").send_keys(Keys.CONTROL, "a")
        self.part(f"{selector} input").send_keys(text, Keys.ENTER)

    def number(self, selector: str, value: str) -> None:
        """Types a number."""
        from selenium.webdriver.common.keys import Keys

        self.part(f"{selector} input[type=number]").send_keys(Keys.CONTROL, "a")
        self.part(f"{selector} input[type=number]").send_keys(value, Keys.TAB)

    def changes(self, action: Any) -> None:
        """Does something and waits until the picture is another one."""
        seen = self.run("return document.querySelector('#view .scroll')?.innerHTML")
        before = re.sub(r'style="[^"]*"', "", str(seen))
        action()
        until(
            lambda: (
                re.sub(r'style="[^"]*"', "", str(self.run("return document.querySelector('#view .scroll')?.innerHTML")))
                != before
            )
        )

    def position(self) -> float:
        return float(self.run("return document.querySelector('#view .position').value"))

    def seek(self, seconds: float) -> None:
        """Moves the position; far from the song's end, where a busy machine would otherwise let the song end."""
        self.run(
            "const position = document.querySelector('#view .position'); position.value = arguments[0];"
            "position.dispatchEvent(new Event('input', {bubbles: true}))",
            seconds,
        )

    def cursor(self) -> float:
        """Returns where the cursor is, as a share of the time line."""
        return float(
            self.run(
                "const plot = document.querySelector('#view .plot').getBoundingClientRect();"
                "return (document.querySelector('#view .cursor').getBoundingClientRect().left - plot.left) / plot.width"
            )
        )

    def plays(self) -> bool:
        return self.part("#view [data-do=play]").get_attribute("aria-label") == "Pause"

    def play(self) -> None:
        """Presses Play, and waits until the position moves."""
        before = self.position()
        self.part("#view [data-do=play]").click()
        until(lambda: self.position() > before)
