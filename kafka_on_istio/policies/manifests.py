"""Manifests of policies, and the pieces that they share. Values may be Pulumi outputs."""

from collections.abc import Iterable
from typing import Any

Manifest = dict[str, Any]
"""``{apiVersion, kind, metadata: {name, namespace}, spec}``."""

NETWORKING = "networking.istio.io/v1"
SECURITY = "security.istio.io/v1"


def manifest(api_version: str, kind: str, name: Any, namespace: Any, spec: dict[str, Any]) -> Manifest:
    """Return a manifest."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def authorization_policy(name: Any, namespace: Any, labels: Any, **rules: list[dict[str, Any]]) -> Manifest:
    """Return an AuthorizationPolicy with allow ``rules`` for the pods with these labels; without any it denies all."""
    spec = {"selector": {"matchLabels": labels}, "action": "ALLOW", **rules}
    return manifest(SECURITY, "AuthorizationPolicy", name, namespace, spec)


def peer_authentication(name: Any, namespace: Any, labels: Any, **spec: Any) -> Manifest:
    """Return a PeerAuthentication with strict mTLS for the pods with these labels."""
    return manifest(
        SECURITY,
        "PeerAuthentication",
        name,
        namespace,
        {"selector": {"matchLabels": labels}, "mtls": {"mode": "STRICT"}, **spec},
    )


def sidecar(name: Any, namespace: Any, labels: Any, hosts: list[Any]) -> Manifest:
    """Return a Sidecar whose pods know these hosts, each ``namespace/host``, and no others."""
    return manifest(
        NETWORKING,
        "Sidecar",
        name,
        namespace,
        {
            "workloadSelector": {"labels": labels},
            "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
            "egress": [{"hosts": hosts}],
        },
    )


def network_policy(
    name: Any,
    namespace: Any,
    labels: Any,
    *,
    ingress: list[dict[str, Any]] | None = None,
    egress: list[dict[str, Any]] | None = None,
) -> Manifest:
    """Return a NetworkPolicy for the pods with these labels; a direction that is None is not restricted.

    Empty rules are left out, because the API server drops them: without rules a direction is denied.
    """
    directions = {"Ingress": ingress, "Egress": egress}
    return manifest(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        name,
        namespace,
        {
            "podSelector": {"matchLabels": labels} if labels else {},
            "policyTypes": [direction for direction, rules in directions.items() if rules is not None],
            **{direction.lower(): rules for direction, rules in directions.items() if rules},
        },
    )


def pods(namespace: Any, labels: Any) -> dict[str, Any]:
    """Return a NetworkPolicy's peer: the pods of a namespace with these labels; all pods without labels."""
    peer: dict[str, Any] = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    return peer | ({"podSelector": {"matchLabels": labels}} if labels else {})


def ports(numbers: Iterable[int], *protocols: str) -> list[dict[str, Any]]:
    """Return a NetworkPolicy's ports; TCP if no protocol is given."""
    return [{"protocol": protocol, "port": number} for number in numbers for protocol in protocols or ("TCP",)]
