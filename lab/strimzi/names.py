"""Names and labels of what belongs to a Kafka cluster, as Strimzi 1.2 gives them.

Source: KafkaResources, KafkaCluster and Labels in strimzi/strimzi-kafka-operator.
"""

from __future__ import annotations

from typing import Final

GROUP: Final = "kafka.strimzi.io"
API: Final = f"{GROUP}/v1"
OPERATOR: Final = "strimzi-cluster-operator"
VERSION: Final = "1.2.0"
"""The release of Strimzi that is stood in for."""

CLUSTER_LABEL: Final = "strimzi.io/cluster"
POOL_LABEL: Final = "strimzi.io/pool-name"
BROKER_LABEL: Final = "strimzi.io/broker-role"
CONTROLLER_LABEL: Final = "strimzi.io/controller-role"
NODE_ANNOTATION: Final = "strimzi.io/node-id"
REVISION_ANNOTATION: Final = "strimzi.io/revision"

CONTROL_PLANE_PORT: Final = 9090
REPLICATION_PORT: Final = 9091
AGENT_PORT: Final = 8443
HEALTH_PORT: Final = 8080
"""Where a broker's container answers probes; in Strimzi's own it is on the container's loopback."""
METRICS_PORT: Final = 9404

STRIMZI: Final = "strimzi"
"""What Strimzi calls what is of no workload, such as authorities."""

_OLD_PORTS: Final = {
    ("plain", 9092): "tcp-clients",
    ("tls", 9093): "tcp-clientstls",
    ("external", 9094): "tcp-external",
}
"""Names of the ports of listeners that are named so (ListenersUtils.backwardsCompatiblePortName)."""


def brokers(cluster: str) -> str:
    """Name of the brokers' workload, service account and TLS identity."""
    return f"{cluster}-kafka"


def brokers_service(cluster: str) -> str:
    """Name of the headless Service under which each node has its own name."""
    return f"{cluster}-kafka-brokers"


def bootstrap_service(cluster: str) -> str:
    """Name of the Service that clients start from."""
    return f"{cluster}-kafka-bootstrap"


def entity_operator(cluster: str) -> str:
    """Name of the entity operator's Deployment and service account."""
    return f"{cluster}-entity-operator"


def network_policy(cluster: str) -> str:
    """Name of the NetworkPolicy in front of the brokers."""
    return f"{cluster}-network-policy-kafka"


def role_binding(workload: str) -> str:
    """Name of the RoleBinding of a workload, such as ``<cluster>-kafka``."""
    return f"{workload}-role"


def rack_binding(cluster: str, namespace: str) -> str:
    """Name of the ClusterRoleBinding by which nodes read their rack."""
    return f"strimzi-{namespace}-{cluster}-kafka-init"


def trust_bundle(cluster: str) -> str:
    """Name of the Secret with the certificates of both authorities, which nodes read."""
    return f"{cluster}-trustbundle"


def listener_port(listener: str, port: int) -> str:
    """Name of a listener's port."""
    return _OLD_PORTS.get((listener, port), f"tcp-{listener}")


def pod(cluster: str, pool: str, node: int) -> str:
    """Name of a node's Pod, and of its ConfigMap and Secret."""
    return f"{cluster}-{pool}-{node}"


def claim(pod_name: str, volume: int | None) -> str:
    """Name of a node's PersistentVolumeClaim; ``volume`` is its id when there are several."""
    return f"data-{pod_name}" if volume is None else f"data-{volume}-{pod_name}"


def authority(cluster: str, which: str) -> str:
    """Name of the Secret with an authority's key; with ``-cert`` after it, of the one with its certificate.

    :param which: ``cluster`` or ``clients``.
    """
    return f"{cluster}-{which}-ca"


def operator_certificate(cluster: str, operator: str) -> str:
    """Name of the Secret with an operator's certificate.

    :param operator: ``cluster-operator``, ``entity-topic-operator`` or ``entity-user-operator``.
    """
    return f"{cluster}-{operator}-certs"


def pod_host(cluster: str, pod_name: str, namespace: str) -> str:
    """DNS name of a node, without the cluster's domain, as brokers advertise themselves."""
    return f"{pod_name}.{brokers_service(cluster)}.{namespace}.svc"


def service_hosts(service: str, namespace: str, domain: str) -> list[str]:
    """Return every DNS name of a Service."""
    return [service, f"{service}.{namespace}", f"{service}.{namespace}.svc", f"{service}.{namespace}.svc.{domain}"]


def selector(cluster: str, name: str) -> dict[str, str]:
    """Labels that select the Pods of one workload of a cluster."""
    return {CLUSTER_LABEL: cluster, "strimzi.io/kind": "Kafka", "strimzi.io/name": name}


def labels(cluster: str, name: str, component: str) -> dict[str, str]:
    """Labels of an object that belongs to a cluster.

    :param name: the workload, or STRIMZI.
    :param component: such as ``kafka``, ``entity-operator`` or ``certificate-authority``.
    """
    return {
        "app.kubernetes.io/name": component,
        "app.kubernetes.io/instance": cluster,
        "app.kubernetes.io/managed-by": OPERATOR,
        "app.kubernetes.io/part-of": f"strimzi-{cluster}",
        "strimzi.io/component-type": component,
        **selector(cluster, name),
    }
