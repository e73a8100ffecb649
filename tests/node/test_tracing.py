"""Traces as they are kept and told."""

from __future__ import annotations

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from lab.tracing.store import Store, spans, tree

pytestmark = pytest.mark.unit


def group(service: str, *found: Span) -> ResourceSpans:
    name = KeyValue(key="service.name", value=AnyValue(string_value=service))
    return ResourceSpans(resource=Resource(attributes=[name]), scope_spans=[ScopeSpans(spans=found)])


def span(
    trace: int, identifier: int, parent: int = 0, *, name: str = "GET /", kind: str = "SERVER", start: int = 0
) -> Span:
    return Span(
        trace_id=trace.to_bytes(16),
        span_id=identifier.to_bytes(8),
        parent_span_id=parent.to_bytes(8) if parent else b"",
        name=name,
        kind=Span.SpanKind.Value(f"SPAN_KIND_{kind}"),
        start_time_unix_nano=start,
        end_time_unix_nano=start + 1_500_000,
    )


def test_a_trace_is_told_as_a_tree_each_span_below_its_cause() -> None:
    store = Store()
    store.add(spans([group("customer", span(1, 2, 1, start=5)), group("gateway", span(1, 1, start=1))]))
    store.add(spans([group("preference", span(1, 4, 2, start=9), span(1, 3, 2, kind="CLIENT", start=7))]))
    assert tree(store.trace()) == [
        "└─ gateway: GET / (server, 1.5 ms)",
        "   └─ customer: GET / (server, 1.5 ms)",
        "      ├─ preference: GET / (client, 1.5 ms)",
        "      └─ preference: GET / (server, 1.5 ms)",
    ]


def test_a_span_whose_cause_did_not_come_stands_at_the_top() -> None:
    store = Store()
    store.add(spans([group("customer", span(1, 2, 99))]))
    assert tree(store.trace()) == ["└─ customer: GET / (server, 1.5 ms)"]


def test_the_last_trace_is_the_one_that_a_span_came_for_last() -> None:
    store = Store()
    for trace in (1, 2, 1):
        store.add(spans([group("customer", span(trace, trace * 10))]))
    assert store.trace()[0]["trace"] == f"{1:032x}"
    assert store.trace(f"{2:032x}")[0]["identifier"] == f"{20:016x}"
    assert store.trace("f" * 32) == []


def test_the_oldest_traces_go_when_there_are_too_many() -> None:
    store = Store(limit=2)
    for trace in (1, 2, 3):
        store.add(spans([group("customer", span(trace, 1))]))
    assert store.trace(f"{1:032x}") == []
    assert len(store.trace(f"{2:032x}")) == 1
