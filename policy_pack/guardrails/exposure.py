"""Ways into the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from guardrails.gateway import GATEWAY_SERVICE, selects_gateway
from guardrails.registered import Resource, at, each
from guardrails.rule import resource_rule

_INSIDE = ("internal", "cluster-ip")
_WAYPOINT = "istio-waypoint"
"""Class of the one Gateway of the Gateway API for which Istio makes a Service that is reached from inside alone."""


@resource_rule(
    "one-way-in",
    reason="Traffic from outside that bypasses the ingress gateway bypasses its policies too.",
    fix="Use a Service of type ClusterIP, a Kafka listener of type internal, and a route of the ingress gateway.",
)
def one_way_in(resource: Resource) -> Iterator[str]:
    """Nothing but the ingress gateway is reached from outside the cluster."""
    if not is_gateways(resource):
        yield from ways(resource)


def is_gateways(resource: Resource) -> bool:
    """Tell whether a Service, or a Route with all of its backends, leads to the ingress gateway of its namespace."""
    spec = at(resource.properties, "spec")
    match resource.kind:
        case "core/Service":
            return selects_gateway(at(spec, "selector"))
        case "route.openshift.io/Route":
            return all(at(target, "name") == GATEWAY_SERVICE for target in (at(spec, "to"), *_alternatives(resource)))
    return False


def ways(resource: Resource) -> Iterator[str]:
    """Say how a resource lets in what is outside the cluster."""
    where = f"{resource.kind.rpartition('/')[2]} {resource.namespace}/{resource.name}"
    spec = at(resource.properties, "spec")
    match resource.kind:
        case "core/Service":
            if (kind := at(spec, "type")) in ("LoadBalancer", "NodePort"):
                yield f"{where} is of type {kind}"
            if any(True for _ in each(spec, "externalIPs")):
                yield f"{where} has externalIPs"
        case "kafka.strimzi.io/Kafka":
            for listener in each(spec, "kafka", "listeners"):
                if (kind := at(listener, "type")) not in _INSIDE:
                    yield f"{where} has the listener {at(listener, 'name')} of type {kind}"
        case "networking.k8s.io/Ingress":
            yield f"{where} opens an ingress"
        case "gateway.networking.k8s.io/Gateway" if at(spec, "gatewayClassName") != _WAYPOINT:
            yield f"{where} creates a load balancer for ingress"
        case "route.openshift.io/Route":
            names = (str(at(target, "name")) for target in (at(spec, "to"), *_alternatives(resource)))
            yield f"{where} leads to {', '.join(names)}"


def _alternatives(resource: Resource) -> Iterator[object]:
    return each(resource.properties, "spec", "alternateBackends")
