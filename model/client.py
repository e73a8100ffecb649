"""What lets one workload use a Kafka cluster of the mesh, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from model import names
from model.manifests import NETWORK_POLICY, NETWORKING, SECURITY, Manifest, manifest, pods, ports


@dataclass(frozen=True)
class Client:
    """A workload that uses Kafka, by the names of both. All of them may be Pulumi outputs.

    ``labels`` and ``broker_labels`` select the pods of client and brokers; ``principal`` is the client's identity in
    the mesh; ``brokers`` and ``services`` are DNS names: those of the brokers, in ``cluster_namespace``, and those of
    whatever else the client calls, each as ``namespace/host``. ``opening`` and ``closing`` name the policies in the
    cluster's and in the client's namespace.
    """

    namespace: Any
    labels: Any
    principal: Any
    cluster_namespace: Any
    broker_labels: Any
    brokers: tuple[Any, ...]
    services: tuple[Any, ...]
    opening: Any
    closing: Any
    istio_namespace: Any
    dns_namespace: Any
    dns_labels: Any
    dns_ports: tuple[int, ...]


_TO_KAFKA = ports([names.KAFKA_PORT])


def openings(client: Client) -> Iterator[tuple[str, Manifest]]:
    """Yield what lets a client in to the brokers, each policy under a short name.

    They are in the cluster's namespace, and add to what its own stack has there. Where that has nothing, the first
    policy that allows something refuses the rest: Strimzi's own ports, which its mutual TLS guards, are let through.
    """
    yield (
        "brokers-authorization",
        manifest(
            SECURITY,
            "AuthorizationPolicy",
            client.opening,
            client.cluster_namespace,
            {
                "selector": {"matchLabels": client.broker_labels},
                "action": "ALLOW",
                "rules": [
                    {
                        "from": [{"source": {"principals": [client.principal]}}],
                        "to": [{"operation": {"ports": [str(names.KAFKA_PORT)]}}],
                    },
                    {"to": [{"operation": {"ports": [str(port) for port in names.STRIMZI_PORTS.values()]}}]},
                ],
            },
        ),
    )
    yield (
        "brokers-network",
        manifest(
            NETWORK_POLICY,
            "NetworkPolicy",
            client.opening,
            client.cluster_namespace,
            {
                "podSelector": {"matchLabels": client.broker_labels},
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [pods(client.namespace, client.labels)], "ports": _TO_KAFKA}],
            },
        ),
    )


def closings(client: Client) -> Iterator[tuple[str, Manifest]]:
    """Yield what keeps everything but Kafka from a client, and a client from everything else, likewise."""
    own = {"name": client.closing, "namespace": client.namespace}
    yield (
        "mutual-tls",
        manifest(
            SECURITY,
            "PeerAuthentication",
            **own,
            spec={"selector": {"matchLabels": client.labels}, "mtls": {"mode": "STRICT"}},
        ),
    )
    # Without a rule nobody may call it; who may is for another policy to add.
    yield (
        "authorization",
        manifest(
            SECURITY,
            "AuthorizationPolicy",
            **own,
            spec={"selector": {"matchLabels": client.labels}, "action": "ALLOW"},
        ),
    )
    yield (
        "sidecar",
        manifest(
            NETWORKING,
            "Sidecar",
            **own,
            spec={
                "workloadSelector": {"labels": client.labels},
                "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
                "egress": [{"hosts": [*client.brokers, *client.services]}],
            },
        ),
    )
    yield (
        "network",
        manifest(
            NETWORK_POLICY,
            "NetworkPolicy",
            **own,
            spec={
                "podSelector": {"matchLabels": client.labels},
                "policyTypes": ["Ingress", "Egress"],
                "egress": [
                    {"to": [pods(client.cluster_namespace, client.broker_labels)], "ports": _TO_KAFKA},
                    {
                        "to": [pods(client.dns_namespace, client.dns_labels)],
                        "ports": ports(client.dns_ports, "UDP", "TCP"),
                    },
                    {"to": [pods(client.istio_namespace, {"app": "istiod"})], "ports": ports([names.ISTIOD_PORT])},
                    {
                        "to": [pods(client.istio_namespace, None)],
                        "ports": ports([names.OTLP_GRPC_PORT, names.OTLP_HTTP_PORT]),
                    },
                ],
            },
        ),
    )
