"""Reports the health of a Kafka process, as Strimzi's kafka-agent does.

Strimzi's runs inside of Kafka and reads a metric; this one reads what Kafka logs when the state changes.
Source of the states: org.apache.kafka.metadata.BrokerState; of the paths: Strimzi's kafka-agent.
"""

from __future__ import annotations

import enum
import json
import re
import ssl
import threading
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from lab.certificates import Pair, load

_TRANSITION: Final = re.compile(r"BrokerLifecycleManager.* [Tt]ransition(?:ing)? from \w+ to (?P<state>\w+)")
_STARTED: Final = re.compile(r"Kafka Server started")


class BrokerState(enum.IntEnum):
    """How far a broker is."""

    NOT_RUNNING = 0
    STARTING = 1
    RECOVERY = 2
    RUNNING = 3
    PENDING_CONTROLLED_SHUTDOWN = 6
    SHUTTING_DOWN = 7
    UNKNOWN = 127


@dataclass
class Health:
    """What is known of a Kafka process so far."""

    is_broker: bool
    state: BrokerState = BrokerState.NOT_RUNNING
    started: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether it does its work: a broker takes part in its cluster, a controller has started."""
        return self.state is BrokerState.RUNNING if self.is_broker else self.started

    def learn(self, line: str) -> None:
        """Take note of a line of Kafka's log."""
        if _STARTED.search(line):
            self.started = True
        elif found := _TRANSITION.search(line):
            self.state = BrokerState.__members__.get(found["state"], BrokerState.UNKNOWN)


def probes(health: Health, port: int, host: str = "") -> ThreadingHTTPServer:
    """Return a server of plain HTTP for probes, which serves until the process ends.

    :param host: the address to listen on, by default every one.
    :raises OSError: if the port is taken.
    """
    return _served(ThreadingHTTPServer((host, port), _handler(health)))


def secured(health: Health, port: int, context: ssl.SSLContext, host: str = "") -> ThreadingHTTPServer:
    """Return a server of HTTPS for the cluster operator, which serves until the process ends.

    :param context: as ``server_context`` makes it.
    :param host: the address to listen on, by default every one.
    :raises OSError: if the port is taken.
    """
    server = ThreadingHTTPServer((host, port), _handler(health))
    # The handshake is done by the thread of its connection, so that a client that is slow at it holds nobody up.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return _served(server)


def server_context(pair: Pair, authority: bytes) -> ssl.SSLContext:
    """Return the identity of a server whose clients need a certificate by an authority.

    :raises ValueError: if one of them is no certificate.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    load(context, pair)
    return context


def _served(server: ThreadingHTTPServer) -> ThreadingHTTPServer:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _handler(health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            path = self.path.rstrip("/")
            if path == "/v1/broker-state":
                self._answer(HTTPStatus.OK, {"brokerState": health.state.value})
            elif path == "/v1/ready":
                ready = HTTPStatus.NO_CONTENT if health.is_ready else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(ready, None)
            else:
                self._answer(HTTPStatus.NOT_FOUND, None)

        def _answer(self, status: HTTPStatus, content: object) -> None:
            body = b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 as the base class has it
            """Probes are nothing to log."""

    return Handler
