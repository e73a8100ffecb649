"""What lets one workload use a Kafka cluster of the mesh, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kafka_on_istio import names
from kafka_on_istio.policies.authorization_policies import broker_rules
from kafka_on_istio.policies.manifests import (
    Manifest,
    authorization_policy,
    network_policy,
    peer_authentication,
    pods,
    ports,
    sidecar,
)


@dataclass(frozen=True)
class Client:
    """A workload that uses Kafka, and the names of its cluster. All values may be Pulumi outputs.

    ``labels`` and ``broker_labels`` select the pods of client and brokers; ``principal`` is the client's identity in
    the mesh; ``hosts`` are the DNS names of the brokers and of whatever else the client calls, each ``namespace/host``.
    ``allow_name`` and ``isolation_name`` name the policies in the cluster's and in the client's namespace.
    """

    namespace: Any
    labels: Any
    principal: Any
    cluster_namespace: Any
    broker_labels: Any
    hosts: list[Any]
    allow_name: Any
    isolation_name: Any
    istio_namespace: Any
    dns_namespace: Any
    dns_labels: Any
    dns_ports: tuple[int, ...]


_TO_KAFKA = ports([names.KAFKA_PORT])


def allow_rules(client: Client) -> Iterator[tuple[str, Manifest]]:
    """Yield what allows a client to reach the brokers, each policy with a short name.

    The policies are in the cluster's namespace, and add to those of its own stack. If that has none, the first policy
    that allows something denies the rest, so Strimzi's own ports are allowed: Strimzi's mutual TLS protects them.
    """
    rules = broker_rules([client.principal], list(names.STRIMZI_PORTS.values()))
    yield (
        "brokers-authorization",
        authorization_policy(client.allow_name, client.cluster_namespace, client.broker_labels, rules=rules),
    )
    ingress = [{"from": [pods(client.namespace, client.labels)], "ports": _TO_KAFKA}]
    yield (
        "brokers-network",
        network_policy(client.allow_name, client.cluster_namespace, client.broker_labels, ingress=ingress),
    )


def isolation(client: Client) -> Iterator[tuple[str, Manifest]]:
    """Yield what isolates a client: nothing may call it, and it may call nothing but Kafka and ``hosts``."""
    where = (client.isolation_name, client.namespace, client.labels)
    yield "mutual-tls", peer_authentication(*where)
    yield "authorization", authorization_policy(*where)
    yield "sidecar", sidecar(*where, hosts=client.hosts)
    egress = [
        {"to": [pods(client.cluster_namespace, client.broker_labels)], "ports": _TO_KAFKA},
        {"to": [pods(client.dns_namespace, client.dns_labels)], "ports": ports(client.dns_ports, "UDP", "TCP")},
        {"to": [pods(client.istio_namespace, {"app": "istiod"})], "ports": ports([names.ISTIOD_PORT])},
        {
            "to": [pods(client.istio_namespace, None)],
            "ports": ports([names.OTLP_GRPC_PORT, names.OTLP_HTTP_PORT]),
        },
    ]
    yield "network", network_policy(*where, ingress=[], egress=egress)
