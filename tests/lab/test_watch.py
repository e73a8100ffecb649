"""``python -m lab watch`` on the running system, in a browser."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from lab.lab import ROOT
from tests.lab.conftest import System, eventually
from tests.lab.traffic import address, by_topic, call, records
from tests.watch.browser import browser, counts, text

pytestmark = pytest.mark.lab


@contextmanager
def watching(system: System) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the command, and give the URL that it prints."""
    words = [sys.executable, "-m", "lab", "watch", "--name", system.lab.name, "--port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            said = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
            assert said, process.stderr.read()
            yield said[0], process
        finally:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
            assert (process.returncode, out, err) == (0, "", "")


def report(driver: WebDriver) -> list[list[str]]:
    """Return the rows of the report."""
    script = """return [...document.querySelectorAll("#report tbody tr:not(:first-child)")].map(
        (row) => [...row.children].map((cell) => cell.textContent))"""
    found: list[list[str]] = driver.execute_script(script)
    return found


def readers(system: System) -> list[Path]:
    """Return the processes that count records."""
    mark = b"exec(sys.stdin.buffer.read("
    uids = {pod["metadata"]["uid"] for pod in system.get("-n", "demo-app", "pods")["items"]}

    def is_one(process: Path) -> bool:
        try:
            return mark in (process / "cmdline").read_bytes() and any(
                uid in (process / "mountinfo").read_text() for uid in uids
            )
        except OSError:
            return False

    return [process for process in Path("/proc").iterdir() if process.name.isdigit() and is_one(process)]


def test_the_page_shows_the_graph_and_counts_calls_as_they_come(system: System) -> None:
    model = system.lab.access_model()
    versions = [edge.destination for edge in model.edges if "/recommendation-" in edge.destination]
    assert len(versions) == 3
    with watching(system) as (url, _), browser() as driver:
        driver.get(url)
        eventually(lambda: text(driver, "#status") == "Live", 60)
        # What calls before this have left may still be on its way.
        before = eventually(lambda: settled(system, counts(driver)), 60)
        for _ in range(3):
            assert call(address(system))[0] == 200

        def risen() -> Any:
            found = counts(driver)
            return sum(found.values()) - sum(before.values()) >= 27 and found

        after = eventually(risen, 60)
        rise = {edge: number - before[edge] for edge, number in after.items()}
        spread = [f"demo-app/preference-v1 > {version}" for version in versions]
        logged = [f"{version} > topic/demo-application-log-recommendation" for version in versions]
        assert sum(rise.pop(edge) for edge in spread) == 3
        assert sum(rise.pop(edge) for edge in logged) == 3
        topic = "topic/demo-application-log"
        assert rise == dict.fromkeys(
            [
                "istio-system/istio-ingressgateway > demo-app/customer-v1",
                "demo-app/customer-v1 > demo-app/preference-v1",
                f"demo-app/customer-v1 > {topic}-customer",
                f"demo-app/preference-v1 > {topic}-preference",
                f"{topic}-customer > demo-app/consumer-v1",
                f"{topic}-preference > demo-app/consumer-v1",
                f"{topic}-recommendation > demo-app/consumer-v1",
            ],
            3,
        )
        # Each hop's sidecar tells who called it, and over which TLS.
        for caller in ("istio-system/sa/istio-ingressgateway", "demo-app/sa/customer-v1", "demo-app/sa/preference-v1"):
            told = f"seen by its sidecar 3 · errors 0 · caller spiffe://cluster.local/ns/{caller} · TLS TLSv1.3"
            if "preference" in caller:
                told = told.partition("· errors")[2]
            eventually(lambda told=told: told in text(driver, "body"))
        rows = eventually(lambda: report(driver))
        assert ["CUSTOMER → PREFERENCE", "v1"] in [row[:2] for row in rows]
        assert all(int(row[2]) > 0 for row in rows)
        assert text(driver, "#lab") == system.lab.name
        assert driver.get_log("browser") == []
    assert eventually(lambda: readers(system) == [])


def settled(system: System, found: dict[str, int]) -> dict[str, int] | None:
    """Return the counts if they are what is in Kafka, and all of it is reported."""
    in_kafka = {topic: len(of) for topic, of in by_topic(records(system)).items()}
    return found if written(found) == reported(found) == in_kafka else None


def written(found: dict[str, int]) -> dict[str, int]:
    """Return the counts of what is written to each topic."""
    result: dict[str, int] = {}
    for edge, number in found.items():
        topic = edge.partition(" > topic/")[2]
        if topic:
            result[topic] = result.get(topic, 0) + number
    return result


def reported(found: dict[str, int]) -> dict[str, int]:
    """Return the counts of what is reported of each topic."""
    return {edge.partition(" > ")[0].removeprefix("topic/"): found[edge] for edge in found if edge.startswith("topic/")}


def test_counting_goes_on_when_the_consumer_is_replaced(system: System) -> None:
    with watching(system) as (url, _), browser() as driver:
        driver.get(url)
        eventually(lambda: text(driver, "#status") == "Live", 60)
        system.kubectl("-n", "demo-app", "rollout", "restart", "deployment/consumer-v1")
        eventually(lambda: text(driver, "#status").startswith("The cluster is away"), 60)
        eventually(lambda: text(driver, "#status") == "Live", 90)
        before = written(eventually(lambda: settled(system, counts(driver)), 60))
        assert call(address(system))[0] == 200
        eventually(lambda: written(counts(driver)) == {topic: number + 1 for topic, number in before.items()})


def test_a_port_that_is_taken_is_told(system: System) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = system.command("watch", "--port", port)
    assert result.returncode == 1
    assert result.stderr == f"error: --port {port}: taken; choose another port, or 0 for a free one\n"
