"""The chain customer -> preference -> recommendation as processes: what it answers, and how it ends."""

from __future__ import annotations

import http.server
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.services.running import ROOT, Answer, Running, Services

pytestmark = pytest.mark.lab

TRACE, SPAN = "80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1"
NOW = b'{"currentDateTime":"2026-11-24T18:00+01:00"}'


def chain(services: Services, **environment: str) -> tuple[Running, Running, Running]:
    recommendation = services.start("recommendation", **environment)
    preference = services.start("preference", UPSTREAM_URL=recommendation.url)
    return services.start("customer", UPSTREAM_URL=preference.url), preference, recommendation


@contextmanager
def upstream(status: int, body: bytes, seconds: float = 0) -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """A server that answers everything alike; gives its URL, and the methods, paths and headers that came."""
    came: list[tuple[str, dict[str, str]]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            what = self.path if self.command == "GET" else f"{self.command} {self.path}"
            came.append((what, {name.lower(): value for name, value in self.headers.items()}))
            time.sleep(seconds)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_GET  # noqa: N815 the names that http.server calls

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}", came
        finally:
            server.shutdown()
            thread.join()


def test_a_call_goes_down_the_chain_and_is_one_trace(services: Services) -> None:
    running = chain(services)
    for count in (1, 2):
        answer = running[0].get(headers={"b3": f"{TRACE}-{SPAN}-1"})
        assert answer.status == 200
        assert answer.text == f"customer => preference => recommendation v1 from 'pod-1': {count}\n"
        assert answer.headers["Content-Type"].startswith("text/plain")
    for service in running:
        assert service.get("ready").status == 200
        lines = service.log("call")
        assert [line["traceId"] for line in lines] == [TRACE, TRACE]
        assert [line["reply"][-2:] for line in lines] == [" 1", " 2"]
        assert service.metric('http_server_request_duration_seconds_count{status="200"}') == 2


def test_misbehaviour_goes_up_the_chain_until_it_ends(services: Services) -> None:
    customer, _, recommendation = chain(services)
    assert recommendation.get("misbehave").text == "Following requests to / will return a 503\n"
    answer = customer.get()
    assert answer.status == 503
    assert (
        answer.text == "customer => Error: 503 - preference => Error: 503 - recommendation misbehavior from 'pod-1'\n"
    )
    assert customer.metric("upstream_failures_total") == 1
    recommendation.get("behave")
    assert customer.get().status == 200


def test_a_caller_whose_upstream_is_gone_or_slow_says_so(services: Services) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        customer = services.start("customer", UPSTREAM_URL=f"http://127.0.0.1:{nobody.getsockname()[1]}/")
        answer = customer.get()
    assert answer.status == 503
    assert answer.text.startswith("customer => ConnectionRefusedError: ")
    with upstream(200, b"too late\n", seconds=1) as (url, _):
        customer = services.start("customer", UPSTREAM_URL=url, UPSTREAM_TIMEOUT_SECONDS="0.2")
        assert customer.get().text == "customer => TimeoutError: no reply within 0.2 s\n"


def test_an_added_service_has_its_own_name_and_passes_headers_on(services: Services) -> None:
    with upstream(200, b"it works\n") as (url, came):
        shop = services.start("customer", SERVICE_NAME="shop", UPSTREAM_URL=f"{url}/path")
        sent = {"traceparent": f"00-{TRACE}-{SPAN}-01", "X-Request-ID": "envoy's", "Cookie": "mine"}
        assert shop.get(headers=sent).text == "shop => it works\n"
    ((path, headers),) = came
    assert path == "/path"
    assert headers["x-request-id"] == "envoy's"
    assert headers["x-b3-traceid"] == TRACE
    assert headers["traceparent"].split("-")[1] == TRACE
    assert "cookie" not in headers


def test_all_upstreams_are_called_in_order_under_their_methods_and_paths(services: Services) -> None:
    with upstream(200, b"one\n") as (one, came), upstream(404, b"gone\n") as (two, other):
        calls = f"{one}/first,POST {two}/orders,DELETE {one}/last"
        customer = services.start("customer", UPSTREAM_URL=calls)
        answer = customer.get(headers={"b3": f"{TRACE}-{SPAN}-1"})
    assert (answer.status, answer.text) == (503, "customer => (one) + (Error: 404 - gone) + (one)\n")
    assert [what for what, _ in came] == ["/first", "DELETE /last"]
    assert [what for what, _ in other] == ["POST /orders"]
    assert {headers["x-b3-traceid"] for _, headers in (*came, *other)} == {TRACE}
    assert customer.metric("upstream_failures_total") == 1


def test_what_is_declared_to_be_asked_is_answered_and_nothing_else(services: Services) -> None:
    shop = services.start("customer", SERVICE_NAME="shop", ANSWERS="/metrics,/shop,POST /orders,/health")
    asked = (("GET", "shop"), ("POST", "orders"), ("GET", "orders"), ("POST", "shop"), ("GET", ""))
    assert [shop.get(path, method=method).status for method, path in asked] == [200, 200, 405, 405, 404]
    assert shop.get("shop").text == "shop v1 from 'pod-1': 3\n"
    assert shop.get("health").text == "alive\n"


def test_the_end_of_the_chain_calls_on_if_it_is_declared_to(services: Services) -> None:
    with upstream(200, b"stock 7\n") as (url, came):
        recommendation = services.start("recommendation", UPSTREAM_URL=f"{url}/stock")
        assert recommendation.get().text == "recommendation v1 from 'pod-1': 1 => stock 7\n"
    assert [what for what, _ in came] == ["/stock"]


def test_the_consumer_answers_and_calls_like_the_others(services: Services) -> None:
    """It is not ready without Kafka, which is nothing to those who call it."""
    with upstream(200, b"kept\n") as (url, came):
        consumer = services.start(
            "consumer",
            ANSWERS="POST /report",
            UPSTREAM_URL=f"POST {url}/archive",
            KAFKA_BOOTSTRAP_SERVER="127.0.0.1:9",
            KAFKA_USER_NAME="reader",
            KAFKA_PASSWORD="secret",
            KAFKA_TOPICS="calls",
            KAFKA_GROUP_ID="readers",
        )
        answer = consumer.get("report", headers={"b3": f"{TRACE}-{SPAN}-1"}, method="POST")
        assert (answer.status, answer.text) == (200, "consumer => kept\n")
    ((what, headers),) = came
    assert (what, headers["x-b3-traceid"]) == ("POST /archive", TRACE)


def test_the_time_is_in_the_reply_of_a_version_that_has_a_clock(services: Services) -> None:
    with upstream(200, NOW) as (url, came):
        recommendation = services.start("recommendation", SERVICE_VERSION="v3", TIME_API_URL=url)
        assert recommendation.get().text == "recommendation v3 2026-11-24T18:00+01:00 from 'pod-1': 1\n"
    ((path, headers),) = came
    assert path == "/api/json/cet/now"
    assert not {"traceparent", "b3", "x-b3-traceid"} & headers.keys()
    # The clock is gone now.
    assert recommendation.get().text == "recommendation v3 time unknown from 'pod-1': 2\n"
    assert recommendation.metric("time_api_failures_total") == 1


@pytest.mark.parametrize(("status", "body", "seconds"), [(500, NOW, 0), (200, b"no time", 0), (200, NOW, 3)])
def test_the_reply_does_without_a_time_that_is_wrong_or_late(
    services: Services, status: int, body: bytes, seconds: float
) -> None:
    with upstream(status, body, seconds) as (url, _):
        recommendation = services.start("recommendation", TIME_API_URL=url)
        began = time.monotonic()
        assert recommendation.get().text == "recommendation v1 time unknown from 'pod-1': 1\n"
        assert time.monotonic() - began < 2.7


def test_only_get_is_answered_and_nothing_but_what_is_served(services: Services) -> None:
    recommendation = services.start("recommendation")
    assert [recommendation.get(method=method).status for method in ("HEAD", "POST")] == [405, 405]
    assert recommendation.get("secret").status == 404
    assert recommendation.get().text.endswith(": 1\n")


def test_a_stop_answers_what_was_asked_and_sends_callers_away(services: Services) -> None:
    with upstream(200, b"slow\n", seconds=1.5) as (url, _), ThreadPoolExecutor(3) as pool:
        customer = services.start("customer", UPSTREAM_URL=url, STOP_DELAY_SECONDS="1")
        early: Future[Answer] = pool.submit(customer.get)
        time.sleep(0.3)
        customer.process.terminate()
        customer.wait_for("ready", 503, seconds=0.9)
        late: Future[Answer] = pool.submit(customer.get)
        assert (early.result().text, late.result().text) == ("customer => slow\n", "customer => slow\n")
        assert late.result().headers["Connection"] == "close"
        assert customer.process.wait(20) == 0


def test_a_port_that_is_taken_is_one_line(services: Services) -> None:
    port = services.start("recommendation").port
    command = [sys.executable, "-m", "services", "recommendation"]
    environment = {"PORT": str(port), "LISTEN_ADDRESS": "127.0.0.1"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: LISTEN_ADDRESS 127.0.0.1, PORT {port}: ")
    assert "in use" in line
    assert line.endswith("; end what listens there, or set others")


def test_a_collector_that_is_away_holds_up_nothing(services: Services) -> None:
    recommendation = services.start("recommendation", OTEL_EXPORTER_OTLP_ENDPOINT="http://localhost:9")
    for _ in range(3):
        assert recommendation.get().status == 200
    began = time.monotonic()
    assert recommendation.terminate() == 0
    assert time.monotonic() - began < 5


def test_spans_reach_the_collector(services: Services) -> None:
    names: list[str] = []

    def collect(request: ExportTraceServiceRequest, _: grpc.ServicerContext) -> ExportTraceServiceResponse:
        for resource in request.resource_spans:
            (service,) = [
                each.value.string_value for each in resource.resource.attributes if each.key == "service.name"
            ]
            names.extend(f"{service} {span.name}" for scope in resource.scope_spans for span in scope.spans)
        return ExportTraceServiceResponse()

    handler = grpc.unary_unary_rpc_method_handler(
        collect, ExportTraceServiceRequest.FromString, ExportTraceServiceResponse.SerializeToString
    )
    service = "opentelemetry.proto.collector.trace.v1.TraceService"
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        with upstream(200, b"hello\n") as (url, _):
            customer = services.start(
                "customer",
                UPSTREAM_URL=url,
                OTEL_SERVICE_NAME="shop",
                OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
            )
            customer.get()
        assert customer.terminate() == 0
        server.stop(0).wait()
    assert sorted(names) == ["shop GET /", "shop GET localhost"]
