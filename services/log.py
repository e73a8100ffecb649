"""The log of a service: one JSON object per line."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson
from opentelemetry import trace


class JsonFormatter(logging.Formatter):
    """Writes a record as JSON: ``time`` (UTC), ``level``, ``message``, what ``extra={"fields": {...}}`` names.

    A record made within a span has its ``traceId`` and ``spanId`` in hexadecimal, one with an exception its ``stack``.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its end."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["traceId"] = trace.format_trace_id(span.trace_id)
            line["spanId"] = trace.format_span_id(span.span_id)
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def set_up(stream: TextIO = sys.stdout) -> None:
    """Send the log of this process to a stream."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
