"""A queue of keys to reconcile: each is queued once, however often it is enqueued."""

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
    """Calls ``reconcile`` for one key at a time, in a thread.

    ``reconcile`` returns after how many seconds it wants the key again, or None for never. After an exception it is
    retried after 1, 2, 4 and then every 8 seconds. Keys that are enqueued while it runs are reconciled afterwards.
    """

    def __init__(self, reconcile: Callable[[Key], float | None]) -> None:
        self._reconcile = reconcile
        self._due: dict[Key, float] = {}
        self._delays: dict[Key, float] = {}
        self._enqueued = asyncio.Event()

    def enqueue(self, key: Key, after: float = 0.0) -> None:
        """Reconcile a key in at most ``after`` seconds."""
        due = asyncio.get_running_loop().time() + after
        self._due[key] = min(due, self._due.get(key, due))
        self._enqueued.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._enqueued.clear()
            key = min(self._due, key=self._due.__getitem__, default=None)
            delay = None if key is None else self._due[key] - asyncio.get_running_loop().time()
            if key is None or (delay is not None and delay > 0):
                try:
                    async with asyncio.timeout(delay):
                        await self._enqueued.wait()
                except TimeoutError:
                    pass
                continue
            del self._due[key]
            after = await asyncio.to_thread(self._attempt, key)
            if after is not None:
                self.enqueue(key, after)

    def _attempt(self, key: Key) -> float | None:
        try:
            after = self._reconcile(key)
        except Exception as error:  # noqa: BLE001 other keys go on
            delay = self._delays.get(key, _FIRST_DELAY)
            self._delays[key] = min(2 * delay, _LAST_DELAY)
            _LOG.warning("%s: %s: %s; retrying in %.0f s", key, type(error).__name__, error, delay)
            return delay
        self._delays.pop(key, None)
        return after
