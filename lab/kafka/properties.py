"""The configuration of a single-broker cluster on loopback."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ADMIN = "admin"
"""The super user; the broker itself is it, too."""


@dataclass(frozen=True)
class Ports:
    """TCP ports: for clients (SCRAM-SHA-512), for the broker and the first log-in (PLAIN), for the controller."""

    clients: int
    internal: int
    controller: int


def server_properties(ports: Ports, data: Path, password: str) -> dict[str, str]:
    """Return the settings of a combined broker and controller with one replica of everything.

    :param password: of the super user ADMIN, letters and digits.
    """
    jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    return (
        {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{ports.controller}",
            "listeners": ",".join(
                f"{name}://127.0.0.1:{port}"
                for name, port in (
                    ("CLIENTS", ports.clients),
                    ("INTERNAL", ports.internal),
                    ("CONTROLLER", ports.controller),
                )
            ),
            "advertised.listeners": f"CLIENTS://127.0.0.1:{ports.clients},INTERNAL://127.0.0.1:{ports.internal}",
            "listener.security.protocol.map": ",".join(
                f"{name}:SASL_PLAINTEXT" for name in ("CLIENTS", "INTERNAL", "CONTROLLER")
            ),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "INTERNAL",
            "listener.name.clients.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.clients.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "listener.name.internal.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "sasl.mechanism.controller.protocol": "PLAIN",
        }
        | {
            f"listener.name.{name}.plain.sasl.jaas.config": (
                f'{jaas} username="{ADMIN}" password="{password}" user_{ADMIN}="{password}";'
            )
            for name in ("internal", "controller")
        }
        | {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:{ADMIN}",
            "log.dirs": str(data),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "5",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "5",
            # One that was killed may register again after this time.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "300",
            # A group of one need not wait for others.
            "group.initial.rebalance.delay.ms": "0",
        }
    )


def text(properties: dict[str, str]) -> str:
    """Return a properties file."""
    return "".join(f"{key}={value}\n" for key, value in properties.items())
