"""AuthorizationPolicies: which identity may call what."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from kafka_on_istio import names
from kafka_on_istio.access.model import AccessModel, Authentication, Role
from kafka_on_istio.policies.manifests import Manifest, authorization_policy


def authorization_policies(model: AccessModel) -> Iterator[Manifest]:
    """Yield one policy per service that is called, and one for the brokers."""
    for service in model.services:
        rules = _http_rules(model, service.versions[0].workload)
        if rules:
            yield authorization_policy(service.name, service.namespace, {"app": service.name}, rules=rules)
    brokers = model.with_role(Role.BROKERS)
    if brokers:
        rules = _broker_rules(model, brokers.id)
        yield authorization_policy(brokers.service_account, brokers.namespace, brokers.labels, rules=rules)


def gateway_authorization_policies(model: AccessModel) -> Iterator[Manifest]:
    """Yield what may be called through the gateway; on a platform alone that is nothing.

    The policies of several applications add up, so each has its own name.
    """
    if model.mesh.creates_platform or model.entries:
        rules = [{"to": [{"operation": {"methods": [entry.method], "paths": [entry.path]}}]} for entry in model.entries]
        name, namespace = gateway_policy_name(model), model.mesh.istio_namespace
        yield authorization_policy(name, namespace, dict(names.GATEWAY_LABELS), rules=rules)


def gateway_policy_name(model: AccessModel) -> str:
    """Return the name of the gateway's policies: the platform's own, or those of an application on it."""
    return (
        names.GATEWAY_RESOURCE
        if model.mesh.creates_platform
        else (f"{names.GATEWAY_RESOURCE}-{model.services[0].namespace}")
    )


def _http_rules(model: AccessModel, destination: str) -> list[dict[str, Any]]:
    callers: dict[tuple[str | None, str | None, int], list[str]] = defaultdict(list)
    for edge in model.into(destination):
        if edge.authentication is Authentication.MESH:
            callers[(edge.method, edge.path, edge.port)].append(model.workload(edge.source).principal)
    return [
        {
            "from": [{"source": {"principals": principals}}],
            "to": [{"operation": {"methods": [method], "paths": [path], "ports": [str(port)]}}],
        }
        for (method, path, port), principals in callers.items()
    ]


def _broker_rules(model: AccessModel, brokers: str) -> list[dict[str, Any]]:
    edges = model.into(brokers)
    clients = [model.workload(edge.source).principal for edge in edges if edge.authentication is Authentication.MESH]
    own = sorted({edge.port for edge in edges if edge.authentication is Authentication.STRIMZI})
    return broker_rules(clients, own)


def broker_rules(clients: list[Any], strimzi_ports: list[int]) -> list[dict[str, Any]]:
    """Return rules that allow principals the clients' port, and anyone Strimzi's ports."""
    allowed = {
        "from": [{"source": {"principals": clients}}],
        "to": [{"operation": {"ports": [str(names.KAFKA_PORT)]}}],
    }
    own = {"to": [{"operation": {"ports": [str(port) for port in strimzi_ports]}}]}
    return [allowed, own] if clients else [own]
