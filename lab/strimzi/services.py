"""What surrounds a cluster's Pods: service accounts, Services, the NetworkPolicy, claims; as Strimzi's KafkaCluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.strimzi import names
from lab.strimzi.cluster import Cluster
from lab.strimzi.specification import Metadata, PersistentStorage

Manifest = dict[str, Any]


def manifest(
    cluster: Cluster, api_version: str, kind: str, name: str, template: Metadata | None = None, **content: Any
) -> Manifest:
    """Return an object of the brokers that goes with the Kafka."""
    template = template or Metadata()
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": cluster.namespace,
        "labels": names.labels(cluster.name, names.brokers(cluster.name), "kafka") | template.labels,
        "annotations": template.annotations,
        "ownerReferences": [cluster.owner],
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def manifests(cluster: Cluster, *, network_policies: bool) -> Iterator[Manifest]:
    """Return all of it; ``network_policies`` is the operator's own setting."""
    yield manifest(cluster, "v1", "ServiceAccount", names.brokers(cluster.name))
    yield from _services(cluster)
    if network_policies:
        yield _network_policy(cluster)
    yield from _claims(cluster)


def _port(name: str, port: int) -> dict[str, Any]:
    return {"name": name, "port": port, "targetPort": port, "protocol": "TCP"}


def _services(cluster: Cluster) -> Iterator[Manifest]:
    template = cluster.specification.kafka.template
    selector = names.selector(cluster.name, names.brokers(cluster.name))
    listeners = [_port(f"tcp-{it.name}", it.port) for it in cluster.specification.kafka.listeners]
    replication = _port("tcp-replication", names.REPLICATION_PORT)
    yield manifest(
        cluster,
        "v1",
        "Service",
        names.bootstrap_service(cluster.name),
        template.bootstrap_service.metadata,
        spec={
            "type": "ClusterIP",
            "selector": selector | {names.BROKER_LABEL: "true"},
            "ports": [replication, *listeners],
        },
    )
    yield manifest(
        cluster,
        "v1",
        "Service",
        names.brokers_service(cluster.name),
        template.brokers_service.metadata,
        spec={
            "type": "ClusterIP",
            "clusterIP": "None",
            # Nodes must find each other before any of them is ready.
            "publishNotReadyAddresses": True,
            "selector": selector,
            "ports": [
                _port("tcp-ctrlplane", names.CONTROL_PLANE_PORT),
                replication,
                _port("tcp-kafkaagent", names.AGENT_PORT),
                *listeners,
            ],
        },
    )


def _network_policy(cluster: Cluster) -> Manifest:
    brokers = {"podSelector": {"matchLabels": names.selector(cluster.name, names.brokers(cluster.name))}}
    entity_operator = {
        "podSelector": {"matchLabels": names.selector(cluster.name, names.entity_operator(cluster.name))}
    }
    operator = {"podSelector": {"matchLabels": {"strimzi.io/kind": "cluster-operator"}}, "namespaceSelector": {}}
    rules = [
        ([operator, brokers], names.CONTROL_PLANE_PORT),
        ([operator, brokers, entity_operator], names.REPLICATION_PORT),
        ([operator], names.AGENT_PORT),
    ]
    ingress: list[dict[str, Any]] = [
        {"from": peers, "ports": [{"protocol": "TCP", "port": port}]} for peers, port in rules
    ]
    for listener in cluster.specification.kafka.listeners:
        rule: dict[str, Any] = {"ports": [{"protocol": "TCP", "port": listener.port}]}
        if listener.network_policy_peers is not None:
            rule["from"] = listener.network_policy_peers
        ingress.append(rule)
    return manifest(
        cluster,
        "networking.k8s.io/v1",
        "NetworkPolicy",
        names.network_policy(cluster.name),
        spec={**brokers, "policyTypes": ["Ingress"], "ingress": ingress},
    )


def _claims(cluster: Cluster) -> Iterator[Manifest]:
    for node in cluster.nodes:
        for volume in node.pool.volumes:
            if not isinstance(volume, PersistentStorage):
                continue
            claim = manifest(
                cluster,
                "v1",
                "PersistentVolumeClaim",
                names.claim(node.pod, volume.id),
                spec={
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": volume.size}},
                    **({"storageClassName": volume.class_} if volume.class_ else {}),
                },
            )
            claim["metadata"]["labels"][names.POOL_LABEL] = node.pool.name
            if not volume.delete_claim:
                del claim["metadata"]["ownerReferences"]
            yield claim
