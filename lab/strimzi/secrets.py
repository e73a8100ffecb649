"""The Secrets with a cluster's authorities and certificates: what is there and good is kept, the rest is made."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.strimzi import names
from lab.strimzi.certificates import Pair, authority, issue, serves
from lab.strimzi.cluster import Cluster, Node
from lab.strimzi.mounts import ENTITY_OPERATORS

Manifest = dict[str, Any]
Secrets = Mapping[str, Mapping[str, Any]]
"""Secrets of the cluster's namespace by name, as the API server gave them."""


def encoded(data: Mapping[str, bytes]) -> dict[str, str]:
    """Return a Secret's ``data``."""
    return {key: base64.b64encode(value).decode() for key, value in data.items()}


def decoded(secret: Mapping[str, Any] | None, key: str) -> bytes | None:
    """Return a value of a Secret, or None when there is none, or no such Secret."""
    value = ((secret or {}).get("data") or {}).get(key)
    return None if value is None else base64.b64decode(value)


@dataclass(frozen=True)
class Certificates:
    """All of a cluster's; ``nodes`` is by the names of their Pods, ``operators`` by ``cluster-operator`` and so on."""

    cluster_authority: Pair
    clients_authority: Pair
    operators: Mapping[str, Pair]
    nodes: Mapping[str, Pair]


def certificates(cluster: Cluster, found: Secrets) -> Certificates:
    """Return a cluster's certificates: those that are in its Secrets as long as they serve, and new ones."""
    pairs = {which: _authority(cluster, found, which) for which in ("cluster", "clients")}
    issuer = pairs["cluster"]

    def kept(secret: str, file: str, common_name: str, hosts: list[str]) -> Pair:
        pair = Pair(decoded(found.get(secret), f"{file}.crt") or b"", decoded(found.get(secret), f"{file}.key") or b"")
        return pair if serves(pair, issuer, common_name, hosts) else issue(issuer, common_name, hosts)

    operators = {
        "cluster-operator": "cluster-operator",
        **{operator: f"{cluster.name}-{operator}" for operator in ENTITY_OPERATORS},
    }
    return Certificates(
        cluster_authority=issuer,
        clients_authority=pairs["clients"],
        operators={
            operator: kept(names.operator_certificate(cluster.name, operator), file(operator), common_name, [])
            for operator, common_name in operators.items()
        },
        nodes={
            node.pod: kept(node.pod, node.pod, names.brokers(cluster.name), _hosts(cluster, node))
            for node in cluster.nodes
        },
    )


def file(operator: str) -> str:
    """Return the key, without its suffix, under which an operator's Secret has its certificate."""
    return "entity-operator" if operator in ENTITY_OPERATORS else operator


def _authority(cluster: Cluster, found: Secrets, which: str) -> Pair:
    name = names.authority(cluster.name, which)
    certificate, key = decoded(found.get(f"{name}-cert"), "ca.crt"), decoded(found.get(name), "ca.key")
    return Pair(certificate, key) if certificate and key else authority(f"{which}-ca v0")


def _hosts(cluster: Cluster, node: Node) -> list[str]:
    host = cluster.host(node)
    return [
        *names.service_hosts(names.bootstrap_service(cluster.name), cluster.namespace, cluster.domain),
        *names.service_hosts(names.brokers_service(cluster.name), cluster.namespace, cluster.domain),
        host,
        f"{host}.{cluster.domain}",
    ]


def manifests(cluster: Cluster, made: Certificates) -> Iterator[Manifest]:
    """Return the Secrets that hold a cluster's certificates."""
    for which, pair in (("cluster", made.cluster_authority), ("clients", made.clients_authority)):
        name = names.authority(cluster.name, which)
        yield _secret(cluster, name, "certificate-authority", {"ca.key": pair.key})
        yield _secret(cluster, f"{name}-cert", "certificate-authority", {"ca.crt": pair.certificate})
    for operator, pair in made.operators.items():
        data = {f"{file(operator)}.crt": pair.certificate, f"{file(operator)}.key": pair.key}
        yield _secret(cluster, names.operator_certificate(cluster.name, operator), "kafka", data)
    for pod, pair in made.nodes.items():
        yield _secret(cluster, pod, "kafka", {f"{pod}.crt": pair.certificate, f"{pod}.key": pair.key})


def _secret(cluster: Cluster, name: str, component: str, data: Mapping[str, bytes]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": cluster.namespace,
            "labels": names.labels(cluster.name, names.brokers(cluster.name), component),
            "ownerReferences": [cluster.owner],
        },
        "type": "Opaque",
        "data": encoded(data),
    }
