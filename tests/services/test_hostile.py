"""What hostile upstreams and clients can do to a service: cost it a connection, and a few KiB."""

from __future__ import annotations

import gzip
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from services.connection import CONNECTIONS, HEAD
from tests.services.running import Running, Services

pytestmark = pytest.mark.lab

LIMIT = 256
"""MiB that a pod has (``resources`` of Pulumi.yaml)."""

NOW = b'{"currentDateTime":"2026-11-24T18:00+01:00"}'
OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def hostile(answer: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that takes a request and answers as it likes; gives its URL and the requests."""
    came: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(64) as pool:

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                came.append(connection.recv(65_536))
                answer(connection)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    pool.submit(serve, listening.accept()[0])

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", came
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def peak(service: Running) -> float:
    """Return the most memory that a service ever had, in MiB."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def endless(connection: socket.socket) -> None:
    connection.sendall(OK + b"\r\n")
    for _ in range(20_000):
        connection.sendall(b"x" * 65_536)


BOMB = gzip.compress(b"0" * 200_000_000, 1)


def inflated(connection: socket.socket) -> None:
    head = f"Content-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n\r\n"
    connection.sendall(OK + head.encode() + BOMB)


def many_headers(connection: socket.socket) -> None:
    connection.sendall(OK)
    for number in range(100_000):
        connection.sendall(f"X-{number}: {'y' * 8000}\r\n".encode())


def redirect(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (endless, "ReplyError: reply is longer than 16384 bytes"),
        (inflated, "ReplyError: reply is encoded, which was not asked for"),
        (many_headers, "ClientResponseError: "),
        (redirect, "Error: 302 - "),
    ],
)
def test_a_hostile_upstream_costs_a_caller_a_few_kib(
    services: Services, answer: Callable[[socket.socket], None], said: str
) -> None:
    with hostile(answer) as (url, came):
        customer = services.start("customer", UPSTREAM_URL=url)
        before = peak(customer)
        with ThreadPoolExecutor(20) as pool:
            found = list(pool.map(lambda _: customer.get(), range(40)))
        assert {reply.status for reply in found} == {503}
        assert {reply.text for reply in found if not reply.text.startswith(f"customer => {said}")} == set()
        assert peak(customer) - before < 32
    assert all(b"Accept-Encoding: identity" in request for request in came)
    assert not any(request.startswith(b"GET /elsewhere") for request in came)


@pytest.mark.parametrize("answer", [endless, inflated, many_headers, redirect])
def test_a_hostile_clock_costs_a_few_kib_and_the_time(
    services: Services, answer: Callable[[socket.socket], None]
) -> None:
    with hostile(answer) as (url, came):
        recommendation = services.start("recommendation", TIME_API_URL=url)
        before = peak(recommendation)
        with ThreadPoolExecutor(20) as pool:
            found = list(pool.map(lambda _: recommendation.get(), range(40)))
        assert {reply.status for reply in found} == {200}
        assert all(" time unknown " in reply.text for reply in found)
        assert peak(recommendation) - before < 32
    assert not any(request.startswith(b"GET /elsewhere") for request in came)


def drip(connection: socket.socket) -> None:
    connection.sendall(OK + b"Content-Length: 1000\r\n\r\n")
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(0.05)


def test_a_slow_upstream_costs_its_time_and_nobody_elses(services: Services) -> None:
    with hostile(drip) as (url, _):
        customer = services.start("customer", UPSTREAM_URL=url, UPSTREAM_TIMEOUT_SECONDS="1")
        with ThreadPoolExecutor(40) as pool:
            slow = [pool.submit(customer.get) for _ in range(40)]
            began = time.monotonic()
            assert customer.get("health").status == 200
            assert time.monotonic() - began < 1
            assert {it.result().text for it in slow} == {"customer => TimeoutError: no reply within 1 s\n"}


def opened(service: Running, count: int, text: bytes, stack: ExitStack) -> list[socket.socket]:
    found = []
    for _ in range(count):
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), 10))
        with suppress(OSError):
            connection.sendall(text)
        found.append(connection)
    return found


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def test_clients_that_hold_connections_and_send_no_whole_request_keep_nobody_out(services: Services) -> None:
    """Three times as many as there may be, each with as long a head as it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    recommendation = services.start("recommendation")
    try:
        with ExitStack() as stack:
            head = b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 7000) for n in range(4))
            assert len(head) < HEAD
            held = opened(recommendation, 3 * CONNECTIONS, head, stack)
            for _ in range(20):
                assert recommendation.get().status == 200
            assert recommendation.get("health").status == 200
            assert sum(map(is_open, held)) <= CONNECTIONS
            assert peak(recommendation) < LIMIT
            time.sleep(11)
            assert not any(map(is_open, held))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_head_that_does_not_end_ends_its_connection(services: Services) -> None:
    recommendation = services.start("recommendation")
    with ExitStack() as stack:
        line = b"X-A: %s\r\n" % (b"y" * 4000)
        (connection,) = opened(recommendation, 1, b"GET / HTTP/1.1\r\n" + line * 20, stack)
        time.sleep(0.5)
        assert not is_open(connection)
    assert recommendation.get().status == 200


def test_a_client_that_dribbles_its_request_is_sent_away_and_one_that_waits_between_requests_is_not(
    services: Services,
) -> None:
    recommendation = services.start("recommendation")
    with ExitStack() as stack:
        silent, first, second, idle = opened(recommendation, 4, b"", stack)
        for connection in (second, idle):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.recv(4096).startswith(OK)
        for letter in b"GET / HTTP/1.":
            for connection in (first, second):
                with suppress(OSError):
                    connection.sendall(bytes([letter]))
            time.sleep(0.9)
        assert not any(map(is_open, (silent, first, second)))
        idle.setblocking(True)
        idle.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.recv(4096).startswith(OK)


def test_a_client_that_asks_and_does_not_read_costs_a_bounded_buffer(services: Services) -> None:
    recommendation = services.start("recommendation")
    before = peak(recommendation)
    with ExitStack() as stack:
        for connection in opened(recommendation, 50, b"", stack):
            connection.settimeout(0.05)
            with suppress(OSError):
                for _ in range(500):
                    connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
        assert recommendation.get().status == 200
        assert peak(recommendation) - before < 64
