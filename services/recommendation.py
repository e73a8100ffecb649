"""recommendation: the end of the chain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

import aiohttp
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import Counter

from services import bounded, replies
from services.environment import Environment
from services.replies import Reply
from services.service import Handler, Tools, common, run
from services.settings import Identity

_NOW: Final = "/api/json/cet/now"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=2)
_MOST: Final = 4096
"""Bytes that the clock's reply may have; it has some three hundred."""


class Recommendation(Handler):
    """Counts the calls since its start, and adds a world clock's time to its response if it has one."""

    def __init__(self, me: Identity, clock: str, tools: Tools) -> None:
        self._me = me
        self._clock = clock
        self._tools = tools
        self._count = 0
        self._is_misbehaving = False
        self._failures = Counter(
            "time_api_failures", "Calls that were answered without the time", registry=tools.registry
        )

    async def answer(self, headers: Mapping[str, str]) -> Reply:
        """Return version, time if there is a clock, host and count, and the upstreams' responses if there are any.

        The status is 503 after a request to misbehave.
        """
        self._count += 1
        count = self._count
        if self._is_misbehaving:
            return replies.misbehaved(self._me.name, self._me.host)
        moment = await self._now() if self._clock else ""
        own = replies.alone(self._me.name, self._me.version, self._me.host, count, moment)
        if self._tools.upstreams:
            return replies.called(own.text.strip(), await self._tools.upstreams.ask(headers))
        return own

    def switches(self) -> Mapping[str, Callable[[], str]]:
        """Return the paths that switch responses to 503 and back."""
        return {"/misbehave": self._misbehave, "/behave": self._behave}

    def _misbehave(self) -> str:
        self._is_misbehaving = True
        return replies.MISBEHAVE

    def _behave(self) -> str:
        self._is_misbehaving = False
        return replies.BEHAVE

    async def _now(self) -> str:
        # The clock is a stranger's: it gets no trace headers.
        with self._tools.tracer.start_as_current_span("GET time", kind=SpanKind.CLIENT) as span:
            try:
                async with self._tools.session.get(self._clock, timeout=_TIMEOUT, allow_redirects=False) as response:
                    body = await bounded.body(response, _MOST)
                    moment = replies.moment(body) if response.status == HTTPStatus.OK else None
            except (aiohttp.ClientError, TimeoutError):
                moment = None
            if moment is None:
                self._failures.inc()
                span.set_status(StatusCode.ERROR)
            return moment or replies.UNKNOWN_TIME


def main(program: str, variables: Mapping[str, str]) -> int:
    """Run the service.

    :raises StartError: if it cannot start.
    """
    environment = Environment(variables)
    settings = common(environment, program)
    clock = environment.url("TIME_API_URL", "")
    environment.check()
    url = clock.rstrip("/") + _NOW if clock else ""
    return run(settings, lambda tools: Recommendation(settings.identity, url, tools))
