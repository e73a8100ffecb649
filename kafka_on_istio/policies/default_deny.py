"""Strict mutual TLS and default deny of a namespace, whose name may be a Pulumi output."""

from collections.abc import Iterator
from typing import Any

from kafka_on_istio.policies.manifests import SECURITY, Manifest, manifest, network_policy


def mutual_tls(namespace: Any, mode: str = "STRICT") -> Manifest:
    """Return the namespace's PeerAuthentication; mode PERMISSIVE also accepts plaintext."""
    return manifest(SECURITY, "PeerAuthentication", "default", namespace, {"mtls": {"mode": mode}})


def default_deny(namespace: Any) -> Iterator[Manifest]:
    """Yield what denies every request and every connection in the namespace unless a rule allows it."""
    yield manifest(SECURITY, "AuthorizationPolicy", "default-deny", namespace, {})
    yield network_policy("default-deny", namespace, {}, ingress=[], egress=[])
