"""A real Kafka broker on loopback, for tests and benchmarks."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import socket
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from lab import files
from lab.errors import LabError
from lab.kafka import distribution
from lab.kafka.properties import ADMIN, Ports, server_properties, text
from lab.ports import free_ports
from lab.processes import Process

_PATIENCE: Final = 60.0
"""Seconds that the broker gets to start, and each request of the administrator to be answered."""


def _new_ports() -> Ports:
    first = free_ports()
    return Ports(first, first + 1, first + 2)


@dataclass
class Broker:
    """A combined broker and controller in a folder, with ACLs; a restart keeps its data and ports.

    ``users`` are passwords by name; ``settings`` are merged over the broker's own. As a context manager it runs inside
    the block; it also ends with the thread that started it.
    """

    folder: Path
    users: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    version: str = distribution.VERSION
    admin_user: str = ADMIN
    admin_password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    ports: Ports = field(default_factory=_new_ports)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Kill it; its data is not needed any more."""
        self.kill()

    @property
    def bootstrap(self) -> str:
        """Host and port of the listener for clients (SASL_PLAINTEXT, SCRAM-SHA-512)."""
        return f"127.0.0.1:{self.ports.clients}"

    @property
    def pid(self) -> int | None:
        """The broker's process, if it runs."""
        return self._process.pid()

    def client(self, user: str = ADMIN, password: str | None = None) -> dict[str, Any]:
        """Return the librdkafka settings with which a user logs in."""
        return {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": password or (self.admin_password if user == ADMIN else self.users[user]),
        }

    def start(self) -> None:
        """Start it with its existing data if it does not run; return when clients can log in.

        :raises LabError: if it does not start.
        """
        kafka = distribution.distribution(self.version)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        data, configuration = self.folder / "data", self.folder / "server.properties"
        fresh = not (data / "meta.properties").is_file()
        if fresh:
            cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode("ascii").rstrip("=")
            distribution.format_storage(kafka, data, cluster, 1)
            settings = server_properties(self.ports, data, self.admin_password) | dict(self.settings)
            files.replace(configuration, text(settings).encode())
        self._process.start(distribution.java().parent, tethered=True)
        self._wait_until_it_listens()
        if fresh:
            self.set_password(ADMIN, self.admin_password)
            for user, password in self.users.items():
                self.set_password(user, password)

    def stop(self) -> None:
        """Stop it gracefully."""
        self._process.stop()

    def kill(self) -> None:
        """Kill it (SIGKILL)."""
        if (pid := self._process.pid()) is not None:
            os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
        self._process.stop()

    def create_topic(self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> None:
        """Create a topic.

        :raises KafkaException: if the broker refuses.
        """
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        _wait(self.admin.create_topics([topic]))

    def delete_topics(self, *names: str) -> None:
        """Delete topics.

        :raises KafkaException: if the broker refuses.
        """
        _wait(self.admin.delete_topics(list(names)))

    def set_password(self, user: str, password: str) -> None:
        """Create a SCRAM-SHA-512 user, or set its password.

        :raises KafkaException: if the broker refuses.
        """
        credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion(user, credential, password.encode())
        _wait(self.admin.alter_user_scram_credentials([change]))
        if user != ADMIN:
            self.users = {**self.users, user: password}

    def add_acls(self, user: str, resource: str, name: str, operations: Iterable[str]) -> None:
        """Allow a user operations on a resource.

        :param resource: ``topic``, ``group``, ``transactionalId`` or ``cluster``.
        :param operations: as a KafkaUser names them, such as ``Read`` and ``IdempotentWrite``.
        :raises KafkaException: if the broker refuses.
        """
        bindings = [
            AclBinding(
                _RESOURCES[resource],
                name,
                ResourcePatternType.LITERAL,
                f"User:{user}",
                "*",
                AclOperation[_snake(operation)],
                AclPermissionType.ALLOW,
            )
            for operation in operations
        ]
        _wait(self.admin.create_acls(bindings))

    @cached_property
    def admin(self) -> AdminClient:
        """A client that may do everything."""
        internal = {"bootstrap.servers": f"127.0.0.1:{self.ports.internal}", "sasl.mechanism": "PLAIN"}
        # Where the broker is away, that is what a test wants, and what is asked of it then fails.
        return AdminClient({**self.client(), **internal, "log_level": 0})

    @cached_property
    def _process(self) -> Process:
        options = [*distribution.jvm_options(distribution.distribution(self.version)), "kafka.Kafka"]
        return Process("java", self.folder, (*options, str(self.folder / "server.properties")))

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if self._process.pid() is None:
                raise LabError(f"the broker in {self.folder} ended: {self._process.last_words()}")
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.ports.clients), 1).close()
                return
            time.sleep(0.02)
        raise LabError(f"the broker in {self.folder} did not start within {_PATIENCE:.0f} s")


_RESOURCES: Final = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactionalId": ResourceType.TRANSACTIONAL_ID,
    "cluster": ResourceType.BROKER,
}


def _snake(operation: str) -> str:
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in operation).strip("_").upper()


def _wait(futures: Mapping[Any, Future[Any]]) -> None:
    for future in futures.values():
        future.result(_PATIENCE)
