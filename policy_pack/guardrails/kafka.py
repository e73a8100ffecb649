"""The Kafka cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from guardrails.registered import Resource, at, each, of_kind
from guardrails.rule import Violation, resource_rule, stack_rule

_KAFKA = "kafka.strimzi.io/Kafka"
_AUTHENTICATIONS = ("scram-sha-512", "tls")
_NODES = 3
_REPLICAS = 3
_IN_SYNC = 2


@resource_rule(
    "kafka-authenticated",
    reason="Every client of a listener without authentication is the same anonymous user.",
    fix=f"Set the listener's authentication.type to {' or '.join(_AUTHENTICATIONS)}.",
)
def authenticated(resource: Resource) -> Iterator[str]:
    """Every listener asks who its client is."""
    if resource.kind != _KAFKA:
        return
    for listener in each(resource.properties, "spec", "kafka", "listeners"):
        if (found := at(listener, "authentication", "type")) not in _AUTHENTICATIONS:
            where = f"Kafka {resource.namespace}/{resource.name}, listener {at(listener, 'name')}"
            yield f"{where} has the authentication {found or 'none'}"


@resource_rule(
    "kafka-authorized",
    reason="Without an authorizer, or with an exception from it, ACLs have no effect.",
    fix="Set authorization.type to simple, without superUsers, and remove allow.everyone.if.no.acl.found from config.",
)
def authorized(resource: Resource) -> Iterator[str]:
    """ACLs decide, and nobody is above them."""
    if resource.kind != _KAFKA:
        return
    where = f"Kafka {resource.namespace}/{resource.name}"
    kafka = at(resource.properties, "spec", "kafka")
    if (found := at(kafka, "authorization", "type")) != "simple":
        yield f"{where} has the authorization {found or 'none'}"
    for user in each(kafka, "authorization", "superUsers"):
        yield f"{where} has the superuser {user}"
    if str(at(kafka, "config", "allow.everyone.if.no.acl.found") or "false").lower() != "false":
        yield f"{where} allows everyone what no ACL is about"


@stack_rule(
    "kafka-durable",
    reason="In production an acknowledged record must survive the loss of a node and of the stack.",
    fix=f"Run {_NODES} controllers and {_NODES} brokers on persistent storage with deleteClaim false, with replication "
    f"{_REPLICAS} and min.insync.replicas {_IN_SYNC} (kafkaNodePools, replicationFactor, kafkaConfig).",
    production=True,
)
def durable(resources: Sequence[Resource]) -> Iterator[Violation]:
    """Nodes, storage, replication and min.insync.replicas stand the loss of a node."""
    clusters = list(of_kind(resources, _KAFKA))
    pools = list(of_kind(resources, "kafka.strimzi.io/KafkaNodePool"))
    for role in ("controller", "broker") if clusters else ():
        members = [pool for pool in pools if role in each(pool.properties, "spec", "roles")]
        count = sum(int(at(pool.properties, "spec", "replicas") or 0) for pool in members)
        if count < _NODES:
            yield Violation(f"There are {count} nodes with the role {role}, fewer than {_NODES}", clusters[0].urn)
    for pool in pools:
        yield from (
            Violation(f"KafkaNodePool {pool.namespace}/{pool.name} has storage {fault}", pool.urn)
            for fault in _storage_faults(at(pool.properties, "spec", "storage"))
        )
    for cluster in clusters:
        config = at(cluster.properties, "spec", "kafka", "config")
        for key, fault in _config_faults(config):
            yield Violation(f"Kafka {cluster.namespace}/{cluster.name} has {key} {fault}", cluster.urn)
    for topic in of_kind(resources, "kafka.strimzi.io/KafkaTopic"):
        replicas = at(topic.properties, "spec", "replicas")
        if replicas is not None and replicas < _REPLICAS:
            message = f"KafkaTopic {topic.namespace}/{topic.name} has {int(replicas)} replicas, fewer than {_REPLICAS}"
            yield Violation(message, topic.urn)


def _storage_faults(storage: Any) -> Iterator[str]:
    volumes = list(each(storage, "volumes")) if at(storage, "type") == "jbod" else [storage]
    for volume in volumes:
        if (kind := at(volume, "type")) != "persistent-claim":
            yield f"of type {kind}"
        elif at(volume, "deleteClaim"):
            yield "that goes with the cluster"


def _config_faults(config: Any) -> Iterator[tuple[str, str]]:
    lowest = {
        "default.replication.factor": _REPLICAS,
        "offsets.topic.replication.factor": _REPLICAS,
        "transaction.state.log.replication.factor": _REPLICAS,
        "min.insync.replicas": _IN_SYNC,
        "transaction.state.log.min.isr": _IN_SYNC,
    }
    for key, least in lowest.items():
        value = int(at(config, key) or 1)
        if value < least:
            yield key, f"{value}, less than {least}"
    in_sync, replicas = (int(at(config, key) or 1) for key in ("min.insync.replicas", "default.replication.factor"))
    if _IN_SYNC <= in_sync >= replicas >= _REPLICAS:
        yield "min.insync.replicas", f"{in_sync}, so that the loss of one of {replicas} replicas stops every producer"
