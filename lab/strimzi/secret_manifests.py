"""The Secrets with a cluster's authorities and certificates; valid ones are kept, others are replaced."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lab.certificates import Pair, renewed
from lab.strimzi import names
from lab.strimzi.certificates import authority, issue, lasts, serves
from lab.strimzi.cluster import Cluster, Node
from lab.strimzi.mounts import ENTITY_OPERATORS

Manifest = dict[str, Any]

TRUSTED: Final = {"cluster": "cluster-ca.crt", "clients": "clients-ca.crt"}
"""Keys of the trust bundle's certificates, by authority."""

CERTIFICATE_GENERATION: Final = "strimzi.io/ca-cert-generation"
KEY_GENERATION: Final = "strimzi.io/ca-key-generation"

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
class Authority:
    """An authority; ``generation`` counts how often its certificate was renewed."""

    pair: Pair
    generation: int = 0


@dataclass(frozen=True)
class Certificates:
    """All of a cluster's.

    ``authorities`` are by ``cluster`` and ``clients``, ``nodes`` by the names of their Pods, and ``operators`` by
    ``cluster-operator`` and so on; the entity operator's are there if the cluster has one.
    """

    authorities: Mapping[str, Authority]
    operators: Mapping[str, Pair]
    nodes: Mapping[str, Pair]

    @property
    def trusted(self) -> bytes:
        """The certificate of the authority that signs those of nodes and operators."""
        return self.authorities["cluster"].pair.certificate


def certificates(cluster: Cluster, found: Secrets) -> Certificates:
    """Return a cluster's certificates: those that are in its Secrets as long as they serve, and new ones."""
    settings = cluster.specification.cluster_ca
    authorities = {which: _authority(cluster, found, which) for which in TRUSTED}
    issuer = authorities["cluster"].pair

    def kept(secret: str, file: str, common_name: str, hosts: list[str]) -> Pair:
        pair = Pair(decoded(found.get(secret), f"{file}.crt") or b"", decoded(found.get(secret), f"{file}.key") or b"")
        if serves(pair, issuer, common_name, hosts, settings.renewal_days):
            return pair
        return issue(issuer, common_name, hosts, settings.validity_days)

    operators = {
        "cluster-operator": "cluster-operator",
        **{operator: f"{cluster.name}-{operator}" for operator in cluster.entity_operators},
    }
    return Certificates(
        authorities=authorities,
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


def _authority(cluster: Cluster, found: Secrets, which: str) -> Authority:
    name = names.authority(cluster.name, which)
    settings = getattr(cluster.specification, f"{which}_ca")
    secret = found.get(f"{name}-cert")
    certificate, key = decoded(secret, "ca.crt"), decoded(found.get(name), "ca.key")
    if not (secret and certificate and key):
        return Authority(authority(f"{which}-ca v0", settings.validity_days))
    pair = Pair(certificate, key)
    generation = int((secret["metadata"].get("annotations") or {}).get(CERTIFICATE_GENERATION, 0))
    if lasts(certificate, settings.renewal_days):
        return Authority(pair, generation)
    return Authority(renewed(pair, settings.validity_days), generation + 1)


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
    generations = {which: str(it.generation) for which, it in made.authorities.items()}
    by_cluster = {"strimzi.io/cluster-ca-cert-generation": generations["cluster"]}
    for which, it in made.authorities.items():
        name, labels = names.authority(cluster.name, which), _labels(cluster, "certificate-authority")
        yield _secret(cluster, name, labels, {KEY_GENERATION: "0"}, {"ca.key": it.pair.key})
        annotations = {CERTIFICATE_GENERATION: generations[which]}
        yield _secret(cluster, f"{name}-cert", labels, annotations, {"ca.crt": it.pair.certificate})
    yield _secret(
        cluster,
        names.trust_bundle(cluster.name),
        _labels(cluster, "trust-bundle"),
        {f"strimzi.io/{which}-ca-cert-generation": generation for which, generation in generations.items()},
        {key: made.authorities[which].pair.certificate for which, key in TRUSTED.items()},
    )
    for operator, pair in made.operators.items():
        data = {f"{file(operator)}.crt": pair.certificate, f"{file(operator)}.key": pair.key}
        labels = _labels(cluster, names.STRIMZI)
        if operator in ENTITY_OPERATORS:
            labels = names.labels(cluster.name, f"{cluster.name}-{operator}", operator)
        yield _secret(cluster, names.operator_certificate(cluster.name, operator), labels, by_cluster, data)
    for pod, pair in made.nodes.items():
        labels = names.labels(cluster.name, names.brokers(cluster.name), "kafka")
        data = {f"{pod}.crt": pair.certificate, f"{pod}.key": pair.key}
        yield _secret(cluster, pod, labels, by_cluster, data)


def _labels(cluster: Cluster, component: str) -> dict[str, str]:
    return names.labels(cluster.name, names.STRIMZI, component)


def _secret(
    cluster: Cluster,
    name: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    data: Mapping[str, bytes],
) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": cluster.namespace,
            "labels": dict(labels),
            "annotations": dict(annotations),
            "ownerReferences": [cluster.owner],
        },
        "type": "Opaque",
        "data": encoded(data),
    }
