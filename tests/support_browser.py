"""A real browser for tests: Debian's Chromium with its own driver, without any network request."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

_PATIENCE = 30.0
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_HOW = "Chromium is missing: apt-get install chromium chromium-driver"


class Browser:
    """A browser with one page; `run` returns what its script returns."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        """Use this driver."""
        self.driver = driver

    def open(self, url: str, width: int = 1200) -> None:
        """Load a page in a window of this width."""
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.complaints()  # forget what an earlier page had to say
        self.driver.get(url)

    def run(self, script: str, *values: object) -> Any:
        """Run a script in the page; the page's policy does not apply to it."""
        return self.driver.execute_script(script, *values)

    def becomes(self, script: str, *values: object) -> None:
        """Wait until a script returns true."""
        WebDriverWait(self.driver, _PATIENCE, poll_frequency=0.05).until(
            lambda _: self.run(script, *values), script
        )

    def prefers(self, scheme: str) -> None:
        """Set the user's preference, "dark" or "light"."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def lives_in(self, zone: str) -> None:
        """Set the user's time zone; none is the machine's own."""
        self.driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": zone})

    def complaints(self) -> list[str]:
        """Return the console's errors and the violations of the page's policy."""
        lines = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [line["message"] for line in lines]


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """Run a browser within the block; its new profile lies in ``folder``."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        missing(_HOW)
    options = webdriver.ChromeOptions()
    options.binary_location = str(binary)
    for flag in (*_FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    # Both are named, so nothing is looked for elsewhere.
    running = webdriver.Chrome(options, Service(executable_path=str(driver)))
    try:
        yield Browser(running)
    finally:
        running.quit()


def missing(how: str) -> None:
    """Skip a test whose service is not installed; where everything must be, fail it."""
    if os.environ.get("CI"):
        pytest.fail(how)
    pytest.skip(how)
