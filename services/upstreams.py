"""The upstreams of a service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import aiohttp
from opentelemetry.trace import SpanKind, StatusCode, Tracer
from prometheus_client import CollectorRegistry, Counter

from services import bounded, tracing
from services.environment import Call
from services.replies import Said, service_of, upstream_failed, upstream_said
from services.settings import Calling

_MOST: Final = 16_384
"""Bytes that a reply may have: a long chain's has a few hundred."""


class Upstreams:
    """Calls a service's upstreams."""

    def __init__(
        self, calling: Calling, session: aiohttp.ClientSession, tracer: Tracer, registry: CollectorRegistry
    ) -> None:
        self._calling = calling
        self._timeout = aiohttp.ClientTimeout(total=calling.timeout)
        self._session = session
        self._tracer = tracer
        self._failures = Counter(
            "upstream_failures", "Calls that an upstream did not answer with success", registry=registry
        )

    def __bool__(self) -> bool:
        """Tell whether there are upstreams."""
        return bool(self._calling.calls)

    async def ask(self, headers: Mapping[str, str]) -> Sequence[Said]:
        """Make every call, one after the other, and return the results; a failed call stops none of the others.

        :param headers: those of the incoming call.
        """
        return [await self._ask(call, headers) for call in self._calling.calls]

    async def _ask(self, call: Call, headers: Mapping[str, str]) -> Said:
        destination = service_of(call.where)
        with self._tracer.start_as_current_span(f"{call.method} {destination}", kind=SpanKind.CLIENT) as span:
            span.set_attribute("server.address", destination)
            said = await self._said(call, destination, tracing.http_headers(headers))
            if not said.succeeded:
                self._failures.inc()
                span.set_status(StatusCode.ERROR)
            return said

    async def _said(self, call: Call, destination: str, headers: Mapping[str, str]) -> Said:
        try:
            async with self._session.request(
                call.method, call.where, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                body = await bounded.body(response, _MOST)
        except (aiohttp.ClientError, TimeoutError) as error:
            return upstream_failed(destination, error, self._calling.timeout)
        return upstream_said(destination, response.status, body.decode(errors="replace"))
