"""A queue of things to look at again: each once however often it was called for, and again after a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

_LOG: Final = logging.getLogger(__name__)
_FIRST_DELAY: Final = 1.0
_LAST_DELAY: Final = 8.0


class Queue(Generic[Key]):
    """Calls ``look`` for one key at a time, in a thread.

    ``look`` returns after how many seconds it wants to see the key again, or None if never; when it raises, it is
    called again after 1, 2, 4 and then every 8 seconds. What is called for while it runs is looked at afterwards.
    """

    def __init__(self, look: Callable[[Key], float | None]) -> None:
        self._look = look
        self._due: dict[Key, float] = {}
        self._delays: dict[Key, float] = {}
        self._woken = asyncio.Event()

    def wake(self, key: Key, after: float = 0.0) -> None:
        """Have a key looked at, at the latest in ``after`` seconds."""
        due = asyncio.get_running_loop().time() + after
        self._due[key] = min(due, self._due.get(key, due))
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._woken.clear()
            key = min(self._due, key=self._due.__getitem__, default=None)
            delay = None if key is None else self._due[key] - asyncio.get_running_loop().time()
            if key is None or (delay is not None and delay > 0):
                try:
                    async with asyncio.timeout(delay):
                        await self._woken.wait()
                except TimeoutError:
                    pass
                continue
            del self._due[key]
            after = await asyncio.to_thread(self._looked, key)
            if after is not None:
                self.wake(key, after)

    def _looked(self, key: Key) -> float | None:
        try:
            after = self._look(key)
        except Exception as error:  # noqa: BLE001 one key's trouble is none of the others'
            delay = self._delays.get(key, _FIRST_DELAY)
            self._delays[key] = min(2 * delay, _LAST_DELAY)
            _LOG.warning("%s: %s: %s; again in %.0f s", key, type(error).__name__, error, delay)
            return delay
        self._delays.pop(key, None)
        return after
