"""The configuration of one Kafka node, as Strimzi's KafkaBrokerConfigurationBuilder makes it.

Certificates are read from mounted files by Kafka itself, so that no secret is in here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lab.strimzi import mounts, names
from lab.strimzi.cluster import Cluster, Node, Pool
from lab.strimzi.specification import Listener

FORBIDDEN: Final = (
    "listeners", "advertised.", "broker.", "listener.", "host.name", "port", "inter.broker.listener.name", "sasl.",
    "ssl.", "security.", "password.", "log.dir", "zookeeper.connect", "zookeeper.set.acl", "zookeeper.ssl",
    "zookeeper.clientCnxnSocket", "authorizer.", "super.user", "cruise.control.metrics.topic",
    "cruise.control.metrics.reporter.bootstrap.servers", "node.id", "process.roles", "controller.", "metadata.log.dir",
    "zookeeper.metadata.migration.enable", "client.quota.callback.static.kafka.admin.",
    "client.quota.callback.static.produce", "client.quota.callback.static.fetch",
    "client.quota.callback.static.storage.per.volume.limit.min.available.",
    "client.quota.callback.static.excluded.principal.name.list", "prometheus.metrics.reporter.", "cordoned.log.dirs",
)  # fmt: skip
"""Beginnings of settings that a user may not make, because Strimzi makes them.

Source of both lists: KafkaClusterSpec in io.strimzi:api 1.2.0.
"""

ALLOWED: Final = (
    "zookeeper.connection.timeout.ms", "sasl.server.max.receive.size", "ssl.cipher.suites", "ssl.protocol",
    "ssl.enabled.protocols", "ssl.secure.random.implementation", "cruise.control.metrics.topic.num.partitions",
    "cruise.control.metrics.topic.replication.factor", "cruise.control.metrics.topic.retention.ms",
    "cruise.control.metrics.topic.auto.create.retries", "cruise.control.metrics.topic.auto.create.timeout.ms",
    "cruise.control.metrics.topic.min.insync.replicas", "broker.session.timeout.ms", "broker.heartbeat.interval.ms",
    "controller.socket.timeout.ms", "controller.quorum.election.backoff.max.ms",
    "controller.quorum.election.timeout.ms", "controller.quorum.fetch.timeout.ms",
    "Settings that a user may make all the same.",
)  # fmt: skip
"""Settings that a user may make all the same."""

_CONTROL_PLANE: Final = f"CONTROLPLANE-{names.CONTROL_PLANE_PORT}"
_REPLICATION: Final = f"REPLICATION-{names.REPLICATION_PORT}"
_ORGANIZATION: Final = "O=io.strimzi"


def forbidden(config: Mapping[str, object]) -> list[str]:
    """Return the settings of ``spec.kafka.config`` that are left out, as Strimzi leaves them out."""
    return [key for key in config if key not in ALLOWED and key.startswith(FORBIDDEN)]


def text(properties: Mapping[str, str]) -> str:
    """Return a properties file; values are escaped as java.util.Properties reads them."""
    return "".join(f"{key}={_escaped(value)}\n" for key, value in properties.items())


def _escaped(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"\\{escaped}" if escaped.startswith((" ", "\t", "\f")) else escaped


def server_properties(cluster: Cluster, node: Node) -> dict[str, str]:
    """Return the settings of one node; the user's are laid over the defaults, and Strimzi's own over both."""
    kafka = cluster.specification.kafka
    left_out = set(forbidden(kafka.config))
    chosen = {key: _value(value) for key, value in kafka.config.items() if key not in left_out}
    return chosen | _identity(cluster, node) | _storage(node.pool) | _listeners(cluster, node) | _authorization(cluster)


def _value(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _identity(cluster: Cluster, node: Node) -> dict[str, str]:
    voters = (voter for voter in cluster.nodes if voter.is_controller)
    return {
        "node.id": str(node.id),
        "process.roles": ",".join(sorted(node.pool.specification.roles)),
        "controller.listener.names": _CONTROL_PLANE,
        "controller.quorum.voters": ",".join(
            f"{voter.id}@{cluster.host(voter)}:{names.CONTROL_PLANE_PORT}" for voter in voters
        ),
    }


def _storage(pool: Pool) -> dict[str, str]:
    metadata = next((volume for volume in pool.volumes if volume.kraft_metadata), pool.volumes[0])
    return {
        "log.dirs": ",".join(str(mounts.data(volume.id) / mounts.LOG) for volume in pool.volumes),
        "metadata.log.dir": str(mounts.data(metadata.id) / mounts.LOG),
    }


def _listeners(cluster: Cluster, node: Node) -> dict[str, str]:
    clients = {listener.identifier: listener for listener in cluster.specification.kafka.listeners}
    ports = {_REPLICATION: names.REPLICATION_PORT} | {key: listener.port for key, listener in clients.items()}
    ports = ports if node.is_broker else {}
    settings: dict[str, str] = {}
    for key in (_CONTROL_PLANE, _REPLICATION):
        settings |= _tls(key) | {f"listener.name.{key.lower()}.ssl.client.auth": "required"}
    for key, listener in clients.items():
        settings |= _client_listener(key, listener)
    listened = {**({_CONTROL_PLANE: names.CONTROL_PLANE_PORT} if node.is_controller else {}), **ports}
    protocols = {_CONTROL_PLANE: "SSL", _REPLICATION: "SSL"} | {key: _protocol(it) for key, it in clients.items()}
    settings |= {
        "listeners": ",".join(f"{key}://0.0.0.0:{port}" for key, port in listened.items()),
        "listener.security.protocol.map": ",".join(f"{key}:{protocol}" for key, protocol in protocols.items()),
        "inter.broker.listener.name": _REPLICATION,
        "ssl.endpoint.identification.algorithm": "HTTPS",
        # An empty list, and a listener's own over it: nobody logs in where it was not asked for.
        "sasl.enabled.mechanisms": "",
        "config.providers": "files",
        "config.providers.files.class": "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
    }
    host = cluster.host(node)
    if ports:
        settings["advertised.listeners"] = ",".join(f"{key}://{host}:{port}" for key, port in ports.items())
    return settings


def _tls(listener: str) -> dict[str, str]:
    prefix = f"listener.name.{listener.lower()}.ssl"
    return {
        f"{prefix}.keystore.type": "PEM",
        f"{prefix}.keystore.certificate.chain": f"${{files:{mounts.CERTIFICATE}:{mounts.CERTIFICATE_FILE}}}",
        f"{prefix}.keystore.key": f"${{files:{mounts.CERTIFICATE}:{mounts.KEY_FILE}}}",
        f"{prefix}.truststore.type": "PEM",
        f"{prefix}.truststore.certificates": f"${{files:{mounts.AUTHORITY}:{mounts.AUTHORITY_FILE}}}",
    }


def _client_listener(key: str, listener: Listener) -> dict[str, str]:
    prefix = f"listener.name.{key.lower()}"
    settings = _tls(key) if listener.tls else {}
    if listener.authentication:
        settings |= {
            f"{prefix}.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            f"{prefix}.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
        }
    return settings


def _protocol(listener: Listener) -> str:
    transport = "SSL" if listener.tls else "PLAINTEXT"
    return f"SASL_{transport}" if listener.authentication else transport


def _authorization(cluster: Cluster) -> dict[str, str]:
    authorization = cluster.specification.kafka.authorization
    if authorization is None:
        return {}
    own = [names.brokers(cluster.name), *(f"{cluster.name}-{it}" for it in mounts.ENTITY_OPERATORS), "cluster-operator"]
    users = [f"CN={name},{_ORGANIZATION}" for name in own] + authorization.super_users
    return {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": ";".join(f"User:{user}" for user in users),
    }
