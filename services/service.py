"""A service that handles HTTP calls and logs them: the common part of all services."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import aiohttp
import uvloop
from aiohttp import web
from opentelemetry.trace import SpanKind, StatusCode, Tracer
from prometheus_client import CollectorRegistry, Histogram

from services import bounded, log, metrics, tracing
from services.call_log import CallLog
from services.environment import Call, Environment
from services.record import KEY, Record, value
from services.replies import Reply
from services.server import Server
from services.settings import (
    Calling,
    CallLogging,
    Identity,
    Listening,
    answers,
    call_logging,
    calling,
    identity,
    listening,
)
from services.upstreams import Upstreams

_LOG: Final = logging.getLogger(__name__)

_POLLING: Final = 0.1
"""Seconds between two looks at what Kafka's client has to tell."""

_KEEPALIVE: Final = 5.0
"""Seconds that an idle connection is kept for the next call."""

_BUFFER: Final = 16_384
"""Bytes of a reply that are taken before they are read."""

_LAST_SPANS: Final = 2.0
"""Seconds, of those in which a service ends, that are left for spans."""

_BUCKETS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


@dataclass(frozen=True)
class Common:
    """The settings that all these services have."""

    identity: Identity
    listening: Listening
    logging: CallLogging | None
    answers: tuple[Call, ...]
    """What is answered: methods and paths."""
    calling: Calling


def common(environment: Environment, program: str, *, logs: bool = True) -> Common:
    """Read the settings that all these services have.

    :param logs: whether calls may be logged to Kafka.
    """
    return Common(
        identity=identity(environment, program),
        listening=listening(environment),
        logging=call_logging(environment) if logs else None,
        answers=answers(environment),
        calling=calling(environment),
    )


@dataclass(frozen=True)
class Tools:
    """The tools of a service."""

    session: aiohttp.ClientSession
    upstreams: Upstreams
    tracer: Tracer
    registry: CollectorRegistry


class Handler(ABC):
    """The responses of one service."""

    @abstractmethod
    async def answer(self, headers: Mapping[str, str]) -> Reply:
        """Return the reply to a call with these headers, whichever of the declared paths it is for."""

    def switches(self) -> Mapping[str, Callable[[], str]]:
        """Return further paths, and what makes their text; they are neither logged nor traced."""
        return {}


class Service:
    """Answers calls, and logs each to stdout, to a span and to metrics, and to Kafka what succeeded of it."""

    def __init__(self, me: Identity, handler: Handler, tools: Tools, calls: CallLog | None) -> None:
        self._me = me
        self._handler = handler
        self._tracer = tools.tracer
        self._calls = calls
        self._seconds = Histogram(
            "http_server_request_duration_seconds",
            "Time to answer a call",
            ["status"],
            buckets=_BUCKETS,
            registry=tools.registry,
        )

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a call."""
        started = time.perf_counter()
        context = tracing.extract(request.headers)
        with self._tracer.start_as_current_span(f"{request.method} {request.path}", context, SpanKind.SERVER) as span:
            reply = await self._handler.answer(request.headers)
            status = reply.status.value
            span.set_attribute("http.response.status_code", status)
            if reply.status is not HTTPStatus.OK:
                span.set_status(StatusCode.ERROR)
            if self._calls is not None:
                self._send(self._calls, reply)
            seconds = time.perf_counter() - started
            self._seconds.labels(status).observe(seconds)
            fields = {"status": status, "reply": reply.text.rstrip(), "milliseconds": round(seconds * 1000, 3)}
            _LOG.info("call", extra={"fields": fields})
        return web.Response(status=status, text=reply.text)

    def _send(self, calls: CallLog, reply: Reply) -> None:
        for destination, comment in reply.logged:
            record = Record(
                origin=self._me.name.upper(),
                destination=destination.upper() if destination else None,
                origin_version=self._me.version,
                comment=comment,
            )
            calls.send(KEY, value(record))


def run(settings: Common, new_handler: Callable[[Tools], Handler]) -> int:
    """Run a service until a stop signal, and return its exit code.

    :raises StartError: if it cannot listen.
    """
    log.set_up()
    return uvloop.run(_run(settings, new_handler))


async def _run(settings: Common, new_handler: Callable[[Tools], Handler]) -> int:
    me, registry, loop = settings.identity, metrics.new_registry(), asyncio.get_running_loop()
    traces = tracing.set_up(me.trace_name, me.version, me.host, me.otlp_endpoint)
    calls = CallLog(settings.logging, registry) if settings.logging else None
    server = Server(
        settings.listening, registry, lambda: "" if calls is None or calls.logged_in else "not logged in to Kafka yet"
    )
    polling = asyncio.create_task(_poll(calls)) if calls else None
    deadline = await serve(server, settings, new_handler, traces.tracer, registry, calls)
    if calls and polling:
        polling.cancel()
        calls.close(deadline - loop.time() - _LAST_SPANS)
    traces.close(_LAST_SPANS)
    return 0


async def serve(
    server: Server,
    settings: Common,
    new_handler: Callable[[Tools], Handler],
    tracer: Tracer,
    registry: CollectorRegistry,
    calls: CallLog | None = None,
) -> float:
    """Serve a handler's replies until a stop signal.

    :param calls: where calls are logged, if anywhere.
    :return: the time of the event loop until which the process may go on.
    :raises StartError: if it cannot listen.
    """
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=bounded.HEADERS,
        auto_decompress=False,
        read_bufsize=_BUFFER,
    ) as session:
        upstreams = Upstreams(settings.calling, session, tracer, registry)
        tools = Tools(session, upstreams, tracer, registry)
        handler = new_handler(tools)
        service = Service(settings.identity, handler, tools, calls)
        for path, switch in handler.switches().items():
            server.answer("GET", path, _saying(switch))
        for answered in settings.answers:
            server.answer(answered.method, answered.where, service.handle)
        return await server.run()


async def _poll(calls: CallLog) -> None:
    while True:
        calls.poll()
        await asyncio.sleep(_POLLING)


def _saying(switch: Callable[[], str]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_request: web.Request) -> web.Response:
        return web.Response(text=switch())

    return handle
