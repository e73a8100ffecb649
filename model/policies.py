"""The mesh's and the network's policies, as manifests built from the access model.

Each function returns manifests ``{apiVersion, kind, metadata: {name, namespace}, spec}``. All of them are closed by
default: a default-deny in each namespace, and allow rules for what is declared and nothing else.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import Any

from model import names
from model.access import (
    AccessModel,
    Authentication,
    Edge,
    Workload,
    access_model,
    brokers_id,
    gateway_id,
    operator_id,
    prometheus_id,
    service_ids,
)
from model.manifests import NETWORK_POLICY, NETWORKING, SECURITY, Manifest, manifest, pods, ports
from model.settings import Monitoring, Protocol, Service, Settings

GATEWAY = "ingress"
"""Name of the Gateway resource."""

_IPV4 = 4


def policies(settings: Settings) -> tuple[Manifest, ...]:
    """Return everything that says who may talk to whom, default-deny first."""
    model = access_model(settings)
    made = (
        *peer_authentications(settings),
        *default_denies(settings),
        *gateway_authorization_policies(settings, model),
        *network_policies(settings, model),
        *gateway_network_policies(settings, model),
        *prometheus_network_policies(settings, model),
    )
    if settings.has_application:
        made += (
            *authorization_policies(settings, model),
            *sidecars(settings, model),
            *service_entries(settings, model),
        )
    if settings.has_platform:
        made += (*gateways(settings),)
    return made


def routes(settings: Settings) -> tuple[Manifest, ...]:
    """Return where calls go that are allowed: to versions of services, which must be there by then."""
    return (*destination_rules(settings), *virtual_services(settings))


def mutual_tls(namespace: Any, mode: str = "STRICT") -> Manifest:
    """Mutual TLS everywhere in a namespace, whose name may be a Pulumi output; with mode PERMISSIVE plaintext too."""
    return manifest(SECURITY, "PeerAuthentication", "default", namespace, {"mtls": {"mode": mode}})


def default_deny(namespace: Any) -> Iterator[Manifest]:
    """Nothing may talk to anything in a namespace, whose name may be a Pulumi output, unless a rule allows it."""
    yield manifest(SECURITY, "AuthorizationPolicy", "default-deny", namespace, {})
    yield manifest(
        NETWORK_POLICY,
        "NetworkPolicy",
        "default-deny",
        namespace,
        {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    )


def peer_authentications(settings: Settings) -> Iterator[Manifest]:
    """Mutual TLS everywhere, except that Strimzi's own mutual TLS guards its ports on the brokers.

    The cluster operator is outside the mesh and must reach those ports.
    """
    istio = (settings.istio_namespace,) if settings.has_platform else ()
    for namespace in (*istio, *settings.namespaces.values()):
        yield mutual_tls(namespace)
    if not settings.has_application:
        return
    yield manifest(
        SECURITY,
        "PeerAuthentication",
        names.kafka(settings).broker_account,
        settings.kafka_namespace,
        {
            "selector": {"matchLabels": names.kafka(settings).broker_labels},
            "mtls": {"mode": "STRICT"},
            "portLevelMtls": {str(port): {"mode": "PERMISSIVE"} for port in names.STRIMZI_PORTS.values()},
        },
    )


def default_denies(settings: Settings) -> Iterator[Manifest]:
    """Nothing may talk to anything in the namespaces that are made, unless a rule allows it."""
    for namespace in settings.namespaces.values():
        yield from default_deny(namespace)


def authorization_policies(settings: Settings, model: AccessModel) -> Iterator[Manifest]:
    """One policy per service and one for the brokers: who may call what, by identity."""
    for service in settings.services:
        destination, *_ = service_ids(settings, service.name)
        rules = _http_rules(model, model.into(destination))
        if rules:
            yield manifest(
                SECURITY,
                "AuthorizationPolicy",
                service.name,
                settings.application_namespace,
                {"selector": {"matchLabels": {"app": service.name}}, "action": "ALLOW", "rules": rules},
            )
    yield manifest(
        SECURITY,
        "AuthorizationPolicy",
        names.kafka(settings).broker_account,
        settings.kafka_namespace,
        {
            "selector": {"matchLabels": names.kafka(settings).broker_labels},
            "action": "ALLOW",
            "rules": _broker_rules(model, model.into(brokers_id(settings))),
        },
    )


def gateway_authorization_policies(settings: Settings, model: AccessModel) -> Iterator[Manifest]:
    """What may be called through the gateway; nothing, as far as a platform without an application is concerned.

    Those of several applications add up, so each has a name of its own.
    """
    if not settings.has_platform and not model.entries:
        return
    yield manifest(
        SECURITY,
        "AuthorizationPolicy",
        _gateway_policy(settings),
        settings.istio_namespace,
        {
            "selector": {"matchLabels": dict(names.GATEWAY_LABELS)},
            "action": "ALLOW",
            "rules": [
                {"to": [{"operation": {"methods": [entry.method], "paths": [entry.path]}}]} for entry in model.entries
            ],
        },
    )


def _http_rules(model: AccessModel, edges: Iterable[Edge]) -> list[dict[str, Any]]:
    callers: dict[tuple[str | None, str | None, int], list[str]] = defaultdict(list)
    for edge in edges:
        if edge.authentication is not Authentication.MESH:
            continue
        callers[(edge.method, edge.path, edge.port)].append(model.workload(edge.source).principal)
    return [
        {
            "from": [{"source": {"principals": principals}}],
            "to": [{"operation": {"methods": [method], "paths": [path], "ports": [str(port)]}}],
        }
        for (method, path, port), principals in callers.items()
    ]


def _broker_rules(model: AccessModel, edges: Iterable[Edge]) -> list[dict[str, Any]]:
    edges = tuple(edges)
    clients = [model.workload(edge.source).principal for edge in edges if edge.authentication is Authentication.MESH]
    own = sorted({edge.port for edge in edges if edge.authentication is Authentication.STRIMZI})
    rules: list[dict[str, Any]] = []
    if clients:
        rules.append(
            {
                "from": [{"source": {"principals": clients}}],
                "to": [{"operation": {"ports": [str(names.KAFKA_PORT)]}}],
            }
        )
    rules.append({"to": [{"operation": {"ports": [str(port) for port in own]}}]})
    return rules


def sidecars(settings: Settings, model: AccessModel) -> Iterator[Manifest]:
    """One Sidecar per meshed workload: it knows the hosts it may call, and no other.

    Per workload and not per namespace, because under REGISTRY_ONLY this is what keeps one service's egress from the
    others; each needs the OTLP service listed (istio/istio#53701).
    """
    for workload in _closed_workloads(settings, model):
        if workload.id == operator_id(settings):
            continue
        yield manifest(
            NETWORKING,
            "Sidecar",
            workload.service_account,
            workload.namespace,
            {
                "workloadSelector": {"labels": workload.labels},
                "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
                "egress": [{"hosts": _egress_hosts(settings, model, workload)}],
            },
        )


def _closed_workloads(settings: Settings, model: AccessModel) -> Iterator[Workload]:
    closed = settings.namespaces.values()
    return (workload for workload in model.workloads if workload.namespace in closed)


def _egress_hosts(settings: Settings, model: AccessModel, workload: Workload) -> list[str]:  # noqa: ARG001
    hosts: dict[str, None] = {}
    for edge in model.out_of(workload.id):
        destination = model.workload(edge.destination)
        hosts.update(dict.fromkeys(f"{destination.namespace}/{host}" for host in destination.hosts))
    for external in model.external_hosts:
        if workload.id in external.sources:
            hosts[f"./{external.host}"] = None
    for item in model.infrastructure:
        if item.name == "otlp" or (item.name == "kubernetes" and workload.id in item.sources):
            hosts.update(dict.fromkeys(f"{item.namespace or 'default'}/{host}" for host in item.hosts))
    return list(hosts)


def service_entries(settings: Settings, model: AccessModel) -> Iterator[Manifest]:
    """The hosts outside that the mesh knows; a workload's Sidecar says whether it may use them."""
    by_host: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for external in model.external_hosts:
        protocol = "TLS" if external.protocol == Protocol.HTTPS.value else external.protocol
        by_host[external.host].append(
            {"number": external.port, "name": f"{protocol.lower()}-{external.port}", "protocol": protocol}
        )
    for host, entries in by_host.items():
        yield manifest(
            NETWORKING,
            "ServiceEntry",
            host.replace(".", "-"),
            settings.application_namespace,
            {
                "hosts": [host],
                "exportTo": ["."],
                "location": "MESH_EXTERNAL",
                "resolution": "DNS",
                "ports": entries,
            },
        )


def destination_rules(settings: Settings) -> Iterator[Manifest]:
    """Mutual TLS towards every service, and a subset per version."""
    for service in settings.services:
        yield manifest(
            NETWORKING,
            "DestinationRule",
            service.name,
            settings.application_namespace,
            {
                "host": names.service_address(settings, service.name),
                "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}},
                "subsets": [
                    {"name": version.name, "labels": {"version": version.name}} for version in service.versions
                ],
            },
        )


def _weighted(settings: Settings, service: Service) -> list[dict[str, Any]]:
    return [
        {
            "destination": {
                "host": names.service_address(settings, service.name),
                "subset": version.name,
                "port": {"number": names.SERVICE_PORT},
            },
            "weight": version.weight,
        }
        for version in service.versions
    ]


def virtual_services(settings: Settings) -> Iterator[Manifest]:
    """How calls are shared out over the versions of every service, inside the mesh and from the gateway."""
    for service in settings.services:
        yield manifest(
            NETWORKING,
            "VirtualService",
            service.name,
            settings.application_namespace,
            {
                "hosts": [names.service_address(settings, service.name)],
                "gateways": ["mesh"],
                "http": [{"route": _weighted(settings, service)}],
            },
        )
    if settings.routes:
        yield manifest(
            NETWORKING,
            "VirtualService",
            GATEWAY,
            settings.application_namespace,
            {
                "hosts": ["*"],
                "gateways": [f"{settings.istio_namespace}/{GATEWAY}"],
                "http": [
                    {
                        "match": [{"uri": {"exact": route.path}, "method": {"exact": route.method.value}}],
                        "rewrite": {"uri": route.target},
                        "route": _weighted(settings, settings.service(route.service)),
                    }
                    for route in settings.routes
                ],
            },
        )


def gateways(settings: Settings) -> Iterator[Manifest]:
    """The one way in."""
    yield manifest(
        NETWORKING,
        "Gateway",
        GATEWAY,
        settings.istio_namespace,
        {
            "selector": dict(names.GATEWAY_LABELS),
            "servers": [{"port": {"number": names.GATEWAY_PORT, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}],
        },
    )


def route_spec(settings: Settings) -> dict[str, Any]:
    """Specification of the Route by which OpenShift's router, which ends the TLS of clients, leads to the gateway."""
    host = {"host": settings.gateway_host} if settings.gateway_host else {}
    return {
        **host,
        "to": {"kind": "Service", "name": names.GATEWAY},
        "port": {"targetPort": "http2"},
        "tls": {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"},
    }


def network_policies(settings: Settings, model: AccessModel) -> Iterator[Manifest]:
    """The same edges at layers 3 and 4, and what the mesh itself needs."""
    for workload in _closed_workloads(settings, model):
        ingress = _ingress(settings, model, workload)
        yield manifest(
            NETWORK_POLICY,
            "NetworkPolicy",
            names.network_policy(workload.service_account),
            workload.namespace,
            {
                "podSelector": {"matchLabels": workload.labels},
                "policyTypes": ["Ingress", "Egress"],
                # The API server drops an empty list, which means the same: nothing.
                **({"ingress": ingress} if ingress else {}),
                "egress": _egress(settings, model, workload),
            },
        )


def gateway_network_policies(settings: Settings, model: AccessModel) -> Iterator[Manifest]:
    """Where the gateway may go; like its other policies those of several applications add up."""
    if not settings.injected or (not settings.has_platform and not model.entries):
        return
    gateway = model.workload(gateway_id(settings))
    yield manifest(
        NETWORK_POLICY,
        "NetworkPolicy",
        _gateway_policy(settings),
        settings.istio_namespace,
        {
            "podSelector": {"matchLabels": gateway.labels},
            "policyTypes": ["Egress"],
            "egress": _egress(settings, model, gateway),
        },
    )


def prometheus_network_policies(settings: Settings, model: AccessModel) -> Iterator[Manifest]:
    """Keep Prometheus inside the cluster, where it reads metrics of any pod; who may read its own is not limited."""
    if not settings.has_platform or settings.monitoring is not Monitoring.FULL:
        return
    prometheus = model.workload(prometheus_id(settings))
    yield manifest(
        NETWORK_POLICY,
        "NetworkPolicy",
        names.network_policy(names.PROMETHEUS),
        settings.istio_namespace,
        {
            "podSelector": {"matchLabels": prometheus.labels},
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"namespaceSelector": {}}]}, *_infrastructure(model, prometheus)],
        },
    )


def _gateway_policy(settings: Settings) -> str:
    """Name of a policy of the gateway: the platform's own, or that of an application on it."""
    return GATEWAY if settings.has_platform else f"{GATEWAY}-{settings.application_namespace}"


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


def _ingress(settings: Settings, model: AccessModel, workload: Workload) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = [
        {"from": peers, "ports": ports(shared)}
        for shared, peers in _by_ports(model, ((edge.source, edge.port) for edge in model.into(workload.id)))
    ]
    if workload.sidecar and settings.prometheus and settings.monitoring is Monitoring.BASIC:
        scraper = pods(settings.istio_namespace, dict(names.PROMETHEUS_LABELS))
        rules.append({"from": [scraper], "ports": ports([names.TELEMETRY_PORT])})
    return rules


def _egress(settings: Settings, model: AccessModel, workload: Workload) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = [
        {"to": peers, "ports": ports(shared)}
        for shared, peers in _by_ports(model, ((edge.destination, edge.port) for edge in model.out_of(workload.id)))
    ]
    rules += _infrastructure(model, workload)
    if workload.id == operator_id(settings) and settings.strimzi_watch_namespaces:
        rules.append({"to": [_watched_brokers(settings)], "ports": ports(names.STRIMZI_PORTS.values())})
    outside = sorted({external.port for external in model.external_hosts if workload.id in external.sources})
    if outside:
        block: dict[str, Any] = {"cidr": "0.0.0.0/0"}
        private = [text for text in settings.private_ranges if ip_network(text).version == _IPV4]
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


def _watched_brokers(settings: Settings) -> dict[str, Any]:
    """All brokers in the namespaces that the operator watches: those of applications that its platform knows not."""
    watched = settings.strimzi_watch_namespaces
    named = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": list(watched)}]}
    return {
        "namespaceSelector": {} if "*" in watched else named,
        "podSelector": {"matchExpressions": [{"key": "strimzi.io/cluster", "operator": "Exists"}]},
    }


def kafka_listener_peers(settings: Settings) -> list[dict[str, Any]]:
    """Who may open the brokers' listener, in the form that Strimzi's ``networkPolicyPeers`` takes.

    Strimzi takes an empty list for everybody, so that where there is no client it is the brokers themselves.
    """
    model = access_model(settings)
    brokers = brokers_id(settings)
    clients = [edge.source for edge in model.into(brokers) if edge.authentication is Authentication.MESH]
    return [_peer(model.workload(client)) for client in clients or [brokers]]
