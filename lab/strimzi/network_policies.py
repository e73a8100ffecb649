"""The NetworkPolicies of a cluster's Pods, as Strimzi's KafkaCluster and EntityOperator create them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lab.strimzi import entity_operator, names
from lab.strimzi.cluster import Cluster
from lab.strimzi.services import Manifest, manifest

_API: Final = "networking.k8s.io/v1"


def manifests(cluster: Cluster, operator_namespace: str) -> Iterator[Manifest]:
    """Return all of them.

    :param operator_namespace: where the cluster operator runs.
    """
    yield _kafka(cluster, operator_namespace)
    ports = [entity_operator.PORTS[it] for it in cluster.entity_operators]
    if ports:
        name = names.entity_operator(cluster.name)
        spec = {
            "podSelector": {"matchLabels": names.selector(cluster.name, name)},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [_tcp(port)]} for port in ports],
        }
        yield entity_operator.manifest(cluster, _API, "NetworkPolicy", name, spec=spec)


def _tcp(port: int) -> dict[str, Any]:
    return {"port": port, "protocol": "TCP"}


def _named(cluster: Cluster, part: str) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": {"strimzi.io/name": f"{cluster.name}-{part}"}}}


def _operator(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """Return the cluster operator as a peer; in a namespace of its own it is looked for in all (NetworkPolicyUtils)."""
    peer: dict[str, Any] = {"podSelector": {"matchLabels": {"strimzi.io/kind": "cluster-operator"}}}
    return peer if namespace == cluster.namespace else peer | {"namespaceSelector": {}}


def _kafka(cluster: Cluster, operator_namespace: str) -> Manifest:
    kafka = cluster.specification.kafka
    nodes = {"podSelector": {"matchLabels": names.selector(cluster.name, names.brokers(cluster.name))}}
    operator = _operator(cluster, operator_namespace)
    others = [_named(cluster, part) for part in ("entity-operator", "kafka-exporter", "cruise-control")]
    ingress: list[dict[str, Any]] = [
        {"from": [nodes, operator], "ports": [_tcp(names.CONTROL_PLANE_PORT)]},
        {"from": [operator, nodes, *others], "ports": [_tcp(names.REPLICATION_PORT)]},
        {"from": [operator], "ports": [_tcp(names.AGENT_PORT)]},
    ]
    for listener in kafka.listeners:
        peers = {} if listener.network_policy_peers is None else {"from": listener.network_policy_peers}
        ingress.append(peers | {"ports": [_tcp(listener.port)]})
    if kafka.metrics_config:
        ingress.append({"ports": [_tcp(names.METRICS_PORT)]})
    spec = {**nodes, "policyTypes": ["Ingress"], "ingress": ingress}
    return manifest(cluster, _API, "NetworkPolicy", names.network_policy(cluster.name), spec=spec)
