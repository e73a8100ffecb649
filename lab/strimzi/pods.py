"""The Pods of a cluster's nodes, and the ConfigMaps that they mount."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from lab.strimzi import configuration, mounts, names, security
from lab.strimzi.cluster import Cluster, Node
from lab.strimzi.secret_manifests import Certificates
from lab.strimzi.services import Manifest, manifest
from lab.strimzi.specification import ContainerTemplate, EphemeralStorage, PodTemplate, Volume

_API_ACCESS: Final = "kube-api-access"
_MEMORY_PERCENTAGE: Final = "50"
_MOST_MEMORY: Final = str(5 * 1024**3)
"""How much of its memory a node's Java takes, and bytes that it does not exceed (KafkaCluster)."""


def token_volume() -> dict[str, Any]:
    """Return a volume with what a Pod needs to talk to the Kubernetes API."""
    sources: list[dict[str, Any]] = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]
    return {"name": _API_ACCESS, "projected": {"sources": sources}}


def token_mount() -> dict[str, Any]:
    """Return the mount of that volume."""
    return {"name": _API_ACCESS, "mountPath": str(mounts.SERVICE_ACCOUNT), "readOnly": True}


def memory_volume(name: str, size: str) -> dict[str, Any]:
    """Return a volume in memory that a Pod may write to."""
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": size}}


def scheduling(template: PodTemplate) -> dict[str, Any]:
    """Return what a template says of where Pods go."""
    found = {
        "tolerations": template.tolerations,
        "topologySpreadConstraints": template.topology_spread_constraints,
        "affinity": template.affinity,
        "priorityClassName": template.priority_class_name,
    }
    return {key: value for key, value in found.items() if value}


def config_map(cluster: Cluster, node: Node) -> Manifest:
    """Return the ConfigMap of a node, named as its Pod."""
    result = manifest(
        cluster,
        "v1",
        "ConfigMap",
        node.pod,
        data={
            mounts.SERVER_FILE: configuration.text(configuration.server_properties(cluster, node)),
            mounts.CLUSTER_ID_FILE: cluster.cluster_id,
            mounts.METADATA_VERSION_FILE: cluster.metadata_version,
        },
    )
    result["metadata"]["labels"] |= {names.POOL_LABEL: node.pool.name, "strimzi.io/pod-name": node.pod}
    return result


def pod(cluster: Cluster, node: Node, certificates: Certificates) -> Manifest:
    """Return the Pod of a node; its revision annotation stands for all that it must be restarted for."""
    template = cluster.template(node.pool).pod or PodTemplate()
    result = manifest(cluster, "v1", "Pod", node.pod, template.metadata, spec=_specification(cluster, node, template))
    metadata = result["metadata"]
    metadata["labels"] |= {
        **names.labels(cluster.name, names.brokers(cluster.name), "kafka"),
        names.POOL_LABEL: node.pool.name,
        names.BROKER_LABEL: str(node.is_broker).lower(),
        names.CONTROLLER_LABEL: str(node.is_controller).lower(),
        "strimzi.io/pod-name": node.pod,
    }
    metadata["annotations"] |= {
        "strimzi.io/clients-ca-cert-generation": str(certificates.authorities["clients"].generation),
        "strimzi.io/cluster-ca-cert-generation": str(certificates.authorities["cluster"].generation),
        "strimzi.io/cluster-ca-key-generation": "0",
        "strimzi.io/configuration-hash": digest(config_map(cluster, node)["data"]),
        "strimzi.io/kafka-version": cluster.specification.kafka.version,
        "strimzi.io/server-cert-hash": digest(certificates.nodes[node.pod].certificate.decode()),
    }
    metadata["annotations"][names.REVISION_ANNOTATION] = digest(result)
    metadata["annotations"][names.NODE_ANNOTATION] = str(node.id)
    return result


def digest(content: object) -> str:
    """Return a short digest of what can be written as JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _specification(cluster: Cluster, node: Node, template: PodTemplate) -> dict[str, Any]:
    volumes = {names.claim(node.pod, volume.id): volume for volume in node.pool.volumes}
    has_rack = cluster.specification.kafka.rack is not None and node.is_broker
    specification = {
        "serviceAccountName": names.brokers(cluster.name),
        "automountServiceAccountToken": False,
        "hostname": node.pod,
        "subdomain": names.brokers_service(cluster.name),
        # A broker hands its partitions over before it stops.
        "terminationGracePeriodSeconds": template.termination_grace_period_seconds,
        "securityContext": security.pod(node.pool, template.security_context),
        "containers": [_kafka(cluster, node)],
        "volumes": [
            *(
                {"name": _volume_name(volume)}
                | (
                    {"emptyDir": {"sizeLimit": volume.size_limit} if volume.size_limit else {}}
                    if isinstance(volume, EphemeralStorage)
                    else {"persistentVolumeClaim": {"claimName": claim}}
                )
                for claim, volume in volumes.items()
            ),
            token_volume(),
            memory_volume("strimzi-tmp", "5Mi"),
            {"name": "kafka-metrics-and-logging", "configMap": {"name": node.pod}},
            memory_volume("ready-files", "1Ki"),
            *([memory_volume("rack-volume", "1Mi")] if has_rack else []),
        ],
        **scheduling(template),
    }
    if has_rack:
        specification |= {"initContainers": [_init(cluster, node)], "affinity": _on_racks(cluster, template.affinity)}
    return specification


def _kafka(cluster: Cluster, node: Node) -> dict[str, Any]:
    kafka = cluster.specification.kafka
    template = cluster.template(node.pool).kafka_container or ContainerTemplate()
    # An image here is a command of this machine, which does not know the image's tag.
    variables = {"KAFKA_VERSION": kafka.version}
    variables |= {"KAFKA_JMX_EXPORTER_ENABLED": "false", "STRIMZI_KAFKA_GC_LOG_ENABLED": "false"}
    variables |= {"KAFKA_CLUSTER_NAME": cluster.name, **_heap(cluster, node)}
    variables |= {it.name: it.value for it in template.env}
    has_rack = kafka.rack is not None and node.is_broker
    return {
        "name": "kafka",
        "image": f"quay.io/strimzi/kafka:{names.VERSION}-kafka-{kafka.version}",
        "args": ["/opt/kafka/kafka_run.sh"],
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "ports": _ports(cluster, node),
        "startupProbe": _probe("ready", periodSeconds=1, failureThreshold=600),
        "readinessProbe": _probe("ready", periodSeconds=5, failureThreshold=3),
        "livenessProbe": _probe("broker-state", periodSeconds=10, failureThreshold=3),
        "resources": node.pool.specification.resources,
        "volumeMounts": [
            *({"name": _volume_name(it), "mountPath": str(mounts.data(it.id))} for it in node.pool.volumes),
            token_mount(),
            {"name": "strimzi-tmp", "mountPath": "/tmp"},  # noqa: S108 the container's own
            {"name": "kafka-metrics-and-logging", "mountPath": f"{mounts.CONFIGURATION}/"},
            {"name": "ready-files", "mountPath": "/var/opt/kafka"},
            *([_rack_mount()] if has_rack else []),
        ],
        **security.container(cluster, template),
    }


def _init(cluster: Cluster, node: Node) -> dict[str, Any]:
    """Return the container that finds out where the node is."""
    rack, template = cluster.specification.kafka.rack, cluster.template(node.pool).init_container
    assert rack is not None
    env: list[dict[str, Any]] = [
        {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "RACK_TOPOLOGY_KEY", "value": rack.topology_key},
        *({"name": it.name, "value": it.value} for it in (template.env if template else [])),
    ]
    return {
        "name": "kafka-init",
        "image": f"quay.io/strimzi/operator:{names.VERSION}",
        "args": ["/opt/strimzi/bin/kafka_init_run.sh"],
        "env": env,
        "resources": node.pool.specification.resources,
        "volumeMounts": [token_mount(), _rack_mount()],
        **security.container(cluster, template),
    }


def _rack_mount() -> dict[str, Any]:
    return {"name": "rack-volume", "mountPath": str(mounts.INIT)}


def _on_racks(cluster: Cluster, affinity: Mapping[str, Any]) -> dict[str, Any]:
    """Return an affinity to Kubernetes nodes that are in a rack."""
    rack = cluster.specification.kafka.rack
    assert rack is not None
    expression = {"key": rack.topology_key, "operator": "Exists"}
    nodes = dict(affinity.get("nodeAffinity") or {})
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    terms = (nodes.get(required) or {}).get("nodeSelectorTerms") or [{}]
    nodes[required] = {
        "nodeSelectorTerms": [
            {**term, "matchExpressions": [*(term.get("matchExpressions") or []), expression]} for term in terms
        ]
    }
    return {**affinity, "nodeAffinity": nodes}


def _volume_name(volume: Volume) -> str:
    return "data" if volume.id is None else f"data-{volume.id}"


def _ports(cluster: Cluster, node: Node) -> list[dict[str, Any]]:
    kafka = cluster.specification.kafka
    ports = {"tcp-kafkaagent": names.AGENT_PORT}
    if node.is_controller:
        ports["tcp-ctrlplane"] = names.CONTROL_PLANE_PORT
    if node.is_broker:
        ports["tcp-replication"] = names.REPLICATION_PORT
        ports |= {names.listener_port(it.name, it.port): it.port for it in kafka.listeners}
    if kafka.metrics_config:
        ports["tcp-prometheus"] = names.METRICS_PORT
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()]


def _probe(path: str, **rest: int) -> dict[str, Any]:
    return {"httpGet": {"path": f"/v1/{path}", "port": names.HEALTH_PORT}, "timeoutSeconds": 5, **rest}


def _heap(cluster: Cluster, node: Node) -> dict[str, str]:
    options = node.pool.specification.jvm_options or cluster.specification.kafka.jvm_options
    sizes = {"-Xms": options.xms, "-Xmx": options.xmx}
    chosen = " ".join(f"{flag}{size}" for flag, size in sizes.items() if size)
    if chosen:
        return {"KAFKA_HEAP_OPTS": chosen}
    resources = node.pool.specification.resources
    if any("memory" in (resources.get(kind) or {}) for kind in ("limits", "requests")):
        return {"STRIMZI_DYNAMIC_HEAP_PERCENTAGE": _MEMORY_PERCENTAGE, "STRIMZI_DYNAMIC_HEAP_MAX": _MOST_MEMORY}
    return {"KAFKA_HEAP_OPTS": "-Xms128M"}
