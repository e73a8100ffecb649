"""A headless Chromium of a test's own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver

_ARGUMENTS = (
    "headless",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
)


@contextmanager
def browser() -> Iterator[WebDriver]:
    """Start Chromium with a profile that goes with it; it keeps what pages log for ``get_log("browser")``."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        for argument in (*_ARGUMENTS, f"user-data-dir={profile}"):
            options.add_argument(f"--{argument}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
        try:
            yield driver
        finally:
            driver.quit()


def show(driver: WebDriver, width: int, height: int, scheme: str = "light") -> None:
    """Give pages a size in pixels, and a colour scheme."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def text(driver: WebDriver, selector: str) -> str:
    """Return the text of the first element of a selector, as it is in the page."""
    return str(driver.execute_script("return document.querySelector(arguments[0])?.textContent ?? ''", selector))


def counts(driver: WebDriver) -> dict[str, int]:
    """Return the counts on the graph's edges, by edge; those of edges that have one."""
    script = """return [...document.querySelectorAll("#graph .label")].map(
        (label) => [label.dataset.edge, label.querySelector(".count").textContent])"""
    found: list[Any] = driver.execute_script(script)
    return {edge: int(count.replace(",", "")) for edge, count in found if count}
