"""Calls over kept connections, and how long they took: what several measurements share."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from dataclasses import dataclass, field

CALLS = 80
"""Calls of one round: few, so that what else goes on is the same for both sides."""

_LENGTH = re.compile(rb"^content-length: (\d+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Target:
    """Where calls go."""

    port: int
    host: str = "127.0.0.1"
    path: str = "/"


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


async def one_round(target: Target, callers: int, rounds: Rounds) -> None:
    """Make the calls of a round and note how long they took."""
    request = f"GET {target.path} HTTP/1.1\r\nHost: {target.host}\r\n\r\n".encode()

    async def caller() -> None:
        reader, writer = await asyncio.open_connection(target.host, target.port)
        for _ in range(CALLS // callers):
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            assert length, head
            await reader.readexactly(int(length[1]))
            rounds.calls.append(time.perf_counter() - began)
            assert head.startswith(b"HTTP/1.1 200 "), head
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    rounds.seconds += time.perf_counter() - began


async def compare(one: Target, other: Target, callers: int, turns: int) -> tuple[Rounds, Rounds]:
    """Measure two targets in turn; which one is first changes with every round."""
    first, second = Rounds(), Rounds()
    for target in (one, other):
        await one_round(target, callers, Rounds())
    for turn in range(turns):
        pair = [(one, first), (other, second)]
        for target, rounds in pair if turn % 2 else pair[::-1]:
            await one_round(target, callers, rounds)
    return first, second
