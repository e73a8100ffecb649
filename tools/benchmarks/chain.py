"""``python -m tools.benchmarks chain``: what it costs a reply that calls are logged to Kafka.

Two chains customer -> preference -> recommendation stand side by side on loopback, one process each: one logs to a real
broker, the other does not. Rounds of calls go to them in turn, so that whatever else the machine does hits both. The
caller keeps its connections open. Logging to stdout is on in both, and goes to the null device.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from lab.kafka.broker import Broker
from lab.lab import ROOT
from lab.ports import free_ports
from tools.benchmarks.load import CALLS, Target, compare

NAMES = ("customer", "preference", "recommendation")
ROUNDS = 100
PATIENCE = 30.0
TARGET = 0.05


def start(stack: ExitStack, program: str, port: int, environment: Mapping[str, str]) -> None:
    """Start a service that ends with the stack."""
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "services", program],
        cwd=ROOT,
        env={**os.environ, "LISTEN_ADDRESS": "127.0.0.1", "PORT": str(port), "STOP_DELAY_SECONDS": "0", **environment},
        stdout=subprocess.DEVNULL,
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)


@contextmanager
def chain(kafka: Mapping[str, Mapping[str, str]]) -> Iterator[int]:
    """Start a chain, and give the port of its head once all of it is ready.

    :param kafka: the environment by which a service logs; none logs when empty.
    """
    first = free_ports()
    with ExitStack() as stack:
        for place, name in enumerate(NAMES):
            upstream = {"UPSTREAM_URL": f"http://127.0.0.1:{first + place + 1}/"} if name != NAMES[-1] else {}
            start(stack, name, first + place, upstream | dict(kafka.get(name, {})))
        for place in range(len(NAMES)):
            wait_until_ready(f"http://127.0.0.1:{first + place}/ready")
        yield first


def wait_until_ready(url: str) -> None:
    """Return when a service is ready.

    :raises SystemExit: if that takes too long.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(urllib.error.URLError), urllib.request.urlopen(url, timeout=5):  # noqa: S310 loopback
            return
        time.sleep(0.05)
    sys.exit(f"{url} was not ready within {PATIENCE:.0f} s")


def main() -> None:
    """Measure, and print a table."""
    password = secrets.token_hex(16)
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        Broker(Path(folder), {"writer": password}) as broker,
    ):
        kafka = {}
        for name in NAMES:
            broker.create_topic(name, partitions=10)
            broker.add_acls("writer", "topic", name, ("Write", "Describe"))
            kafka[name] = {
                "KAFKA_TOPIC": name,
                "KAFKA_BOOTSTRAP_SERVER": broker.bootstrap,
                "KAFKA_USER_NAME": "writer",
                "KAFKA_PASSWORD": password,
            }
        with chain({}) as off, chain(kafka) as on:
            print(f"chain of {len(NAMES)} services: {ROUNDS} rounds of {CALLS} calls each")
            for callers in (1, 8):
                without, with_logging = asyncio.run(compare(Target(off), Target(on), callers, ROUNDS))
                who = f"{callers} caller{'s' if callers > 1 else ''}"
                print(without.row(f"{who}, no logging"))
                print(with_logging.row(f"{who}, logging to Kafka"))
                cost = with_logging.percentile(50) / without.percentile(50) - 1
                print(f"{f'{who}, p50 with logging':<40}{cost:+8.1%}   at most {TARGET:+.0%}", flush=True)
