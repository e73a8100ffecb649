"""Who may do what: AuthorizationPolicies, NetworkPolicies and Kafka's ACLs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from guardrails import namespaces
from guardrails.exposure import is_gateways, ways
from guardrails.gateway import places, selects_gateway
from guardrails.mesh import BROKER_LABEL, STRIMZI_PORTS
from guardrails.registered import Resource, at, each, of_kind
from guardrails.rule import Violation, resource_rule, stack_rule

AUTHORIZATION_POLICY = "security.istio.io/AuthorizationPolicy"
KAFKA_USER = "kafka.strimzi.io/KafkaUser"
_NETWORK_POLICY = "networking.k8s.io/NetworkPolicy"

_Request = tuple[str | None, str | None, str | None, str | None]
"""Principal, port, method and path, each None where a rule leaves it open."""


def allows(resource: Resource) -> bool:
    """Tell whether an AuthorizationPolicy allows, as it does when it names no action."""
    return resource.kind == AUTHORIZATION_POLICY and at(resource.properties, "spec", "action") in (None, "ALLOW")


@stack_rule(
    "default-deny",
    reason="Without default deny, every workload that no policy selects accepts all traffic.",
    fix="Add to the namespace an AuthorizationPolicy with an empty spec, and a NetworkPolicy with an empty podSelector "
    "and the policyTypes Ingress and Egress.",
)
def default_deny(resources: Sequence[Resource]) -> Iterator[Violation]:
    """Every namespace of the application denies by default, in the mesh and in the network."""
    closed = {
        "AuthorizationPolicy": {item.namespace for item in resources if _denies_requests(item)},
        "NetworkPolicy": {item.namespace for item in resources if _denies_connections(item)},
    }
    for namespace in sorted(namespaces.of_application(resources)):
        for kind, found in closed.items():
            if namespace not in found:
                yield Violation(f"Namespace {namespace} has no {kind} that denies by default")


def _denies_requests(resource: Resource) -> bool:
    spec = at(resource.properties, "spec")
    return allows(resource) and not any(at(spec, key) for key in ("selector", "targetRef", "targetRefs", "rules"))


def _denies_connections(resource: Resource) -> bool:
    spec = at(resource.properties, "spec")
    return (
        resource.kind == _NETWORK_POLICY
        and not any(at(spec, "podSelector", key) for key in ("matchLabels", "matchExpressions"))
        and set(each(spec, "policyTypes")) == {"Ingress", "Egress"}
        and not any(at(spec, key) for key in ("ingress", "egress"))
    )


@resource_rule(
    "authorization-narrow",
    reason="An allow rule without a source allows every caller; one without an operation allows every operation.",
    fix="Name principals without `*`, and ports or methods and paths without `*`. Only the brokers' rule for Strimzi's "
    "own ports, and the ingress gateway's for methods and paths, may omit `from`.",
)
def authorization_narrow(resource: Resource) -> Iterator[str]:
    """Every rule that allows names who and what."""
    if not allows(resource):
        return
    spec = at(resource.properties, "spec")
    for number, rule in enumerate(each(spec, "rules")):
        where = f"AuthorizationPolicy {resource.namespace}/{resource.name}, rule {number}"
        yield from (f"{where} {fault}" for fault in _rule_faults(spec, rule))


def _rule_faults(spec: Any, rule: Any) -> Iterator[str]:
    yield from _operation_faults(rule)
    yield from _source_faults(spec, rule)


def _operation_faults(rule: Any) -> Iterator[str]:
    operations = [at(item, "operation") for item in each(rule, "to")]
    if not operations:
        yield "names no operation"
    for operation in operations:
        ports, methods, paths = (list(each(operation, key)) for key in ("ports", "methods", "paths"))
        if not ports and not (methods and paths):
            yield "has an operation without ports, or methods and paths"
        for value in (*ports, *methods, *paths):
            if "*" in value:
                yield f"allows the operation {value}"


def _source_faults(spec: Any, rule: Any) -> Iterator[str]:
    sources = [at(item, "source") for item in each(rule, "from")]
    if not sources and not _may_be_from_anyone(spec, rule):
        yield "names no source"
    for source in sources:
        principals = list(each(source, "principals"))
        if not principals:
            yield "has a source without principals"
        for principal in principals:
            if "*" in principal:
                yield f"allows the principal {principal}"


def _may_be_from_anyone(spec: Any, rule: Any) -> bool:
    labels = at(spec, "selector", "matchLabels")
    operations = [at(item, "operation") for item in each(rule, "to")]
    if at(labels, BROKER_LABEL):
        return all(set(each(operation, "ports")) <= STRIMZI_PORTS for operation in operations)
    return selects_gateway(labels)


@stack_rule(
    "gateway-in-place",
    reason="Gateway exemptions apply only in the gateway's namespace. Elsewhere they expose another workload.",
    fix="Move it to the namespace of the ingress gateway, or remove the gateway's labels and Service name.",
)
def gateway_in_place(resources: Sequence[Resource]) -> Iterator[Violation]:
    """What one-way-in and authorization-narrow let pass for the ingress gateway is in the gateway's namespace."""
    allowed = places(resources)
    there = ", ".join(sorted(allowed)) or "no namespace of this stack"
    for resource in resources:
        if _is_open_for_gateway(resource) and resource.namespace not in allowed:
            where = f"{resource.kind.rpartition('/')[2]} {resource.namespace}/{resource.name}"
            yield Violation(f"{where} is open as if it were the ingress gateway's, which is in {there}", resource.urn)


def _is_open_for_gateway(resource: Resource) -> bool:
    spec = at(resource.properties, "spec")
    if allows(resource) and selects_gateway(at(spec, "selector", "matchLabels")):
        return any(not at(rule, "from") for rule in each(spec, "rules"))
    return is_gateways(resource) and any(ways(resource))


@resource_rule(
    "network-narrow",
    reason="An allow rule of a NetworkPolicy without peers and ports allows all traffic.",
    fix="Name the peers in `from` or `to`, or the ports.",
)
def network_narrow(resource: Resource) -> Iterator[str]:
    """No rule of a NetworkPolicy allows everything."""
    if resource.kind != _NETWORK_POLICY:
        return
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for number, rule in enumerate(each(resource.properties, "spec", direction)):
            if not at(rule, peers) and not at(rule, "ports"):
                yield f"NetworkPolicy {resource.namespace}/{resource.name}, {direction} rule {number} allows everything"


@resource_rule(
    "acl-narrow",
    reason="An ACL with a wildcard, a prefix, the operation All or the resource cluster grants undeclared rights.",
    fix="Name the topic, group or transactional id literally, and the operations one by one.",
)
def acl_narrow(resource: Resource) -> Iterator[str]:
    """Every ACL of a KafkaUser is about one named thing and named operations."""
    if resource.kind != KAFKA_USER:
        return
    for number, acl in enumerate(each(resource.properties, "spec", "authorization", "acls")):
        where = f"KafkaUser {resource.namespace}/{resource.name}, ACL {number}"
        yield from (f"{where} {fault}" for fault in _acl_faults(acl))


def _acl_faults(acl: Any) -> Iterator[str]:
    if at(acl, "type") == "deny":
        return
    kind, name, pattern = (at(acl, "resource", key) for key in ("type", "name", "patternType"))
    if kind == "cluster":
        yield "is about the cluster"
    if name == "*" or pattern not in (None, "literal"):
        yield f"is about every {kind} that matches {pattern or 'literal'} {name}"
    if "All" in each(acl, "operations"):
        yield "allows the operation All"


@stack_rule(
    "access-declared",
    reason="Policies must not allow more than the stack declares.",
    fix="Declare the call, the topic or the group in the configuration's `services` and `routes`, or remove it from "
    "the policy.",
)
def declared(resources: Sequence[Resource]) -> Iterator[Violation]:
    """What AuthorizationPolicies and ACLs allow is in the access model that the stack exports as ``accessModel``.

    What authorization-narrow, acl-narrow and gateway-in-place object to is left to them.
    """
    elsewhere = {found.urn for found in gateway_in_place.check(resources)}
    models = [at(item.properties, "accessModel") for item in resources if item.type == "pulumi:pulumi:Stack"]
    for model in (model for model in models if model):
        for resource in of_kind(resources, AUTHORIZATION_POLICY):
            if allows(resource) and resource.urn not in elsewhere:
                yield from (Violation(message, resource.urn) for message in _undeclared_requests(resource, model))
        for resource in of_kind(resources, KAFKA_USER):
            yield from (Violation(message, resource.urn) for message in _undeclared_rights(resource, model))


def _undeclared_requests(resource: Resource, model: Any) -> Iterator[str]:
    where = f"AuthorizationPolicy {resource.namespace}/{resource.name}"
    spec = at(resource.properties, "spec")
    allowed = _declared_requests(resource, model)
    for rule in (rule for rule in each(spec, "rules") if not any(_rule_faults(spec, rule))):
        principals = [name for item in each(rule, "from") for name in each(item, "source", "principals")] or [None]
        for operation in (at(item, "operation") for item in each(rule, "to")):
            ports, methods, paths = (list(each(operation, key)) or [None] for key in ("ports", "methods", "paths"))
            for request in (
                (principal, port, method, path)
                for principal in principals
                for port in ports
                for method in methods
                for path in paths
            ):
                if request not in allowed:
                    said = ("anyone" if request[0] is None else request[0], *(part for part in request[1:] if part))
                    yield f"{where} allows what is not declared: {' '.join(said)}"


def _declared_requests(resource: Resource, model: Any) -> set[_Request]:
    """Return what the model allows into every one of the pods that a policy selects."""
    spec = at(resource.properties, "spec")
    # What a targetRef leads to, a waypoint or a Service, is in no model.
    if at(spec, "targetRef") or at(spec, "targetRefs"):
        return set()
    labels = at(spec, "selector", "matchLabels") or {}
    into = [
        _declared_into(workload, model)
        for workload in each(model, "workloads")
        if at(workload, "namespace") == resource.namespace
        and all(at(workload, "labels", key) == labels[key] for key in labels)
    ]
    return set.intersection(*into) if into else set()


def _declared_into(workload: Any, model: Any) -> set[_Request]:
    principals = {at(item, "id"): at(item, "principal") for item in each(model, "workloads")}
    allowed: set[_Request] = set()
    for edge in each(model, "edges"):
        if at(edge, "destination") == at(workload, "id"):
            known = at(edge, "authentication") == "mesh"
            source = principals.get(at(edge, "source")) if known else None
            allowed.add((source, str(int(at(edge, "port"))), at(edge, "method"), at(edge, "path")))
    if selects_gateway(at(workload, "labels")):
        allowed |= {(None, None, at(entry, "method"), at(entry, "path")) for entry in each(model, "entries")}
    return allowed


def _undeclared_rights(resource: Resource, model: Any) -> Iterator[str]:
    where = f"KafkaUser {resource.namespace}/{resource.name}"
    rights = {
        (at(acl, "resource"), at(acl, "name"), operation)
        for user in each(model, "users")
        if at(user, "name") == resource.name
        for acl in each(user, "acls")
        for operation in each(acl, "operations")
    }
    acls = each(resource.properties, "spec", "authorization", "acls")
    for acl in (acl for acl in acls if at(acl, "type") != "deny" and not any(_acl_faults(acl))):
        kind, name = at(acl, "resource", "type"), at(acl, "resource", "name")
        for operation in each(acl, "operations"):
            if (kind, name, operation) not in rights:
                yield f"{where} allows what is not declared: {operation} on {kind} {name}"
