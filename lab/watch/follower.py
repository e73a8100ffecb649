"""Runs a command that prints continuously, and restarts it when it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

_LONGEST: Final = 1 << 24
"""Bytes of a line."""
_PAUSE: Final = 2.0
"""Seconds between two runs, and between two signs of life on a command's stdin."""


@dataclass
class Follower:
    """A command, what takes its lines, and ``fault``: why it did not go on, None from its first line on.

    ``source`` is what the command gets on stdin; then it gets a line now and then, as a sign of life. Without a
    source its stdin is empty. A run of which no line has come for ``patience`` seconds is ended; None never ends one.
    """

    words: Sequence[str]
    take: Callable[[str], None]
    source: bytes | None = None
    patience: float | None = None
    fault: str | None = None

    async def run(self) -> None:
        """Run the command until cancelled; the end of a run is a fault until the next run prints a line."""
        while True:
            self.fault = await self._once()
            await asyncio.sleep(_PAUSE)

    async def _once(self) -> str:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self.words,
            stdin=asyncio.subprocess.DEVNULL if self.source is None else pipe,
            stdout=pipe,
            stderr=pipe,
            limit=_LONGEST,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        errors = asyncio.create_task(process.stderr.read())
        life = asyncio.create_task(_live(process.stdin, self.source)) if process.stdin and self.source else None
        try:
            while line := await asyncio.wait_for(process.stdout.readline(), self.patience):
                self.fault = None
                self.take(line.decode(errors="replace"))
            return _why((await errors).decode(errors="replace"))
        except TimeoutError:
            process.kill()
            return f"silent for {self.patience:.0f} s"
        except BaseException:
            process.kill()
            raise
        finally:
            if life:
                life.cancel()
            await process.wait()
            errors.cancel()


def _why(said: str) -> str:
    """Return the last line of a command's output, without kubectl's prefix."""
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("command terminated with")]
    return lines[-1].strip().removeprefix("error: ") if lines else "it ended"


async def _live(stdin: asyncio.StreamWriter, source: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        stdin.write(source)
        while True:
            await stdin.drain()
            await asyncio.sleep(_PAUSE)
            stdin.write(b"\n")
