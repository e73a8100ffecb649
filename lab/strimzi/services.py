"""Service account, rights, Services and claims of a cluster's Pods, as Strimzi's KafkaCluster creates them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from lab.strimzi import names
from lab.strimzi.cluster import Cluster
from lab.strimzi.specification import Metadata, ObjectTemplate, PersistentStorage

Manifest = dict[str, Any]

RIGHTS: Final = "rbac.authorization.k8s.io"
"""API group of roles and their bindings."""
RACK_ROLE: Final = "strimzi-kafka-broker"
"""The chart's ClusterRole by which nodes read their rack."""


def manifest(
    cluster: Cluster, api_version: str, kind: str, name: str, template: Metadata | None = None, **content: Any
) -> Manifest:
    """Return an object of the brokers that goes with the Kafka."""
    template = template or Metadata()
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": cluster.namespace,
        "labels": names.labels(cluster.name, names.brokers(cluster.name), "kafka") | template.labels,
        "annotations": dict(template.annotations),
        "ownerReferences": [cluster.owner],
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def manifests(cluster: Cluster) -> Iterator[Manifest]:
    """Return all of it."""
    name = names.brokers(cluster.name)
    yield manifest(cluster, "v1", "ServiceAccount", name)
    yield from _rights(cluster)
    yield from _services(cluster)
    yield manifest(
        cluster,
        "policy/v1",
        "PodDisruptionBudget",
        name,
        spec={
            "minAvailable": max(len(cluster.nodes) - 1, 0),
            "selector": {"matchLabels": names.selector(cluster.name, name)},
        },
    )
    yield from _claims(cluster)


def _rights(cluster: Cluster) -> Iterator[Manifest]:
    name = names.brokers(cluster.name)
    secrets = [names.trust_bundle(cluster.name), f"{names.authority(cluster.name, 'cluster')}-cert"]
    rule = {
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": sorted([*secrets, *(node.pod for node in cluster.nodes)]),
        "verbs": ["get"],
    }
    subjects = [{"kind": "ServiceAccount", "name": name, "namespace": cluster.namespace}]
    yield manifest(cluster, f"{RIGHTS}/v1", "Role", name, rules=[rule])
    yield manifest(
        cluster,
        f"{RIGHTS}/v1",
        "RoleBinding",
        names.role_binding(name),
        subjects=subjects,
        roleRef={"apiGroup": RIGHTS, "kind": "Role", "name": name},
    )
    if cluster.specification.kafka.rack:
        binding = manifest(
            cluster,
            f"{RIGHTS}/v1",
            "ClusterRoleBinding",
            names.rack_binding(cluster.name, cluster.namespace),
            subjects=subjects,
            roleRef={"apiGroup": RIGHTS, "kind": "ClusterRole", "name": RACK_ROLE},
        )
        # What is of no namespace cannot refer to what is of one.
        del binding["metadata"]["ownerReferences"], binding["metadata"]["namespace"]
        yield binding


def _port(name: str, port: int) -> dict[str, Any]:
    return {"name": name, "port": port, "targetPort": name, "protocol": "TCP"}


def _services(cluster: Cluster) -> Iterator[Manifest]:
    template = cluster.specification.kafka.template
    selector = names.selector(cluster.name, names.brokers(cluster.name))
    listeners = [_port(names.listener_port(it.name, it.port), it.port) for it in cluster.specification.kafka.listeners]
    replication = _port("tcp-replication", names.REPLICATION_PORT)
    bootstrap = manifest(
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
    bootstrap["metadata"]["labels"]["strimzi.io/discovery"] = "true"
    bootstrap["metadata"]["annotations"] |= {"strimzi.io/discovery": json.dumps(_discovery(cluster))}
    yield bootstrap
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


def _discovery(cluster: Cluster) -> list[dict[str, Any]]:
    """Return what tells clients how the listeners are spoken to."""
    return [
        {
            "port": listener.port,
            "tls": listener.tls,
            "protocol": "kafka",
            "auth": listener.authentication.type if listener.authentication else "none",
        }
        for listener in cluster.specification.kafka.listeners
    ]


def _claims(cluster: Cluster) -> Iterator[Manifest]:
    for node in cluster.nodes:
        template = cluster.template(node.pool)
        for volume in node.pool.volumes:
            if not isinstance(volume, PersistentStorage):
                continue
            claim = manifest(
                cluster,
                "v1",
                "PersistentVolumeClaim",
                names.claim(node.pod, volume.id),
                (template.persistent_volume_claim or ObjectTemplate()).metadata,
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
