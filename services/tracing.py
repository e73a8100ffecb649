"""Traces: OpenTelemetry spans, and the headers that connect spans of different processes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.context import Context
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_LOG: Final = logging.getLogger(__name__)

_HTTP: Final = CompositePropagator([B3MultiFormat(), TraceContextTextMapPropagator()])
_KAFKA: Final = CompositePropagator([B3SingleFormat(), TraceContextTextMapPropagator()])

_REQUEST_ID: Final = "x-request-id"
"""Envoy's own header, by which its access log and its sampling follow a call (Istio's FAQ on distributed tracing)."""


def extract(headers: Mapping[str, str]) -> Context:
    """Return the trace context that HTTP or Kafka headers carry: W3C's, else B3's, else that of a new trace."""
    return _HTTP.extract(headers, Context())


def http_headers(incoming: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a call that is made in the current span for the sake of an incoming one."""
    headers: dict[str, str] = {}
    _HTTP.inject(headers)
    if _REQUEST_ID in incoming:
        headers[_REQUEST_ID] = incoming[_REQUEST_ID]
    return headers


def kafka_headers(context: Context) -> list[tuple[str, bytes]]:
    """Return the headers of a record that was made in a context's span: ``traceparent`` and ``b3``."""
    headers: dict[str, str] = {}
    _KAFKA.inject(headers, context)
    return [(name, value.encode()) for name, value in headers.items()]


class Reporter(SpanExporter):
    """Exports spans with another exporter, and logs once when it starts to fail, and once when it works again."""

    def __init__(self, exporter: SpanExporter, endpoint: str) -> None:
        self._exporter = exporter
        self._endpoint = endpoint
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans."""
        result = self._exporter.export(spans)
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self._failing:
            _LOG.warning("spans do not reach %s: they are thrown away until it answers", self._endpoint)
        if self._failing and not failed:
            _LOG.info("spans reach %s again", self._endpoint)
        self._failing = failed
        return result

    def shutdown(self) -> None:
        """Stop exporting."""
        self._exporter.shutdown()


@dataclass(frozen=True)
class Tracing:
    """A service's tracer, and what sends its spans."""

    provider: TracerProvider
    tracer: Tracer

    def close(self, seconds: float) -> None:
        """Send the remaining spans for at most so many seconds."""
        closing = threading.Thread(target=self.provider.shutdown, daemon=True)
        closing.start()
        closing.join(seconds)


def set_up(service: str, version: str, instance: str, endpoint: str) -> Tracing:
    """Return the tracing of a process.

    :param endpoint: where spans go by OTLP over gRPC, such as ``http://host:4317``; nowhere when empty.
    """
    resource = Resource({"service.name": service, "service.version": version, "service.instance.id": instance})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    if endpoint:
        provider.add_span_processor(BatchSpanProcessor(Reporter(_otlp(endpoint), endpoint)))
    return Tracing(provider, provider.get_tracer("services"))


def _otlp(endpoint: str) -> SpanExporter:
    # A quarter of the time that a service takes to start, for those alone that need it.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)  # Reporter says it once instead
    return OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"))
