"""Specifications of Strimzi's resources, `kafka.strimzi.io/v1` (Strimzi 1.2)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from model import alerts, names, policies
from model.settings import Monitoring, NodePool, Settings, StorageType


def _pod_labels(settings: Settings, app: str) -> dict[str, str]:
    labels = {"app": f"{app}-demo-app-log", "version": "v1"}
    return labels | ({"sidecar.istio.io/inject": "true"} if settings.injected else {})


def _pod(settings: Settings) -> dict[str, Any]:
    """Template of all nodes' pods."""
    metadata: dict[str, Any] = {"labels": _pod_labels(settings, "kafka-cluster")}
    if settings.monitoring is Monitoring.FULL:
        metadata["annotations"] = names.scraped(names.KAFKA_METRICS_PORT)
    if not settings.topology_key:
        return {"metadata": metadata}
    spread = {
        "maxSkew": 1,
        "topologyKey": settings.topology_key,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": names.kafka(settings).broker_labels},
        # Controllers and brokers have those labels alike, and each pool is to be spread by itself.
        "matchLabelKeys": ["strimzi.io/pool-name"],
    }
    return {"metadata": metadata, "topologySpreadConstraints": [spread]}


def _optional(settings: Settings) -> dict[str, Any]:
    """What only some clusters have."""
    optional: dict[str, Any] = {}
    if settings.topology_key:
        optional["rack"] = {"topologyKey": settings.topology_key}
    if settings.monitoring is Monitoring.FULL:
        allowed = list(alerts.KAFKA_METRICS)
        optional["metricsConfig"] = {"type": "strimziMetricsReporter", "values": {"allowList": allowed}}
    return optional


def kafka_spec(settings: Settings) -> dict[str, Any]:
    """Specification of the Kafka resource: one listener, for the declared clients, with SCRAM users and ACLs."""
    replicas, in_sync = settings.replicas, settings.min_insync_replicas
    return {
        "kafka": {
            "version": settings.kafka_version,
            "listeners": [
                {
                    "name": "plain",
                    "port": names.KAFKA_PORT,
                    "type": "internal",
                    "tls": False,
                    "authentication": {"type": "scram-sha-512"},
                    "networkPolicyPeers": policies.kafka_listener_peers(settings),
                }
            ],
            "authorization": {"type": "simple"},
            "config": {
                "auto.create.topics.enable": False,
                "default.replication.factor": replicas,
                "min.insync.replicas": in_sync,
                "offsets.topic.replication.factor": replicas,
                "transaction.state.log.replication.factor": replicas,
                "transaction.state.log.min.isr": in_sync,
            }
            | settings.kafka_config,
            "template": {"pod": _pod(settings)},
        }
        | _optional(settings),
        "entityOperator": {
            "topicOperator": {"reconciliationIntervalMs": 90_000},
            "userOperator": {"reconciliationIntervalMs": 120_000},
            "template": {
                "pod": {
                    "metadata": {
                        "labels": _pod_labels(settings, "kafka-entity-operator") | {"app-type": "entity-operator"}
                    }
                },
                # A topic's finalizer would hang a destroy once its operator is gone
                # (strimzi/strimzi-kafka-operator#11901).
                "topicOperatorContainer": {"env": [{"name": "STRIMZI_USE_FINALIZERS", "value": "false"}]},
            },
        },
    }


def node_pool_spec(pool: NodePool) -> dict[str, Any]:
    """Specification of a KafkaNodePool."""
    spec: dict[str, Any] = {
        "replicas": pool.replicas,
        "roles": [role.value for role in pool.roles],
        "storage": _storage(pool),
    }
    if pool.resources:
        spec["resources"] = pool.resources.model_dump()
    return spec


def _storage(pool: NodePool) -> dict[str, Any]:
    storage = pool.storage
    if storage.type is StorageType.EPHEMERAL:
        return {"type": storage.type.value}
    spec = {"type": storage.type.value, "size": storage.size, "deleteClaim": bool(storage.delete_claim)}
    return spec | ({"class": storage.class_} if storage.class_ else {})


TOPIC_BYTES = 262_144
"""Bytes that a batch of records may have, inflated: a consumer holds some batches at once."""


def topic_spec(settings: Settings, topic: str) -> dict[str, Any]:
    """Specification of a KafkaTopic; every topic has the same shape.

    The brokers inflate what they are sent, and refuse what is too large then. Brokers' settings of the user's own hold.
    """
    config = settings.kafka_config
    return {
        "topicName": topic,
        "partitions": settings.topic_partitions,
        "replicas": settings.replicas,
        "config": {
            "retention.ms": settings.topic_retention_ms,
            "segment.bytes": settings.topic_segment_bytes,
            "compression.type": config.get("compression.type", "uncompressed"),
            "max.message.bytes": config.get("message.max.bytes", TOPIC_BYTES),
        },
    }


_ACL_VALUES: Mapping[str, tuple[str, ...]] = {
    "type": ("allow", "deny"),
    "resource": ("topic", "group", "cluster", "transactionalId"),
    "pattern": ("literal", "prefix"),
    "name": (),
    "operations": (),
}
"""Keys of an ACL and the values that each may have; any value where none is listed."""


def acl_faults(acls: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each fault of ACLs as acl_rule takes them; the value of a Pulumi output is not judged."""
    for index, acl in enumerate(acls):
        for key, value in acl.items():
            allowed = _ACL_VALUES.get(key)
            if allowed is None:
                yield f"acls[{index}].{key}: unknown key; allowed are {', '.join(sorted(_ACL_VALUES))}"
            elif allowed and isinstance(value, str) and value not in allowed:
                yield f"acls[{index}].{key} = {value!r}: must be {' or '.join(allowed)}"
        for key in ("resource", "operations"):
            if key not in acl:
                yield f"acls[{index}].{key} is missing"
        if "name" in acl and acl.get("resource") == "cluster":
            yield f"acls[{index}].name = {acl['name']!r}: a cluster has no name; remove it"
        if "name" not in acl and acl.get("resource") in ("topic", "group", "transactionalId"):
            yield f"acls[{index}].name is missing; a {acl['resource']} has one"


def acl_rule(acl: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule of a KafkaUser's ``spec.authorization.acls``.

    ``acl`` is ``{type?, resource, name?, pattern?, operations}``; its values may be Pulumi outputs.
    """
    named = {"name": acl["name"], "patternType": acl.get("pattern", "literal")} if "name" in acl else {}
    return {
        "type": acl.get("type", "allow"),
        "resource": {"type": acl["resource"], **named},
        "operations": acl["operations"],
        "host": "*",
    }
