"""Pieces that manifests of policies are made of. Their values may be Pulumi outputs."""

from collections.abc import Iterable
from typing import Any

Manifest = dict[str, Any]

NETWORKING = "networking.istio.io/v1"
SECURITY = "security.istio.io/v1"
NETWORK_POLICY = "networking.k8s.io/v1"


def manifest(api_version: str, kind: str, name: Any, namespace: Any, spec: dict[str, Any]) -> Manifest:
    """Return ``{apiVersion, kind, metadata: {name, namespace}, spec}``."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def pods(namespace: Any, labels: Any) -> dict[str, Any]:
    """Return a NetworkPolicy's peer: the pods of a namespace with these labels; all where there are none."""
    peer: dict[str, Any] = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    return peer | ({"podSelector": {"matchLabels": labels}} if labels else {})


def ports(numbers: Iterable[int], *protocols: str) -> list[dict[str, Any]]:
    """Return a NetworkPolicy's ports; TCP where no protocol is named."""
    return [{"protocol": protocol, "port": number} for number in numbers for protocol in protocols or ("TCP",)]
