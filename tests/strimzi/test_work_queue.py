"""What is looked at, how often, and what trouble does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from lab.strimzi import work_queue as queues
from lab.strimzi.work_queue import Queue

pytestmark = pytest.mark.unit


def played(reconcile: Callable[[str], float | None], play: Callable[[Queue[str]], Awaitable[None]]) -> None:
    """Run a queue while ``play`` calls for things."""

    async def run() -> None:
        queue = Queue(reconcile)
        working = asyncio.create_task(queue.run())
        try:
            async with asyncio.timeout(10):
                await play(queue)
        finally:
            working.cancel()

    asyncio.run(run())


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 reconciling happens in a thread
        await asyncio.sleep(0.01)


def test_what_is_called_for_several_times_is_looked_at_once() -> None:
    seen: list[str] = []

    async def play(queue: Queue[str]) -> None:
        for key in "aabab":
            queue.enqueue(key)
        await until(lambda: len(seen) >= 2)
        await asyncio.sleep(0.05)

    played(seen.append, play)
    assert sorted(seen) == ["a", "b"]


def test_a_call_that_comes_during_a_look_is_another_look_and_one_thing_is_seen_to_at_a_time() -> None:
    at_once, most, seen = 0, 0, 0
    started = asyncio.Event()

    def reconcile(_: str) -> None:
        nonlocal at_once, most, seen
        at_once += 1
        most = max(most, at_once)
        loop.call_soon_threadsafe(started.set)
        time.sleep(0.1)
        seen += 1
        at_once -= 1

    async def play(queue: Queue[str]) -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        queue.enqueue("a")
        queue.enqueue("b")
        await started.wait()
        queue.enqueue("a")
        queue.enqueue("b")
        await asyncio.sleep(0.6)

    loop: asyncio.AbstractEventLoop
    played(reconcile, play)
    assert (most, seen) in ((1, 3), (1, 4))


def test_a_key_is_seen_again_after_the_time_that_it_asked_for_or_at_once_when_called_for() -> None:
    times: list[float] = []

    async def play(queue: Queue[str]) -> None:
        queue.enqueue("a")
        await until(lambda: len(times) >= 3)
        queue.enqueue("a")
        await asyncio.sleep(0.05)
        assert len(times) == 4

    def reconcile(_: str) -> float:
        times.append(time.monotonic())
        return 0.2 if len(times) < 3 else 60

    played(reconcile, play)
    assert times[1] - times[0] >= 0.2
    assert times[3] - times[2] < 0.15


def test_to_ask_for_a_later_look_puts_none_off() -> None:
    seen: list[str] = []

    async def play(queue: Queue[str]) -> None:
        queue.enqueue("a")
        queue.enqueue("a", after=60)
        await until(lambda: bool(seen))

    played(seen.append, play)


def test_trouble_with_one_key_is_said_in_a_line_tried_again_and_none_of_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(queues, "_FIRST_DELAY", 0.05)
    seen: list[str] = []

    def reconcile(key: str) -> None:
        seen.append(key)
        if key == "bad" and seen.count("bad") < 3:
            raise RuntimeError("no luck")

    async def play(queue: Queue[str]) -> None:
        queue.enqueue("bad")
        queue.enqueue("good")
        await until(lambda: seen.count("bad") >= 3)

    played(reconcile, play)
    assert "good" in seen
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["bad: RuntimeError: no luck; retrying in 0 s"] * 2
    assert not any(record.exc_info for record in caplog.records)
