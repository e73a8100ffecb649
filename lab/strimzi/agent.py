"""What tells others how a Kafka process does: the part of Strimzi's kafka-agent that the lab needs.

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
from pathlib import Path
from typing import Final

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


@dataclass(frozen=True)
class Server:
    """Serves the health on two ports: to probes, and by mutual TLS to the cluster operator."""

    health: Health
    probes: ThreadingHTTPServer
    agent: ThreadingHTTPServer

    def start(self) -> None:
        """Serve until the process ends."""
        for server in (self.probes, self.agent):
            threading.Thread(target=server.serve_forever, daemon=True).start()


def server(
    health: Health, probes: int, agent: int, certificate: Path, key: Path, authority: Path, host: str = ""
) -> Server:
    """Return a server that listens.

    :param probes: port for plain HTTP.
    :param agent: port for HTTPS; clients need a certificate by the same authority.
    :param host: the address to listen on, by default every one.
    :raises OSError: if a port is taken or a file cannot be read.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    handler = _handler(health)
    secured = ThreadingHTTPServer((host, agent), handler)
    # The handshake is done by the thread of its connection, so that a client that is slow at it holds nobody up.
    secured.socket = context.wrap_socket(secured.socket, server_side=True, do_handshake_on_connect=False)
    return Server(health, ThreadingHTTPServer((host, probes), handler), secured)


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
