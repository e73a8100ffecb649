"""Strimzi's warnings about a running cluster: KafkaSpecChecker in strimzi/strimzi-kafka-operator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.strimzi import configuration
from lab.strimzi.cluster import Cluster, Node
from lab.strimzi.conditions import Condition, warning
from lab.strimzi.specification import EphemeralStorage


def warnings(cluster: Cluster) -> list[Condition]:
    """Return the conditions, in Strimzi's order; the last, on settings that are left out, is the lab's own."""
    return [*_replication(cluster), *_storage(cluster), *_controllers(cluster), *_left_out(cluster)]


def _replication(cluster: Cluster) -> Iterator[Condition]:
    if len(_brokers(cluster)) == 1:
        return
    reasons = {
        "default.replication.factor": "KafkaDefaultReplicationFactor",
        "min.insync.replicas": "KafkaMinInsyncReplicas",
    }
    for setting, reason in reasons.items():
        if setting not in cluster.specification.kafka.config:
            yield warning(
                reason,
                f"{setting} option is not configured. It defaults to 1 which does not guarantee reliability and"
                " availability. You should configure this option in .spec.kafka.config.",
            )


def _storage(cluster: Cluster) -> Iterator[Condition]:
    controllers = [node for node in cluster.nodes if node.is_controller]
    for role, nodes, lost in (("broker", _brokers(cluster), "topic messages"), ("controller", controllers, "data")):
        if _is_single_and_ephemeral(nodes):
            yield warning(
                "KafkaStorage",
                f"A Kafka cluster with a single {role} node and ephemeral storage will lose {lost} after any restart"
                " or rolling update.",
            )


def _controllers(cluster: Cluster) -> Iterator[Condition]:
    count = sum(node.is_controller for node in cluster.nodes)
    two = "with two nodes is not advisable as both nodes will be needed to avoid downtime. It is recommended that a"
    if count == 2:  # noqa: PLR2004 as the words say
        words = f"{two} minimum of three nodes are used."
    elif count % 2 == 0:
        words = "with an odd number of nodes is recommended."
    else:
        return
    yield warning("KafkaKRaftControllerNodeCount", f"Running KRaft controller quorum {words}")


def _left_out(cluster: Cluster) -> Iterator[Condition]:
    left_out = configuration.forbidden(cluster.specification.kafka.config)
    if left_out:
        message = f"spec.kafka.config: {', '.join(left_out)} cannot be set, and is left out"
        yield warning("ForbiddenConfiguration", message)


def _brokers(cluster: Cluster) -> list[Node]:
    return [node for node in cluster.nodes if node.is_broker]


def _is_single_and_ephemeral(nodes: Sequence[Node]) -> bool:
    return len(nodes) == 1 and any(isinstance(volume, EphemeralStorage) for volume in nodes[0].pool.volumes)
