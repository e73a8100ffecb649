"""The configuration of one Kafka node, as Strimzi's KafkaBrokerConfigurationBuilder creates it.

Kafka itself reads certificates from Secrets, by the Kubernetes API, so that none is in here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lab.strimzi import mounts, names
from lab.strimzi.cluster import Cluster, Node
from lab.strimzi.secret_manifests import TRUSTED
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
_SUPER_USERS: Final = (
    "kafka", "entity-topic-operator", "entity-user-operator", "kafka-exporter", "cruise-control",
)  # fmt: skip
"""Parts of a cluster that log in by certificate, and may do anything."""

_REPORTERS: Final = "io.strimzi.kafka.metrics"
"""Package of the metrics reporter's classes, in the release of it that can be had (0.2.0)."""

_PROVIDERS: Final = "org.apache.kafka.common.config.provider"


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
    """Return the settings of one node: the user's merged over the defaults, and Strimzi's own over both."""
    kafka = cluster.specification.kafka
    left_out = set(forbidden(kafka.config))
    chosen = {key: _value(value) for key, value in kafka.config.items() if key not in left_out}
    own = (
        _identity(cluster, node)
        | _storage(node)
        | _listeners(cluster, node)
        | _authorization(cluster)
        | _metrics(cluster)
        | _providers(node)
    )
    # Lists to which Strimzi adds its own.
    lists = ("config.providers", "metric.reporters", "kafka.metrics.reporters")
    joined = {key: f"{chosen[key]},{own[key]}" for key in lists if key in chosen and key in own}
    return chosen | own | joined


def _value(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _identity(cluster: Cluster, node: Node) -> dict[str, str]:
    voters = (voter for voter in cluster.nodes if voter.is_controller)
    roles = [role for role, has in (("broker", node.is_broker), ("controller", node.is_controller)) if has]
    rack = cluster.specification.kafka.rack
    return {
        "node.id": str(node.id),
        "process.roles": ",".join(roles),
        "controller.listener.names": _CONTROL_PLANE,
        "controller.quorum.voters": ",".join(
            f"{voter.id}@{cluster.host(voter)}:{names.CONTROL_PLANE_PORT}" for voter in voters
        ),
    } | ({"broker.rack": f"${{strimzidir:{mounts.INIT}:{mounts.RACK_FILE}}}"} if rack and node.is_broker else {})


def _storage(node: Node) -> dict[str, str]:
    volumes, folder = node.pool.volumes, mounts.log(node.id)
    metadata = next((volume for volume in volumes if volume.kraft_metadata), volumes[0])
    return {
        "log.dirs": ",".join(str(mounts.data(volume.id) / folder) for volume in volumes),
        "metadata.log.dir": str(mounts.data(metadata.id) / folder),
    }


def _listeners(cluster: Cluster, node: Node) -> dict[str, str]:
    clients = {it.identifier: it for it in cluster.specification.kafka.listeners} if node.is_broker else {}
    ports = {_CONTROL_PLANE: names.CONTROL_PLANE_PORT} if node.is_controller else {}
    protocols = {_CONTROL_PLANE: "SSL"}
    if node.is_broker:
        ports |= {_REPLICATION: names.REPLICATION_PORT} | {key: listener.port for key, listener in clients.items()}
        protocols |= {_REPLICATION: "SSL"} | {key: _protocol(it) for key, it in clients.items()}
    settings: dict[str, str] = {}
    for key in protocols:
        if key not in clients:
            settings |= _tls(cluster, node, key) | {f"listener.name.{key.lower()}.ssl.client.auth": "required"}
    for key, listener in clients.items():
        settings |= _client_listener(cluster, node, key, listener)
    host = cluster.host(node)
    settings |= {
        "listeners": ",".join(f"{key}://0.0.0.0:{port}" for key, port in ports.items()),
        "advertised.listeners": ",".join(f"{key}://{host}:{port}" for key, port in ports.items()),
        "listener.security.protocol.map": ",".join(f"{key}:{protocol}" for key, protocol in protocols.items()),
        "ssl.endpoint.identification.algorithm": "HTTPS",
        # An empty list, and a listener's own over it: nobody logs in where it was not asked for.
        "sasl.enabled.mechanisms": "",
    }
    return settings | ({"inter.broker.listener.name": _REPLICATION} if node.is_broker else {})


def _tls(cluster: Cluster, node: Node, listener: str) -> dict[str, str]:
    prefix = f"listener.name.{listener.lower()}.ssl"

    def secret(name: str, key: str) -> str:
        return f"${{strimzisecrets:{cluster.namespace}/{name}:{key}}}"

    return {
        f"{prefix}.keystore.type": "PEM",
        f"{prefix}.keystore.certificate.chain": secret(node.pod, f"{node.pod}.crt"),
        f"{prefix}.keystore.key": secret(node.pod, f"{node.pod}.key"),
        f"{prefix}.truststore.type": "PEM",
        f"{prefix}.truststore.certificates": secret(names.trust_bundle(cluster.name), TRUSTED["cluster"]),
    }


def _client_listener(cluster: Cluster, node: Node, key: str, listener: Listener) -> dict[str, str]:
    prefix = f"listener.name.{key.lower()}"
    settings = _tls(cluster, node, key) if listener.tls else {}
    if listener.authentication:
        settings |= {
            f"{prefix}.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            f"{prefix}.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required ;"
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
    own = [*(f"{cluster.name}-{part}" for part in _SUPER_USERS), "cluster-operator"]
    users = [f"CN={name},{_ORGANIZATION}" for name in own] + authorization.super_users
    return {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": ";".join(f"User:{user}" for user in users),
    }


def _metrics(cluster: Cluster) -> dict[str, str]:
    metrics = cluster.specification.kafka.metrics_config
    if metrics is None:
        return {}
    prefix = "prometheus.metrics.reporter"
    return {
        f"{prefix}.listener.enable": "true",
        f"{prefix}.listener": f"http://:{names.METRICS_PORT}",
        f"{prefix}.allowlist": ",".join(metrics.values.allow_list),
        "metric.reporters": f"{_REPORTERS}.KafkaPrometheusMetricsReporter",
        "kafka.metrics.reporters": f"{_REPORTERS}.YammerPrometheusMetricsReporter",
    }


def _providers(node: Node) -> dict[str, str]:
    """Return by whom Kafka has values looked up that are not in its configuration."""
    settings = {
        "config.providers": "strimzienv,strimzisecrets",
        "config.providers.strimzienv.class": f"{_PROVIDERS}.EnvVarConfigProvider",
        "config.providers.strimzienv.param.allowlist.pattern": ".*",
        "config.providers.strimzisecrets.class": "io.strimzi.kafka.KubernetesSecretConfigProvider",
    }
    if not node.is_broker:
        return settings
    return settings | {
        "config.providers": "strimzienv,strimzisecrets,strimzifile,strimzidir",
        "config.providers.strimzifile.class": f"{_PROVIDERS}.FileConfigProvider",
        "config.providers.strimzifile.param.allowed.paths": "/opt/kafka",
        "config.providers.strimzidir.class": f"{_PROVIDERS}.DirectoryConfigProvider",
        "config.providers.strimzidir.param.allowed.paths": "/opt/kafka",
    }
