"""Client connections, with limits on bytes before a request, on time, and on number."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

HEAD: Final = 32_768
"""Bytes that may come on a connection before a request is complete."""

HEAD_SECONDS: Final = 10.0
"""Seconds that a request may take to come, from its first byte, or from the beginning of the connection."""

CONNECTIONS: Final = 1000
"""How many connections there may be: at most so many times ``HEAD`` is kept for clients."""


class Connections:
    """The open connections. The one that has been idle longest is closed for a new one."""

    def __init__(self) -> None:
        self._waiting: dict[Connection, None] = {}
        self._busy: set[Connection] = set()

    def enter(self, connection: Connection) -> bool:
        """Add an idle connection; tell whether there is room for it."""
        if len(self._waiting) + len(self._busy) >= CONNECTIONS:
            if not self._waiting:
                return False
            oldest = next(iter(self._waiting))
            self.leave(oldest)
            oldest.abort()
        self._waiting[connection] = None
        return True

    def works(self, connection: Connection) -> None:
        """Mark a connection as busy."""
        self._waiting.pop(connection, None)
        self._busy.add(connection)

    def waits(self, connection: Connection) -> None:
        """Mark a connection as idle."""
        if connection in self._busy:
            self._busy.remove(connection)
            self._waiting[connection] = None

    def leave(self, connection: Connection) -> None:
        """Remove a connection."""
        self._waiting.pop(connection, None)
        self._busy.discard(connection)


class Connection(web.RequestHandler):
    """A connection that is closed if its client sends too much, or too slowly, before a request is complete."""

    __slots__ = ("_answers", "_clock", "_connections", "_deadline", "_head")

    def __init__(self, manager: web.Server, connections: Connections, loop: asyncio.AbstractEventLoop) -> None:
        # Without a log of its own: the service has one.
        super().__init__(manager, loop=loop, access_log=None)  # type: ignore[arg-type]
        self._connections = connections
        self._clock = loop
        self._head = 0
        self._answers = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, if there is room."""
        super().connection_made(transport)
        if not self._connections.enter(self):
            self.abort()
        self._deadline = self._clock.call_later(HEAD_SECONDS, self.abort)

    def data_received(self, data: bytes) -> None:
        """Accept data up to the limit."""
        self._head += len(data)
        if self._head > HEAD:
            self.abort()
            return
        if data and self._deadline is None and not self._answers:
            self._deadline = self._clock.call_later(HEAD_SECONDS, self.abort)
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._rest()
        self._connections.leave(self)
        super().connection_lost(exc)

    def begins(self) -> None:
        """Mark the start of a response."""
        self._rest()
        self._answers = True
        self._connections.works(self)

    def ends(self) -> None:
        """Mark the end of a response."""
        self._head, self._answers = 0, False
        self._connections.waits(self)

    def abort(self) -> None:
        """Close immediately; unsent data is lost."""
        self._rest()
        if self.transport is not None:
            self.transport.abort()

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


@web.middleware
async def accounted(request: web.Request, handler: Any) -> web.StreamResponse:
    """Answer a request, and tell its connection when that begins and ends."""
    connection = request.protocol
    assert isinstance(connection, Connection)
    connection.begins()
    try:
        response: web.StreamResponse = await handler(request)
        return response
    finally:
        connection.ends()
