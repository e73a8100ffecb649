"""Ways into the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from guardrails.resource import Resource, at, each
from guardrails.rule import resource_rule

GATEWAY_LABELS = {"istio": "ingressgateway"}
"""Labels of the ingress gateway's pods, as Istio's chart ``gateway`` sets them for that release."""

GATEWAY_SERVICE = "istio-ingressgateway"
"""Name of the ingress gateway's Service."""

_INSIDE = ("internal", "cluster-ip")


def selects_gateway(labels: object) -> bool:
    """Tell whether a selector's labels are met by the ingress gateway's pods alone."""
    return all(at(labels, key) == value for key, value in GATEWAY_LABELS.items())


@resource_rule(
    "one-way-in",
    reason="What is open to the outside beside the ingress gateway is guarded by none of its policies.",
    fix="Use a Service of type ClusterIP, a Kafka listener of type internal, and a route of the ingress gateway.",
)
def one_way_in(resource: Resource) -> Iterator[str]:
    """Nothing but the ingress gateway is reached from outside the cluster."""
    where = f"{resource.kind.rpartition('/')[2]} {resource.namespace}/{resource.name}"
    spec = at(resource.properties, "spec")
    match resource.kind:
        case "core/Service" if not selects_gateway(at(spec, "selector")):
            if (kind := at(spec, "type")) in ("LoadBalancer", "NodePort"):
                yield f"{where} is of type {kind}"
            if any(True for _ in each(spec, "externalIPs")):
                yield f"{where} has externalIPs"
        case "kafka.strimzi.io/Kafka":
            for listener in each(spec, "kafka", "listeners"):
                if (kind := at(listener, "type")) not in _INSIDE:
                    yield f"{where} has the listener {at(listener, 'name')} of type {kind}"
        case "networking.k8s.io/Ingress":
            yield f"{where} is a way in"
        case "route.openshift.io/Route" if at(spec, "to", "name") != GATEWAY_SERVICE:
            yield f"{where} leads to {at(spec, 'to', 'name')}"
