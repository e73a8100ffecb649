"""``python -m benchmarks chain``: what it costs a reply that calls are logged to Kafka.

Two chains customer -> preference -> recommendation stand side by side on loopback, one process each: one logs to a real
broker, the other does not. Rounds of calls go to them in turn, so that whatever else the machine does hits both. The
caller keeps its connections open. Logging to stdout is on in both, and goes to the null device.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from lab.control_plane import free_ports
from lab.kafka.broker import Broker
from lab.lab import ROOT

NAMES = ("customer", "preference", "recommendation")
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
ROUNDS = 100
CALLS = 80
"""Calls of one round: few, so that what else goes on is the same for both chains."""

PATIENCE = 30.0
TARGET = 0.05


@dataclass
class Rounds:
    """Seconds that the rounds took together, and those of each call."""

    seconds: float = 0.0
    calls: list[float] = field(default_factory=list)

    def percentile(self, share: int) -> float:
        """Return a percentile of the calls, in milliseconds."""
        return statistics.quantiles(self.calls, n=100)[share - 1] * 1000

    def row(self, what: str) -> str:
        """Return a row of the table."""
        rate = len(self.calls) / self.seconds
        return f"{what:<40}{rate:8.0f} calls/s   p50{self.percentile(50):7.3f} ms   p99{self.percentile(99):7.3f} ms"


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


async def one_round(port: int, callers: int, rounds: Rounds) -> None:
    """Make the calls of a round and note how long they took."""

    async def caller() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(CALLS // callers):
            began = time.perf_counter()
            writer.write(REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length: "))
            await reader.readexactly(int(length.split()[1]))
            rounds.calls.append(time.perf_counter() - began)
            assert head.startswith(b"HTTP/1.1 200 "), head
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    rounds.seconds += time.perf_counter() - began


async def compare(off: int, on: int, callers: int) -> tuple[Rounds, Rounds]:
    """Measure two chains in turn; which one is first changes with every round."""
    without, with_logging = Rounds(), Rounds()
    for port in (off, on):
        await one_round(port, callers, Rounds())
    for turn in range(ROUNDS):
        pair = [(off, without), (on, with_logging)]
        for port, rounds in pair if turn % 2 else pair[::-1]:
            await one_round(port, callers, rounds)
    return without, with_logging


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
                without, with_logging = asyncio.run(compare(off, on, callers))
                who = f"{callers} caller{'s' if callers > 1 else ''}"
                print(without.row(f"{who}, no logging"))
                print(with_logging.row(f"{who}, logging to Kafka"))
                cost = with_logging.percentile(50) / without.percentile(50) - 1
                print(f"{f'{who}, p50 with logging':<40}{cost:+8.1%}   at most {TARGET:+.0%}", flush=True)
