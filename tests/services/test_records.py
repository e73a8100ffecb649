"""What a record of a call looks like, and what ties it to its trace."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

import pytest
from opentelemetry import trace
from opentelemetry.context import get_current
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from services import record, tracing
from services.log import JsonFormatter
from services.tracing import Reporter, Tracing

pytestmark = pytest.mark.unit

TRACE, SPAN = "80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1"


@pytest.fixture
def traces() -> Tracing:
    return tracing.set_up("customer", "v1", "pod-1", "")


def test_a_record_is_the_articles_json() -> None:
    call = record.Record(origin="CUSTOMER", destination="PREFERENCE", origin_version="v1", comment="said 'ö'")
    assert (
        record.value(call).decode()
        == '{"origin":"CUSTOMER","destination":"PREFERENCE","originVersion":"v1","comment":"said \'ö\'"}'
    )


def test_the_last_service_has_no_destination() -> None:
    call = record.Record(origin="RECOMMENDATION", origin_version="v3", comment="12")
    assert json.loads(record.value(call)) == {"origin": "RECOMMENDATION", "originVersion": "v3", "comment": "12"}


def test_the_key_is_one_as_java_writes_integers() -> None:
    assert record.KEY == b"\0\0\0\1"


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": f"00-{TRACE}-{SPAN}-01"},
        {"b3": f"{TRACE}-{SPAN}-1"},
        {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "1"},
        {"traceparent": f"00-{TRACE}-{SPAN}-01", "b3": f"{'1' * 32}-{SPAN}-1"},
    ],
)
def test_a_call_goes_on_in_the_trace_of_the_one_before(traces: Tracing, headers: dict[str, str]) -> None:
    with traces.tracer.start_as_current_span("call", tracing.extract(headers)) as span:
        ours = trace.format_span_id(span.get_span_context().span_id)
        passed_on = tracing.http_headers({"x-request-id": "envoy's", "cookie": "nobody else's"})
        logged = dict(tracing.kafka_headers(get_current()))
    assert passed_on.pop("traceparent")[:53] == f"00-{TRACE}-{ours}-"[:53]
    assert passed_on == {
        "x-b3-traceid": TRACE,
        "x-b3-spanid": ours,
        "x-b3-sampled": "1",
        "x-request-id": "envoy's",
    }
    assert logged["b3"] == f"{TRACE}-{ours}-1".encode()
    assert logged["traceparent"].startswith(f"00-{TRACE}-{ours}-0".encode())


@pytest.mark.parametrize("headers", [{}, {"traceparent": "00-nonsense", "b3": "0"}])
def test_a_call_without_a_trace_begins_one(traces: Tracing, headers: dict[str, str]) -> None:
    with traces.tracer.start_as_current_span("call", tracing.extract(headers)):
        passed_on = tracing.http_headers({})
    assert passed_on["x-b3-traceid"] not in {TRACE, "0" * 32}


def test_a_caller_that_is_not_sampled_stays_so(traces: Tracing) -> None:
    with traces.tracer.start_as_current_span("call", tracing.extract({"traceparent": f"00-{TRACE}-{SPAN}-00"})):
        assert tracing.http_headers({})["x-b3-sampled"] == "0"


def test_a_line_of_the_log_is_json_with_its_trace(traces: Tracing) -> None:
    made = logging.makeLogRecord(
        {"msg": "call %s", "args": ("one",), "created": 0.5, "levelname": "INFO", "fields": {"status": 200}}
    )
    with traces.tracer.start_as_current_span("call", tracing.extract({"b3": f"{TRACE}-{SPAN}-1"})) as span:
        line = json.loads(JsonFormatter().format(made))
    assert line == {
        "time": "1970-01-01T00:00:00.500Z",
        "level": "info",
        "message": "call one",
        "status": 200,
        "traceId": TRACE,
        "spanId": trace.format_span_id(span.get_span_context().span_id),
    }


def test_an_exception_is_within_its_line() -> None:
    made = logging.makeLogRecord({"msg": "failed", "exc_info": (ValueError, ValueError("what"), None)})
    line = JsonFormatter().format(made)
    assert "\n" not in line
    assert json.loads(line)["stack"] == "ValueError: what"


class FakeExporter(SpanExporter):
    def __init__(self) -> None:
        self.result = SpanExportResult.FAILURE

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self.result


def test_a_collector_that_is_away_is_told_once_and_its_return_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    fake = FakeExporter()
    reporter = Reporter(fake, "http://jaeger:4317")
    for result in (SpanExportResult.FAILURE, SpanExportResult.FAILURE, SpanExportResult.SUCCESS) * 2:
        fake.result = result
        assert reporter.export([]) is result
    assert [record.getMessage() for record in caplog.records] == [
        "spans do not reach http://jaeger:4317: they are thrown away until it answers",
        "spans reach http://jaeger:4317 again",
    ] * 2
