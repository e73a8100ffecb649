"""Stand-ins for outside hosts, with HTTP, HTTPS and TCP; their responses say that they are stand-ins."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from aiohttp import web

from lab import certificates
from lab.outside import clock
from lab.outside.hosts import Protocol, Stand

_LINE: Final = 65_536
"""What of a connection is read at once."""


class Place(NamedTuple):
    """A stand-in, and the address that it listens at."""

    stand: Stand
    address: str


class StandIns:
    """The stand-ins that listen now."""

    def __init__(self) -> None:
        self._servers: dict[Place, web.AppRunner | asyncio.Server] = {}

    async def be(self, wanted: Iterable[Place]) -> None:
        """Listen at these places and no others.

        :raises OSError: if one cannot be listened at.
        """
        places = list(wanted)
        for place in self._servers.keys() - set(places):
            await self._end(place)
        for place in places:
            if place not in self._servers:
                self._servers[place] = await _serve(place)

    async def _end(self, place: Place) -> None:
        server = self._servers.pop(place)
        if isinstance(server, web.AppRunner):
            await server.cleanup()
        else:
            server.close()


async def _serve(place: Place) -> web.AppRunner | asyncio.Server:
    stand, address = place
    if stand.protocol is Protocol.TCP:
        return await asyncio.start_server(_echo(stand), address, stand.port)
    context = _context(stand.host, address) if stand.protocol is Protocol.HTTPS else None
    application = web.Application()
    application.router.add_get(clock.PATH, _time)
    application.router.add_route("*", "/{path:.*}", _answer(stand))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, address, stand.port, ssl_context=context).start()
    return runner


async def _time(_: web.Request) -> web.Response:
    return web.json_response(clock.now(datetime.now(ZoneInfo("UTC"))))


def _answer(stand: Stand) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=f"the lab's stand-in for {stand.host}: {request.method} {request.path}\n")

    return answer


def _echo(stand: Stand) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(f"the lab's stand-in for {stand.host}: what comes goes back\n".encode())
            while data := await reader.read(_LINE):
                writer.write(data)
                await writer.drain()
        writer.close()

    return serve


def _context(host: str, address: str) -> ssl.SSLContext:
    """Return the server's side of TLS, with a certificate of an authority that nobody trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.load(context, certificates.untrusted(host, address))
    return context
