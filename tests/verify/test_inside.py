"""The programs that are sent into pods, on this machine's loopback."""

from __future__ import annotations

import inspect
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kafka
import pytest

from lab import certificates
from verify import payload
from verify.inside import connections

pytestmark = pytest.mark.unit


@contextmanager
def server(answer: bytes | None) -> Iterator[int]:
    """Answer one connection, or reset it, and give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                if answer is None:
                    # Closed with no time to linger: a reset.
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    return
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def tried(port: int, speaks: str = "http", host: str = "127.0.0.1") -> dict[str, Any]:
    wanted = {"speaks": speaks, "host": host, "port": port, "method": "GET", "path": "/"}
    return connections.attempts([wanted], 2)[0]


def test_an_answer_and_both_ends_addresses_are_told() -> None:
    with server(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nRBAC") as port:
        found = tried(port)
        assert (found["stage"], found["status"], found["text"]) == ("done", 403, "RBAC")
        assert found["remote"] == f"127.0.0.1:{port}"
        assert found["local"].startswith("127.0.0.1:")


@contextmanager
def tls_server(folder: Path) -> Iterator[tuple[int, list[str | None]]]:
    """Shake hands once, and give the port and the name that the client asks for."""
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.load(context, certificates.untrusted("db.example.com"))
    context.set_servername_callback(lambda _socket, name, _context: names.append(name))
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with context.wrap_socket(connection, server_side=True) as wrapped:
                wrapped.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1], names
        thread.join()


def test_a_host_of_https_is_shaken_hands_with_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostbyname", lambda _: "127.0.0.1")
    with tls_server(tmp_path) as (port, names):
        found = tried(port, "https", "db.example.com")
    assert (found["stage"], found["tls"], names) == ("done", "TLSv1.3", ["db.example.com"])


def test_a_host_of_tcp_is_open_whether_it_speaks_first_or_waits_and_closed_when_it_hangs_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert tried(port, "tcp")["open"]
        listening.accept()[0].close()

        def greet(text: bytes) -> None:
            with listening.accept()[0] as connection:
                connection.sendall(text)

        for text in (b"220 ready", b""):
            thread = threading.Thread(target=greet, args=(text,))
            thread.start()
            assert tried(port, "tcp")["open"] is bool(text)
            thread.join()


def test_how_far_a_connection_got_and_what_ended_it_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    found = tried(port)
    assert (found["stage"], found["error"]) == ("connect", "ECONNREFUSED")
    with server(None) as port:
        found = tried(port, "kafka")
    assert (found["stage"], found["error"]) == ("exchange", "ECONNRESET")
    found = tried(80, host="nobody.invalid")
    assert (found["stage"], found["error"]) == ("resolve", "NO_NAME")


@contextmanager
def datagrams(answer: bytes | None) -> Iterator[int]:
    """Answer the second datagram that comes, as if the first were lost, and give the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            server.recv(64)
            _, client = server.recvfrom(64)
            if answer:
                server.sendto(answer, client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_a_datagram_is_sent_again_until_it_is_answered_refused_or_its_time_is_over() -> None:
    with datagrams(b"served") as port:
        found = tried(port, "udp")
    assert (found["stage"], bytes.fromhex(found["answer"])) == ("done", b"served")
    found = tried(port, "udp")
    assert (found["stage"], found["error"]) == ("connect", "ECONNREFUSED")
    with datagrams(None) as port:
        found = tried(port, "udp")
    assert (found["stage"], found["error"]) == ("connect", "TIMEOUT")


def test_an_ipv6_address_is_connected_to_and_told_in_brackets() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listening:
        port = listening.getsockname()[1]
        found = tried(port, "tcp", "::1")
    assert (found["stage"], found["remote"]) == ("done", f"[::1]:{port}")


def test_a_pods_ipv6_addresses_are_told_but_for_loopbacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = tmp_path / "if_inet6"
    monkeypatch.setattr(connections, "_ADDRESSES", listed)
    assert connections.ipv6_addresses() == []
    listed.write_text(
        "00000000000000000000000000000001 01 80 10 80       lo\n"
        "fe800000000000000042acfffe110002 0a 40 20 80     eth0\n"
        "fd000000000000000000000000000007 0a 40 00 80     eth0\n"
    )
    assert connections.ipv6_addresses() == ["fe80::42:acff:fe11:2", "fd00::7"]
    # A link-local address is looked for on the link that has one.
    assert connections._address("fe80::9", 80) == (socket.AF_INET6, ("fe80::9", 80, 0, 10))
    listed.write_text("00000000000000000000000000000001 01 80 10 80       lo\n")
    found = tried(80, "tcp", "fe80::9")
    assert (found["stage"], found["error"]) == ("connect", "ENETUNREACH")


def test_a_program_refuses_to_run_as_another_user_than_it_is_meant_for() -> None:
    with pytest.raises(RuntimeError, match="runs as user"):
        connections.attempts([], 1, user=connections.SIDECAR_USER)


def test_programs_run_on_nothing_but_the_standard_library_and_what_they_bring() -> None:
    text = inspect.getsource(connections) + "\nimport json\nprint(json.dumps(attempts([], 1)))\n"
    alone = [sys.executable, "-I", "-S", "-"]
    assert json.loads(subprocess.run(alone, input=text, capture_output=True, text=True, check=True).stdout) == []
    text = payload.import_lines(kafka) + "import kafka.protocol.admin\nprint(kafka.__file__)\n"
    found = subprocess.run(alone, input=text, capture_output=True, text=True, check=True).stdout
    assert ".zip/kafka/" in found
