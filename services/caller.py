"""customer and preference, and whatever else answers with what another service says."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import Counter

from services import tracing
from services.environment import Environment
from services.replies import Reply, service_of, upstream_failed, upstream_said
from services.service import Answerer, Tools, common, run


class Caller(Answerer):
    """Calls its upstream, and answers with what that says."""

    def __init__(self, name: str, upstream: str, timeout: float, tools: Tools) -> None:
        self.destination = service_of(upstream)
        self._name = name
        self._upstream = upstream
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._seconds = timeout
        self._tools = tools
        self._failures = Counter(
            "upstream_failures", "Calls that the upstream did not answer with success", registry=tools.registry
        )

    async def answer(self, headers: Mapping[str, str]) -> Reply:
        """Return the upstream's reply behind this service's name."""
        with self._tools.tracer.start_as_current_span(f"GET {self.destination}", kind=SpanKind.CLIENT) as span:
            span.set_attribute("server.address", str(self.destination))
            reply = await self._call(tracing.http_headers(headers))
            if reply.comment is None:
                self._failures.inc()
                span.set_status(StatusCode.ERROR)
            return reply

    async def _call(self, headers: Mapping[str, str]) -> Reply:
        try:
            async with self._tools.session.get(
                self._upstream, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                body = await response.text(errors="replace")
        except (aiohttp.ClientError, TimeoutError) as error:
            return upstream_failed(self._name, error, self._seconds)
        return upstream_said(self._name, response.status, body)


def main(program: str, variables: Mapping[str, str]) -> int:
    """Run the service.

    :raises StartError: if it can not start.
    """
    environment = Environment(variables)
    settings = common(environment, program)
    upstreams = environment.urls("UPSTREAM_URL")
    timeout = environment.seconds("UPSTREAM_TIMEOUT_SECONDS", 5, 0.1, 300)
    environment.check()
    return run(settings, lambda tools: Caller(settings.identity.name, upstreams[0], timeout, tools))
