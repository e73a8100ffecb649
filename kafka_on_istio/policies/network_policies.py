"""NetworkPolicies: the edges of the access model at layers 3 and 4, and what the mesh itself needs."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, ip_network
from typing import Any

from kafka_on_istio import names
from kafka_on_istio.access.model import AccessModel, Authentication, Role, Workload
from kafka_on_istio.policies.authorization_policies import gateway_policy_name
from kafka_on_istio.policies.manifests import Manifest, network_policy, pods, ports


def network_policies(model: AccessModel) -> Iterator[Manifest]:
    """Yield one policy per isolated workload, and those of the gateway and of Prometheus."""
    for workload in model.own():
        yield network_policy(
            names.network_policy(workload.service_account),
            workload.namespace,
            workload.labels,
            ingress=_ingress(model, workload),
            egress=_egress(model, workload),
        )
    yield from _gateway(model)
    yield from _prometheus(model)


def _gateway(model: AccessModel) -> Iterator[Manifest]:
    """Yield where the gateway may connect to; the policies of several applications add up."""
    gateway = model.gateway
    if gateway and (model.mesh.creates_platform or model.entries):
        yield network_policy(
            gateway_policy_name(model), gateway.namespace, gateway.labels, egress=_egress(model, gateway)
        )


def _prometheus(model: AccessModel) -> Iterator[Manifest]:
    """Keep Prometheus in the cluster, where it reads metrics of any pod; who may read its own is not restricted."""
    prometheus = model.with_role(Role.PROMETHEUS)
    if prometheus and model.mesh.creates_platform:
        yield network_policy(
            names.network_policy(names.PROMETHEUS),
            prometheus.namespace,
            prometheus.labels,
            egress=[{"to": [{"namespaceSelector": {}}]}, *_infrastructure(model, prometheus)],
        )


def _peer(workload: Workload) -> dict[str, Any]:
    return pods(workload.namespace, workload.labels)


def _by_ports(model: AccessModel, ends: Iterable[tuple[str, int]]) -> Iterator[tuple[list[int], list[dict[str, Any]]]]:
    used_by: dict[str, list[int]] = defaultdict(list)
    for end, port in ends:
        if port not in used_by[end]:
            used_by[end].append(port)
    peers: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for end, used in used_by.items():
        peers[tuple(sorted(used))].append(end)
    for shared, found in peers.items():
        yield list(shared), [_peer(model.workload(end)) for end in found]


def _ingress(model: AccessModel, workload: Workload) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = [
        {"from": peers, "ports": ports(shared)}
        for shared, peers in _by_ports(model, ((edge.source, edge.port) for edge in model.into(workload.id)))
    ]
    reader = model.network.metrics_reader
    if workload.sidecar and reader:
        rules.append({"from": [pods(reader.namespace, reader.labels)], "ports": ports([names.TELEMETRY_PORT])})
    return rules


def _egress(model: AccessModel, workload: Workload) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = [
        {"to": peers, "ports": ports(shared)}
        for shared, peers in _by_ports(model, ((edge.destination, edge.port) for edge in model.out_of(workload.id)))
    ]
    rules += _infrastructure(model, workload)
    if workload.role is Role.CLUSTER_OPERATOR and model.network.watched_namespaces:
        rules.append({"to": [_watched_brokers(model)], "ports": ports(names.STRIMZI_PORTS.values())})
    outside = sorted({external.port for external in model.external_hosts if workload.id in external.sources})
    if outside:
        block: dict[str, Any] = {"cidr": "0.0.0.0/0"}
        private = [text for text in model.network.private_ranges if isinstance(ip_network(text), IPv4Network)]
        if private:
            block["except"] = private
        rules.append({"to": [{"ipBlock": block}], "ports": ports(outside)})
    return rules


def _infrastructure(model: AccessModel, workload: Workload) -> Iterator[dict[str, Any]]:
    for item in model.infrastructure:
        if workload.id not in item.sources:
            continue
        protocols = ("UDP", "TCP") if item.name == "dns" else ("TCP",)
        rule: dict[str, Any] = {"ports": ports(item.ports, *protocols)}
        if item.namespace:
            rule["to"] = [pods(item.namespace, item.labels)]
        elif item.addresses:
            rule["to"] = [{"ipBlock": {"cidr": address}} for address in item.addresses]
        yield rule


def _watched_brokers(model: AccessModel) -> dict[str, Any]:
    """Return all brokers in the namespaces that the operator watches: those of applications unknown to its platform."""
    watched = model.network.watched_namespaces
    named = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": list(watched)}]}
    return {
        "namespaceSelector": {} if "*" in watched else named,
        "podSelector": {"matchExpressions": [{"key": "strimzi.io/cluster", "operator": "Exists"}]},
    }


def listener_peers(model: AccessModel) -> list[dict[str, Any]]:
    """Return who may connect to the brokers' listener, as Strimzi's ``networkPolicyPeers``.

    Strimzi opens the listener to everyone if the list is empty, so without clients it holds the brokers themselves.
    """
    brokers = model.with_role(Role.BROKERS)
    if not brokers:
        return []
    edges = model.into(brokers.id)
    clients = [model.workload(edge.source) for edge in edges if edge.authentication is Authentication.MESH]
    return [_peer(client) for client in clients or [brokers]]
