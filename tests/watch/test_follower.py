"""A command that is run again when it has ended."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence

import pytest

from lab.watch import follower
from lab.watch.follower import Follower

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "_PAUSE", 0.1)


def follow(
    program: str, until: Callable[[Follower, Sequence[str]], bool], *, source: bytes | None = None, patience: float = 20
) -> tuple[Follower, list[str]]:
    """Follow a Python program until something is so."""
    lines: list[str] = []
    made = Follower([sys.executable, "-c", program], lines.append, source, patience)

    async def run() -> None:
        async with asyncio.timeout(20):
            task = asyncio.create_task(made.run())
            while not until(made, lines):  # noqa: ASYNC110 a fault is no event
                await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    return made, lines


def test_what_ends_is_run_again_and_why_it_ended_is_told() -> None:
    program = "import sys; print('here', flush=True); sys.exit('noise\\nerror: no such pod')"
    faults = set()

    def twice(made: Follower, lines: Sequence[str]) -> bool:
        faults.add(made.fault)
        return len(lines) >= 2

    _, lines = follow(program, twice)
    assert lines[:2] == ["here\n", "here\n"]
    assert faults == {None, "no such pod"}


def test_a_program_gets_its_source_and_then_signs_of_life() -> None:
    source = b"import sys\nfor line in sys.stdin: print('alive', flush=True)\n"
    program = f"import sys; exec(sys.stdin.buffer.read({len(source)}))"
    _, lines = follow(program, lambda _, lines: len(lines) >= 2, source=source)
    assert set(lines) == {"alive\n"}


def test_what_is_silent_for_too_long_is_ended() -> None:
    made, _ = follow("import time; time.sleep(60)", lambda made, _: made.fault is not None, patience=1)
    assert made.fault == "silent for 1 s"
