"""What a pod can reach: connections tried one by one, and exactly what came of each.

Sent into a pod as source and run by its Python, so it imports nothing but the standard library.
"""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import Any

SIDECAR_USER = 1337
"""What this user sends is not led through the pod's own Envoy (Istio, ``istio-iptables -u``)."""

_AT_ONCE = 32
_TEXT = 300
_APPLICATION_PROTOCOLS = ["istio-peer-exchange", "istio"]
"""By which Istio's listeners know each other's TLS (Istio, pilot/pkg/networking/util, ALPNInMesh)."""

_API_VERSIONS = b"\x00\x00\x00\x13\x00\x12\x00\x00\x00\x00\x00\x01\x00\x09questions"
"""Kafka's ApiVersions request, version 0, correlation 1, of a client named ``questions``; needs no log-in."""


def attempts(wanted: list[dict[str, Any]], seconds: float, user: int | None = None) -> list[dict[str, Any]]:
    """Try every connection and return what came of each, in the same order.

    A connection is ``{speaks, host, port}`` and, where it speaks ``http``, ``{method, path, headers}``; it may also
    speak ``https``, ``tcp``, ``kafka``, ``tls``, or ``mesh`` (TLS as between sidecars). What came of it is ``{local,
    remote, stage, error, text}`` and what that protocol's function adds: ``local`` and ``remote`` are the addresses,
    ``stage`` is how far it got (resolve, connect, exchange, done), ``error`` the name of the fault.

    :param seconds: how long to wait for each.
    :param user: who must not be asking, or None: through a sidecar, anyone but the sidecar's user.
    :raises RuntimeError: if this is run as the wrong user.
    """
    if (os.getuid() == SIDECAR_USER) != (user == SIDECAR_USER):
        raise RuntimeError(f"runs as user {os.getuid()}")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda one: attempt(one, seconds), wanted))


def attempt(wanted: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Try one connection."""
    found: dict[str, Any] = {"stage": "resolve"}
    try:
        address = socket.gethostbyname(wanted["host"])
        found["stage"] = "connect"
        # Bound first, or the kernel would give two connections to different places the same port, and a sidecar's
        # log could not tell them apart.
        with socket.create_connection((address, wanted["port"]), seconds, source_address=("", 0)) as connection:
            found["stage"] = "exchange"
            found["local"] = _joined(connection.getsockname())
            found["remote"] = _joined(connection.getpeername())
            found.update(_SPEAKS[wanted["speaks"]](connection, wanted))
            found["stage"] = "done"
    except (OSError, http.client.HTTPException) as error:
        found["error"] = _named(error)
        found["text"] = str(error)[:_TEXT]
    return found


def _joined(address: tuple[Any, ...]) -> str:
    return f"{address[0]}:{address[1]}"


def _named(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "TIMEOUT"
    if isinstance(error, ssl.SSLError):
        return str(error.reason or "TLS")
    if isinstance(error, socket.gaierror):
        return "NO_NAME"
    if isinstance(error, OSError) and error.errno:
        return errno.errorcode.get(error.errno, str(error.errno))
    return type(error).__name__


def _http(connection: socket.socket, wanted: dict[str, Any]) -> dict[str, Any]:
    client = http.client.HTTPConnection(wanted["host"], wanted["port"])
    client.sock = connection
    headers = {"Connection": "close", **wanted.get("headers", {})}
    client.request(wanted["method"], wanted["path"], headers=headers)
    response = client.getresponse()
    text = response.read(4096).decode(errors="replace")[:_TEXT]
    return {"status": response.status, "text": text, "server": response.headers.get("server", "")}


def _https(connection: socket.socket, wanted: dict[str, Any]) -> dict[str, Any]:
    """Shake hands under the host's name; whose certificate it is, is not this question."""
    with _trusting().wrap_socket(connection, server_hostname=wanted["host"]) as wrapped:
        return {"tls": wrapped.version()}


def _tcp(connection: socket.socket, _: dict[str, Any]) -> dict[str, Any]:
    """See whether the connection stays open: a sidecar takes one at once, and closes it when it gets no further."""
    try:
        return {"open": bool(connection.recv(64))}
    except TimeoutError:
        # A server that waits to be spoken to.
        return {"open": True}


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _kafka(connection: socket.socket, _: dict[str, Any]) -> dict[str, Any]:
    connection.sendall(_API_VERSIONS)
    return {"answer": connection.recv(64).hex()}


def _tls(connection: socket.socket, wanted: dict[str, Any]) -> dict[str, Any]:
    """Shake hands without a certificate of one's own, and see what the server does once it has missed it."""
    context = _trusting()
    if wanted["speaks"] == "mesh":
        context.set_alpn_protocols(_APPLICATION_PROTOCOLS)
    with context.wrap_socket(connection, server_hostname=wanted.get("server_name")) as wrapped:
        certificate = wrapped.getpeercert(binary_form=True) or b""
        found = {"certificate": certificate.hex(), "tls": wrapped.version(), "cipher": (wrapped.cipher() or ("",))[0]}
        try:
            # In TLS 1.3 a client hears only now that its certificate was missed.
            wrapped.sendall(b"\r\n\r\n")
            return found | {"answer": wrapped.recv(64).hex()}
        except OSError as error:
            return found | {"refusal": _named(error)}


_SPEAKS = {"http": _http, "https": _https, "tcp": _tcp, "kafka": _kafka, "tls": _tls, "mesh": _tls}
