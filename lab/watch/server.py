"""The page's server, on loopback: static files, and the state as server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from aiohttp import web

from lab.errors import LabError
from lab.watch.follower import Follower
from lab.watch.watch import Watch

HOST: Final = "127.0.0.1"
_STATIC: Final = Path(__file__).parent / "static"
_INTERVAL: Final = 0.5
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(watch: Watch, faults: Callable[[], Mapping[str, str | None]]) -> web.Application:
    """Return the application: ``/`` and its files, and ``/events``, a state each time that it has changed.

    A request by another name than this machine's own is refused: a page from elsewhere, under a name that leads here,
    would read along.
    """

    async def index(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(_STATIC / "index.html")

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        sent = b""
        with contextlib.suppress(ConnectionError):
            await response.write(b"retry: 1000\n\n")
            while True:
                state = orjson.dumps(watch.state(faults()))
                # A comment finds out whether anyone still listens.
                await response.write(b":\n\n" if state == sent else b"data: " + state + b"\n\n")
                sent = state
                await asyncio.sleep(_INTERVAL)
        return response

    app = web.Application(middlewares=[_only_local])
    app.router.add_get("/", index)
    app.router.add_get("/events", events)
    app.router.add_static("/static", _STATIC)
    app.on_response_prepare.append(_protect)
    return app


@web.middleware
async def _only_local(request: web.Request, handler: _Handler) -> web.StreamResponse:
    if request.url.host not in (HOST, "localhost"):
        raise web.HTTPForbidden(text=f"only as {HOST} or localhost\n")
    return await handler(request)


async def _protect(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


async def serve(
    watch: Watch, followers: Mapping[str, Follower], logs: Sequence[Follower], port: int, say: Callable[[str], None]
) -> None:
    """Serve until SIGINT or SIGTERM.

    :param followers: what tells the watch, by what is missing when it does not run.
    :param logs: what tells it more: of these, one that ends is no fault, for it does so with its pod.
    :param port: 0 selects a free one.
    :param say: prints the URL.
    :raises LabError: if the port is not available.
    """
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    app = application(watch, lambda: {what: follower.fault for what, follower in followers.items()})
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    tasks: list[asyncio.Task[Any]] = []
    try:
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError as error:
            why = "taken" if error.errno == errno.EADDRINUSE else "not to be had"
            message = f"--port {port}: {why}; choose another port, or 0 for a free one"
            raise LabError(message) from error
        tasks += [asyncio.create_task(stopped.wait())]
        tasks += [asyncio.create_task(follower.run()) for follower in (*followers.values(), *logs)]
        say(f"http://{HOST}:{runner.addresses[0][1]}/ (press Ctrl-C to stop)")
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        # A follower ends by itself only if it fails.
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await runner.cleanup()
