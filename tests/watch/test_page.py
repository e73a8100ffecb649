"""The page as a browser shows it, and its server, for a lab that the test makes up."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from selenium.webdriver.chrome.webdriver import WebDriver

from lab.watch.graph import graph
from lab.watch.proxies import Proxies
from lab.watch.server import HOST, application
from lab.watch.watch import Watch
from tests.lab.conftest import eventually
from tests.watch.browser import browser, counts, show, text
from tests.watch.example import model

pytestmark = pytest.mark.lab

HOSTILE = "</text><img src=x onerror=alert(1)>"


class Site:
    """The page of a made-up lab, with a service of a hostile name, served by a thread."""

    def __init__(self) -> None:
        declared = model()
        declared.workloads[0].labels["app"] = HOSTILE
        self.watch = Watch("made-up", graph(declared), Proxies({}))
        self.faults: dict[str, str | None] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}/"

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    async def _start(self) -> None:
        app = application(self.watch, lambda: self.faults)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port).start()
        self._port = self._runner.addresses[0][1]

    def cut(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()

    def mend(self) -> None:
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    def stop(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def count(self, number: int, now: float) -> None:
        records = [["log-customer", HOSTILE.upper(), "v1", "PREFERENCE", "", number]]
        reported = {"log-customer": 0, "log-preference": 0}
        told = {"complete": True, "unreadable": 0, "records": records, "reported": reported}
        self.watch.count(json.dumps(told), now)


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    site.start()
    yield site
    site.stop()


@pytest.fixture(scope="module")
def driver() -> Iterator[WebDriver]:
    with browser() as driver:
        yield driver


def test_names_and_groups_are_text_and_never_markup(site: Site, driver: WebDriver) -> None:
    site.count(12345, 0)
    window = "2026-01-01T00:00:00Z/2026-01-01T00:00:10Z"
    site.watch.report.take(f"{window} <b>A</b>:<script>alert(1)</script>:<img/src=x/onerror=alert(1)> 3\n")
    driver.get(site.url)
    eventually(lambda: text(driver, "#status") == "Live")
    assert counts(driver)["app/customer-v1 > topic/log-customer"] == 12345
    assert text(driver, '[data-node="app/customer-v1"] text') == HOSTILE
    assert "<b>A</b> → <img/src=x/onerror=alert(1)>" in text(driver, "#report")
    assert driver.execute_script("return document.querySelectorAll('img, b, body script').length") == 0
    assert driver.get_log("browser") == []


def test_counts_and_rates_go_on_without_a_reload(site: Site, driver: WebDriver) -> None:
    site.count(10, 0)
    driver.get(site.url)
    edge = "app/customer-v1 > topic/log-customer"
    eventually(lambda: counts(driver).get(edge) == 10)
    site.count(40, 10)
    eventually(lambda: counts(driver)[edge] == 40)
    assert text(driver, f'.label[data-edge="{edge}"] .rate') == "3.0/s"
    row = text(driver, f'#edges [data-edge="{edge}"]')
    assert row == f"{HOSTILE} v1 writes to topic customerKafka user customer-user403.0"


def test_a_cluster_and_a_server_that_are_away_are_told_and_come_back(site: Site, driver: WebDriver) -> None:
    driver.get(site.url)
    eventually(lambda: text(driver, "#status") == "Counting what is in Kafka already…")
    site.count(1, 0)
    eventually(lambda: text(driver, "#status") == "Live")
    site.faults["no live counts"] = "no pods <b>"
    eventually(lambda: text(driver, "#status").endswith("trying again (no live counts: no pods <b>)"))
    assert counts(driver)["app/customer-v1 > topic/log-customer"] == 1
    site.faults.clear()
    eventually(lambda: text(driver, "#status") == "Live")
    site.cut()
    eventually(lambda: text(driver, "#status").startswith("Connection lost"))
    site.mend()
    eventually(lambda: text(driver, "#status") == "Live")


@pytest.mark.parametrize("width", [360, 768, 1280, 2560])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_of_it_is_in_view_and_its_colours_tell(site: Site, driver: WebDriver, width: int, scheme: str) -> None:
    show(driver, width, 900, scheme)
    site.count(1000, 0)
    driver.get(site.url)
    eventually(lambda: text(driver, "#status") == "Live")
    assert (
        driver.execute_script("const page = document.documentElement; return page.scrollWidth - page.clientWidth") == 0
    )
    outside = """
        const frame = document.querySelector("section").getBoundingClientRect();
        return [...document.querySelectorAll("#graph :is(rect, text, path):not([hidden])")].filter((part) => {
            const box = part.getBoundingClientRect();
            return box.left < frame.left || box.right > frame.right || box.bottom > frame.bottom;
        }).length;"""
    assert driver.execute_script(outside) == 0
    assert min(driver.execute_script(CONTRASTS)) >= 4.5


CONTRASTS = """
    const light = (colour) => {
        const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
            .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (one, two) => {
        const [low, high] = [light(one), light(two)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    };
    const style = (selector) => getComputedStyle(document.querySelector(selector));
    const [page, card] = [style("body").backgroundColor, style("section").backgroundColor];
    return [
        contrast(style("h1").color, page), contrast(style("#status").color, page),
        contrast(style("th").color, card), contrast(style("tbody th").color, card),
        contrast(style(".facts").color, card), contrast(style("#legend").color, card),
        contrast(style(".rate").fill, card), contrast(style(".count").fill, card),
        contrast(style(".detail").fill, style(".node rect").fill),
        ...["call", "write", "read"].map((kind) => contrast(style(`.line.${kind}`).stroke, card)),
    ];"""


def get(url: str, **headers: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers


def test_the_page_loads_nothing_from_elsewhere_and_no_other_name_is_served(site: Site) -> None:
    status, headers = get(site.url)
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert get(f"{site.url}events", Host="elsewhere.example")[0] == 403
    assert get(site.url, Host="localhost")[0] == 200
