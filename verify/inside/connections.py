"""Tries connections from a pod one by one, and returns the exact result of each.

Sent into a pod as source and run by its Python, so it imports nothing but the standard library.
"""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SIDECAR_USER = 1337
"""What this user sends is not led through the pod's own Envoy (Istio, ``istio-iptables -u``)."""

_AT_ONCE = 32
_TEXT = 300
_APPLICATION_PROTOCOLS = ["istio-peer-exchange", "istio"]
"""By which Istio's listeners know each other's TLS (Istio, pilot/pkg/networking/util, ALPNInMesh)."""

_DATAGRAMS = 3
"""How often one is sent: a kernel tells one client about once a second that it refuses (``icmp_ratelimit``)."""

_QUESTION = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01"
"""A question that a DNS server answers: who serves the root."""

_ECHO = struct.pack(">BBHHH", 8, 0, 0, 0, 1) + b"questions"
"""An ICMP echo request; the kernel fills in checksum and identifier."""

_ADDRESSES = Path("/proc/net/if_inet6")
_LINK_LOCAL = "fe80"
_RECEIVE_ERRORS = 11
"""``IP_RECVERR``, which Python 3.14 is the first to name."""

_FROM_ICMP = 2
"""Where an error of a socket comes from (``SO_EE_ORIGIN_ICMP``)."""

_API_VERSIONS = b"\x00\x00\x00\x13\x00\x12\x00\x00\x00\x00\x00\x01\x00\x09questions"
"""Kafka's ApiVersions request, version 0, correlation 1, of a client named ``questions``; needs no log-in."""


def attempts(wanted: list[dict[str, Any]], seconds: float, user: int | None = None) -> list[dict[str, Any]]:
    """Try every connection and return the results, in the same order.

    A connection is ``{speaks, host, port}`` and, where it speaks ``http``, ``{method, path, headers}``; it may also
    speak ``https``, ``tcp``, ``kafka``, ``tls``, ``mesh`` (TLS as between sidecars), ``udp`` or ``icmp``. What came of
    it is ``{local, remote, stage, error, text, icmp}`` and what that protocol's function adds: ``local`` and ``remote``
    are the addresses, ``stage`` is how far it got (resolve, socket, connect, exchange, done), ``error`` the name of the
    fault, ``icmp`` the code of the message "destination unreachable" (type 3) that refused a connection.

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
        if wanted["speaks"] in ("udp", "icmp"):
            _send(wanted, seconds, found)
        else:
            _connect(wanted, seconds, found)
    except (OSError, http.client.HTTPException) as error:
        found["error"] = _named(error)
        found["text"] = str(error)[:_TEXT]
    return found


def _connect(wanted: dict[str, Any], seconds: float, found: dict[str, Any]) -> None:
    host = wanted["host"] if ":" in wanted["host"] else socket.gethostbyname(wanted["host"])
    found["stage"] = "connect"
    family, address = _address(host, wanted["port"])
    with socket.socket(family) as connection:
        connection.settimeout(seconds)
        if family == socket.AF_INET:
            connection.setsockopt(socket.IPPROTO_IP, _RECEIVE_ERRORS, 1)
        # Bound first, or the kernel would give two connections to different places the same port, and a sidecar's
        # log could not tell them apart.
        connection.bind(("", 0))
        try:
            connection.connect(address)
        except OSError:
            found["icmp"] = _code(connection)
            raise
        if family == socket.AF_INET:
            connection.setsockopt(socket.IPPROTO_IP, _RECEIVE_ERRORS, 0)
        found["stage"] = "exchange"
        found["local"] = _joined(connection.getsockname())
        found["remote"] = _joined(connection.getpeername())
        found.update(_SPEAKS[wanted["speaks"]](connection, wanted))
        found["stage"] = "done"


def _address(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    if ":" not in host:
        return socket.AF_INET, (host, port)
    if not host.startswith(_LINK_LOCAL):
        return socket.AF_INET6, (host, port)
    # Every link has these addresses: it is looked for on the one that this pod is on.
    scopes = [index for address, index in _own_ipv6() if address.startswith(_LINK_LOCAL)]
    if not scopes:
        raise OSError(errno.ENETUNREACH, "this pod has no address on a link of IPv6")
    return socket.AF_INET6, (host, port, 0, scopes[0])


def ipv6_addresses() -> list[str]:
    """Return the IPv6 addresses of the pod, without loopback's."""
    return [address for address, _ in _own_ipv6()]


def _own_ipv6() -> list[tuple[str, int]]:
    """Return addresses, and the numbers of their interfaces."""
    try:
        lines = [line.split() for line in _ADDRESSES.read_text().splitlines()]
    except FileNotFoundError:
        # A kernel without IPv6.
        return []
    return [
        (socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line[0])), int(line[1], 16))
        for line in lines
        if line[5] != "lo"
    ]


def _code(connection: socket.socket) -> int | None:
    """Return the code of the ICMP message that ended a connection, if one did."""
    try:
        _, messages, _, _ = connection.recvmsg(512, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
    except OSError:
        return None
    for level, _, data in messages:
        _, origin, _, code = struct.unpack_from("=IBBB", data)
        if level == socket.IPPROTO_IP and origin == _FROM_ICMP:
            return int(code)
    return None


def _send(wanted: dict[str, Any], seconds: float, found: dict[str, Any]) -> None:
    """Send a datagram until a response shows that it arrived, or until the timeout."""
    address = socket.gethostbyname(wanted["host"])
    found["stage"] = "socket"
    protocol, text = (socket.IPPROTO_ICMP, _ECHO) if wanted["speaks"] == "icmp" else (socket.IPPROTO_UDP, _QUESTION)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, protocol) as sender:
        found["stage"] = "connect"
        sender.settimeout(seconds / _DATAGRAMS)
        sender.connect((address, wanted["port"]))
        for left in reversed(range(_DATAGRAMS)):
            sender.send(text)
            try:
                found["answer"] = sender.recv(64).hex()
            except TimeoutError:
                if not left:
                    raise
            else:
                found["stage"] = "done"
                return


def _joined(address: tuple[Any, ...]) -> str:
    host = address[0].partition("%")[0]
    return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"


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
    """Perform a handshake with the host's name, without verifying the certificate."""
    with _trusting().wrap_socket(connection, server_hostname=wanted["host"]) as wrapped:
        return {"tls": wrapped.version()}


def _tcp(connection: socket.socket, _: dict[str, Any]) -> dict[str, Any]:
    """Check whether the connection stays open: a sidecar accepts it, and closes it if it cannot connect."""
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
    """Perform a handshake without a client certificate, and return the server's reaction."""
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
