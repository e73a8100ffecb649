"""Gateway, VirtualServices and DestinationRules: where allowed calls go."""

from collections.abc import Iterator
from typing import Any

from kafka_on_istio import names
from kafka_on_istio.access.model import AccessModel, Service
from kafka_on_istio.policies.manifests import NETWORKING, Manifest, manifest


def gateways(model: AccessModel) -> Iterator[Manifest]:
    """Yield the ingress, if this stack creates the platform."""
    if model.mesh.creates_platform:
        server = {"port": {"number": names.GATEWAY_PORT, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
        spec = {"selector": dict(names.GATEWAY_LABELS), "servers": [server]}
        yield manifest(NETWORKING, "Gateway", names.GATEWAY_RESOURCE, model.mesh.istio_namespace, spec)


def destination_rules(model: AccessModel) -> Iterator[Manifest]:
    """Yield mutual TLS to every service, and a subset per version."""
    for service in model.services:
        yield manifest(
            NETWORKING,
            "DestinationRule",
            service.name,
            service.namespace,
            {
                "host": service.host,
                "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}},
                "subsets": [
                    {"name": version.name, "labels": {"version": version.name}} for version in service.versions
                ],
            },
        )


def virtual_services(model: AccessModel) -> Iterator[Manifest]:
    """Yield how calls are distributed over the versions of every service, in the mesh and from the gateway."""
    for service in model.services:
        spec = {"hosts": [service.host], "gateways": ["mesh"], "http": [{"route": _weighted(service)}]}
        yield manifest(NETWORKING, "VirtualService", service.name, service.namespace, spec)
    if model.entries:
        services = {service.name: service for service in model.services}
        routes = [
            {
                "match": [{"uri": {"exact": entry.path}, "method": {"exact": entry.method}}],
                "rewrite": {"uri": entry.target},
                "route": _weighted(services[entry.service]),
            }
            for entry in model.entries
        ]
        gateway = f"{model.mesh.istio_namespace}/{names.GATEWAY_RESOURCE}"
        spec = {"hosts": ["*"], "gateways": [gateway], "http": routes}
        yield manifest(NETWORKING, "VirtualService", names.GATEWAY_RESOURCE, model.services[0].namespace, spec)


def _weighted(service: Service) -> list[dict[str, Any]]:
    return [
        {
            "destination": {
                "host": service.host,
                "subset": version.name,
                "port": {"number": names.SERVICE_PORT},
            },
            "weight": version.weight,
        }
        for version in service.versions
    ]
