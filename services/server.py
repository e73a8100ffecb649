"""The HTTP server of all services: probes, metrics, and a graceful shutdown."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry

from services import metrics
from services.connection import Connection, Connections, accounted
from services.errors import StartError
from services.settings import Listening

_LOG: Final = logging.getLogger(__name__)

STOPPING: Final = 25.0
"""Seconds that a service takes to end, at most. Its pod has 30."""

_DRAINING: Final = 10.0
"""Seconds that requests get to end once no new ones are taken."""


class Server:
    """Serves an application's routes, and ``/health``, ``/ready`` (503 while it is not) and ``/metrics``."""

    def __init__(self, listening: Listening, registry: CollectorRegistry, obstacle: Callable[[], str]) -> None:
        """:param obstacle: returns why the service is not ready; empty if it is."""
        self.application = web.Application(middlewares=[accounted])
        self._listening = listening
        self._registry = registry
        self._obstacle = obstacle
        self._stopping = asyncio.Event()
        self._answered: set[tuple[str, str]] = set()
        self.answer("GET", "/health", self._health)
        self.answer("GET", "/ready", self._ready)
        self.answer("GET", "/metrics", self._metrics)
        self.application.on_response_prepare.append(self._send_away)

    def answer(self, method: str, path: str, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        """Handle requests of a method to a path, unless they have a handler."""
        if (method, path) not in self._answered:
            self._answered.add((method, path))
            self.application.router.add_route(method, path, handler)

    async def run(self) -> float:
        """Serve until SIGTERM or SIGINT, then end: not ready, no new connections, the last requests answered.

        :return: the time of the event loop until which the process may go on.
        :raises StartError: if it cannot listen.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        runner = web.AppRunner(self.application, access_log=None, handle_signals=False, shutdown_timeout=_DRAINING)
        await runner.setup()
        assert runner.server is not None
        new_connection = partial(Connection, runner.server, Connections(), loop)
        address, port = self._listening.address, self._listening.port
        try:
            listening = await loop.create_server(new_connection, address, port)
        except OSError as error:
            await runner.cleanup()
            said = error.strerror or str(error)
            raise StartError(
                f"LISTEN_ADDRESS {address}, PORT {port}: {said}; end what listens there, or set others"
            ) from error
        _LOG.info("listening", extra={"fields": {"address": address, "port": port}})
        await self._stopping.wait()
        _LOG.info("stopping")
        deadline = loop.time() + STOPPING
        await asyncio.sleep(self._listening.stop_delay)
        listening.close()
        await runner.cleanup()
        return deadline

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _ready(self, _request: web.Request) -> web.Response:
        if self._stopping.is_set():
            return web.Response(status=503, text="stopping\n")
        if obstacle := self._obstacle():
            return web.Response(status=503, text=f"{obstacle}\n")
        return web.Response(text="ready\n")

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(self._registry), headers={"Content-Type": metrics.CONTENT_TYPE})

    async def _send_away(self, _request: web.Request, response: web.StreamResponse) -> None:
        if self._stopping.is_set():
            response.force_close()
