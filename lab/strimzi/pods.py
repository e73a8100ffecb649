"""The Pods of a cluster's nodes and the ConfigMaps that they mount."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from lab.strimzi import configuration, mounts, names
from lab.strimzi.certificates import Pair
from lab.strimzi.cluster import Cluster, Node
from lab.strimzi.services import Manifest, manifest
from lab.strimzi.specification import EphemeralStorage

USER: Final = 1001
"""The user of Strimzi's images."""


def restricted() -> dict[str, Any]:
    """Security context of a container: what the restricted Pod security standard asks for."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def pod_security() -> dict[str, Any]:
    """Security context of a Pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def certificate_volume(name: str, secret: str, file: str) -> dict[str, Any]:
    """Return a volume with a certificate and its key, by the names that ``mounts`` gives them."""
    items = [
        {"key": f"{file}.crt", "path": mounts.CERTIFICATE_FILE},
        {"key": f"{file}.key", "path": mounts.KEY_FILE},
    ]
    return {"name": name, "secret": {"secretName": secret, "items": items}}


def authority_volume(cluster: str) -> dict[str, Any]:
    """Return a volume with the certificate of a cluster's authority."""
    return {"name": "cluster-ca", "secret": {"secretName": f"{names.authority(cluster, 'cluster')}-cert"}}


def config_map(cluster: Cluster, node: Node) -> Manifest:
    """Return the ConfigMap of a node, named as its Pod."""
    return manifest(
        cluster,
        "v1",
        "ConfigMap",
        node.pod,
        data={
            mounts.SERVER_FILE: configuration.text(configuration.server_properties(cluster, node)),
            mounts.CLUSTER_ID_FILE: cluster.cluster_id,
        },
    )


def pod(cluster: Cluster, node: Node, certificate: Pair) -> Manifest:
    """Return the Pod of a node; its revision annotation stands for all that it must be restarted for."""
    kafka = cluster.specification.kafka
    templates = [kafka.template.pod.metadata, node.pool.specification.template.pod.metadata]
    result = manifest(cluster, "v1", "Pod", node.pod, spec=_specification(cluster, node))
    metadata = result["metadata"]
    for template in templates:
        metadata["labels"] |= template.labels
    metadata["labels"] |= {
        **names.labels(cluster.name, names.brokers(cluster.name), "kafka"),
        names.POOL_LABEL: node.pool.name,
        names.BROKER_LABEL: str(node.is_broker).lower(),
        names.CONTROLLER_LABEL: str(node.is_controller).lower(),
        "strimzi.io/pod-name": node.pod,
    }
    metadata["annotations"] = {key: value for it in templates for key, value in it.annotations.items()}
    metadata["annotations"][names.NODE_ANNOTATION] = str(node.id)
    content = [result, config_map(cluster, node)["data"], certificate.certificate.decode()]
    metadata["annotations"][names.REVISION_ANNOTATION] = _digest(content)
    return result


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def _specification(cluster: Cluster, node: Node) -> dict[str, Any]:
    volumes = {names.claim(node.pod, volume.id): volume for volume in node.pool.volumes}
    mounted = {"config": mounts.CONFIGURATION, "node-certs": mounts.CERTIFICATE, "cluster-ca": mounts.AUTHORITY}
    return {
        "serviceAccountName": names.brokers(cluster.name),
        "automountServiceAccountToken": False,
        "hostname": node.pod,
        "subdomain": names.brokers_service(cluster.name),
        # A broker hands its partitions over before it stops.
        "terminationGracePeriodSeconds": 30,
        "securityContext": pod_security(),
        "containers": [
            {
                "name": "kafka",
                "image": f"quay.io/strimzi/kafka:{names.VERSION}-kafka-{cluster.specification.kafka.version}",
                "env": [
                    {"name": "KAFKA_VERSION", "value": cluster.specification.kafka.version},
                    {"name": "KAFKA_HEAP_OPTS", "value": _heap(cluster, node)},
                ],
                "ports": _ports(cluster, node),
                "startupProbe": _probe("ready", periodSeconds=1, failureThreshold=600),
                "readinessProbe": _probe("ready", periodSeconds=5, failureThreshold=3),
                "livenessProbe": _probe("broker-state", periodSeconds=10, failureThreshold=3),
                "resources": node.pool.specification.resources,
                "securityContext": restricted(),
                "volumeMounts": [
                    *({"name": name, "mountPath": str(path), "readOnly": True} for name, path in mounted.items()),
                    {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 the container's own
                    *(
                        {"name": f"data-{volume.id or 0}", "mountPath": str(mounts.data(volume.id))}
                        for volume in volumes.values()
                    ),
                ],
            }
        ],
        "volumes": [
            {"name": "config", "configMap": {"name": node.pod}},
            certificate_volume("node-certs", node.pod, node.pod),
            authority_volume(cluster.name),
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "5Mi"}},
            *(
                {"name": f"data-{volume.id or 0}"}
                | (
                    {"emptyDir": {"sizeLimit": volume.size_limit} if volume.size_limit else {}}
                    if isinstance(volume, EphemeralStorage)
                    else {"persistentVolumeClaim": {"claimName": claim}}
                )
                for claim, volume in volumes.items()
            ),
        ],
    }


def _ports(cluster: Cluster, node: Node) -> list[dict[str, Any]]:
    ports = {"tcp-kafkaagent": names.AGENT_PORT}
    if node.is_controller:
        ports["tcp-ctrlplane"] = names.CONTROL_PLANE_PORT
    if node.is_broker:
        ports["tcp-replication"] = names.REPLICATION_PORT
        ports |= {f"tcp-{listener.name}": listener.port for listener in cluster.specification.kafka.listeners}
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()]


def _probe(path: str, **rest: int) -> dict[str, Any]:
    return {"httpGet": {"path": f"/v1/{path}", "port": names.HEALTH_PORT}, "timeoutSeconds": 5, **rest}


def _heap(cluster: Cluster, node: Node) -> str:
    options = node.pool.specification.jvm_options or cluster.specification.kafka.jvm_options
    sizes = {"-Xms": options.xms, "-Xmx": options.xmx}
    return " ".join(f"{flag}{size}" for flag, size in sizes.items() if size)
