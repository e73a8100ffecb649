"""Mutual TLS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guardrails import namespaces
from guardrails.registered import Resource, at, of_kind
from guardrails.rule import Violation, resource_rule, stack_rule

STRIMZI_PORTS = frozenset({"9090", "9091", "8443"})
"""Ports that Strimzi guards by its own mutual TLS: control plane, replication, agent (Strimzi 1.2, KafkaCluster)."""

BROKER_LABEL = "strimzi.io/name"
"""Label by which a policy is about the brokers alone (Strimzi 1.2, Labels)."""

_PEER_AUTHENTICATION = "security.istio.io/PeerAuthentication"


@stack_rule(
    "mesh-strict",
    reason="Without STRICT mutual TLS, a namespace of the mesh accepts callers without an identity.",
    fix="Add a PeerAuthentication without a selector and with mtls.mode STRICT to the namespace.",
)
def strict(resources: Sequence[Resource]) -> Iterator[Violation]:
    """Every namespace of the mesh has a PeerAuthentication STRICT for all of its pods, and none that is not.

    Istio goes by the oldest where there are several, and by that of its own namespace where there is none.
    """
    whole = [item for item in of_kind(resources, _PEER_AUTHENTICATION) if not at(item.properties, "spec", "selector")]
    for resource in whole:
        if (mode := _mode(resource)) != "STRICT":
            yield Violation(f"{_where(resource)} sets mode {mode} for its whole namespace", resource.urn)
    for namespace in sorted(namespaces.of_mesh(resources) - {item.namespace for item in whole}):
        yield Violation(f"Namespace {namespace} has no PeerAuthentication for all of its pods")


def _mode(resource: Resource) -> Any:
    return at(resource.properties, "spec", "mtls", "mode")


def _where(resource: Resource) -> str:
    return f"PeerAuthentication {resource.namespace}/{resource.name}"


@resource_rule(
    "mesh-permissive-ports",
    reason="A port that accepts plaintext must be protected otherwise. Only Strimzi's mutual TLS does that.",
    fix=f"Keep mtls STRICT; portLevelMtls may be PERMISSIVE for {', '.join(sorted(STRIMZI_PORTS))} with a selector "
    f"that has the label {BROKER_LABEL}.",
)
def permissive_ports(resource: Resource) -> Iterator[str]:
    """No PeerAuthentication weakens mutual TLS, but for the brokers' ports that Strimzi guards."""
    if resource.kind != _PEER_AUTHENTICATION:
        return
    spec = at(resource.properties, "spec")
    # One for a whole namespace is judged by mesh-strict, which also knows the namespaces that have none.
    if at(spec, "selector") and (mode := _mode(resource)) not in ("STRICT", "UNSET", None):
        yield f"{_where(resource)} sets mode {mode}"
    ports = at(spec, "portLevelMtls")
    is_brokers = bool(at(spec, "selector", "matchLabels", BROKER_LABEL))
    for port in ports if isinstance(ports, Mapping) else ():
        mode = at(ports, port, "mode")
        if mode == "STRICT" or (mode == "PERMISSIVE" and port in STRIMZI_PORTS and is_brokers):
            continue
        yield f"{_where(resource)} sets mode {mode} for port {port}"
