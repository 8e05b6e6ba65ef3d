"""A real browser, headless, that is driven through its own driver and fetches nothing by itself."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
PATIENCE = 30.0
"""Seconds for something that happens at once on an idle machine."""


class Browser:
    """A tab.

    Args:
        driver: what drives it.
    """

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, address: str, *, width: int = 1280, height: int = 900, theme: str = "light") -> None:
        """Open the page at *address* anew in a window of that many pixels and the system's *theme*, and wait for it."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get("about:blank")
        self.messages()
        self.requests()
        self.driver.get(address)
        self.until("return 'ready' in document.documentElement.dataset")

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what *script* gives."""
        return self.driver.execute_script(script, *arguments)

    def until(self, script: str, *arguments: Any) -> Any:
        """Wait until *script* gives something true, and return that."""
        return WebDriverWait(self.driver, PATIENCE, 0.02).until(lambda _: self.run(script, *arguments))

    def find(self, selector: str) -> WebElement:
        """Return the first element that *selector* names."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements that *selector* names."""
        found: list[str] = self.run(
            "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)", selector
        )
        return found

    def messages(self) -> list[str]:
        """Return what the console said since the last call."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]  # selenium has no type for it

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the last call, those in the page's own text left out."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]  # type: ignore[no-untyped-call]  # as above
        asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith(("data:", "about:"))]


@contextmanager
def browser(driver: str) -> Iterator[Browser]:
    """Start a browser with a fresh profile, and remove both.

    Args:
        driver: path of chromedriver, which finds its browser beside it.
    """
    with tempfile.TemporaryDirectory(prefix="nomos-browser-", ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        # Named, so that selenium looks for none and asks nobody for one.
        options.binary_location = str(Path(driver).with_name("chromium"))
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        chrome = webdriver.Chrome(options=options, service=Service(driver))
        try:
            yield Browser(chrome)
        finally:
            chrome.quit()
