"""The ingress gateway: by what it is known, and where it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from guardrails.pod import template
from guardrails.registered import Resource, at, each

GATEWAY_LABELS = {"istio": "ingressgateway"}
"""Labels of the ingress gateway's pods, as Istio's chart ``gateway`` sets them for that release."""

GATEWAY_SERVICE = "istio-ingressgateway"
"""Name of the ingress gateway's Service."""


def selects_gateway(labels: object) -> bool:
    """Tell whether a selector's labels are met by the ingress gateway's pods alone."""
    return all(at(labels, key) == value for key, value in GATEWAY_LABELS.items())


def places(resources: Sequence[Resource]) -> set[str]:
    """Namespaces of the ingress gateway: by the stack's outputs, or else where a chart runs its pods."""
    outputs = [item.properties for item in resources if item.type == "pulumi:pulumi:Stack"]
    said = {namespace for output in outputs for namespace in _said(output) if namespace}
    return said or {item.namespace for item in resources if item.from_chart and _runs_gateway(item)}


def _said(output: Any) -> Iterator[Any]:
    yield at(output, "platform", "istioNamespace")
    for workload in each(output, "accessModel", "workloads"):
        if selects_gateway(at(workload, "labels")):
            yield at(workload, "namespace")


def _runs_gateway(resource: Resource) -> bool:
    return selects_gateway(at(template(resource), "metadata", "labels"))
