"""Spans that were received by OTLP, by trace, and a trace as a tree. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

_SERVICE = "service.name"


@dataclass(frozen=True)
class Span:
    """A span; identifiers are in hexadecimal, times in nanoseconds since the epoch, ``parent`` may be empty."""

    trace: str
    identifier: str
    parent: str
    service: str
    name: str
    kind: str
    start: int
    end: int
    failed: bool

    @classmethod
    def of(cls, message: Message, service: str) -> Span:
        """Convert a span of OTLP."""
        return cls(
            message.trace_id.hex(),
            message.span_id.hex(),
            message.parent_span_id.hex(),
            service,
            message.name,
            Message.SpanKind.Name(message.kind).removeprefix("SPAN_KIND_").lower(),
            message.start_time_unix_nano,
            message.end_time_unix_nano,
            message.status.code == 2,  # noqa: PLR2004 STATUS_CODE_ERROR
        )


def spans(groups: Iterable[ResourceSpans]) -> Iterator[Span]:
    """Yield all spans of a request to export some."""
    for group in groups:
        attributes = {item.key: item.value.string_value for item in group.resource.attributes}
        for scope in group.scope_spans:
            for message in scope.spans:
                yield Span.of(message, attributes.get(_SERVICE, "unknown"))


def _is_server(held: dict[str, Span]) -> Iterator[bool]:
    return (span.kind == "server" for span in held.values())


class Store:
    """The latest traces; the last trace is the one that received the last span."""

    def __init__(self, limit: int = 1000) -> None:
        """:param limit: the number of traces to keep."""
        self._limit = limit
        self._traces: OrderedDict[str, dict[str, Span]] = OrderedDict()

    def add(self, found: Iterable[Span]) -> None:
        """Add spans; removes the oldest traces above the limit."""
        for span in found:
            self._traces.setdefault(span.trace, {})[span.identifier] = span
            self._traces.move_to_end(span.trace)
        while len(self._traces) > self._limit:
            self._traces.popitem(last=False)

    def trace(self, identifier: str | None = None) -> list[dict[str, Any]]:
        """Return the spans of a trace, or of the last one, by their start; empty if there is none.

        The last one is of a call that somebody took: what sends spans here makes traces of its own.
        """
        if identifier is None:
            taken = (name for name, held in reversed(self._traces.items()) if any(_is_server(held)))
            identifier = next(taken, "")
        found = self._traces.get(identifier, {}).values()
        return [asdict(span) for span in sorted(found, key=lambda span: span.start)]


def tree(found: list[dict[str, Any]]) -> list[str]:
    """Return a trace as lines, each span below its parent; ``found`` is the result of Store.trace."""
    known = {span["identifier"] for span in found}
    children: dict[str, list[dict[str, Any]]] = {}
    for span in found:
        children.setdefault(span["parent"] if span["parent"] in known else "", []).append(span)

    def lines(parent: str, indent: str) -> Iterator[str]:
        below = children.get(parent, [])
        for position, span in enumerate(below):
            last = position == len(below) - 1
            branch, rest = ("└─ ", "   ") if last else ("├─ ", "│  ")
            took = (span["end"] - span["start"]) / 1e6
            failed = " FAILED" if span["failed"] else ""
            yield f"{indent}{branch}{span['service']}: {span['name']} ({span['kind']}, {took:.1f} ms){failed}"
            yield from lines(span["identifier"], indent + rest)

    return list(lines("", ""))
