"""Every connection that can be tried, and its expected outcome. Pure.

A case goes *through* the source's own sidecar, as the application's traffic does, or *around* it, as that of the
sidecar's user or of a pod without one. The first shows what the mesh decides by identity; the second shows what
NetworkPolicies and mutual TLS hold back when a sidecar is no help.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from kafka_on_istio.access.model import AccessModel, Authentication, Edge, Workload

AGENT_PORTS = (15020, 15021, 15090)
"""Ports that a sidecar has besides those that it takes over (Istio, "Ports used by Istio")."""

UNDECLARED_PATH = "/undeclared"
METHODS = ("GET", "POST", "PUT", "DELETE")


class Outcome(str, Enum):
    """The outcome of a connection: allowed, or the layer that denies it, in the order of the layers."""

    ALLOWED = "allowed"
    REGISTRY = "Sidecar"
    NETWORK = "NetworkPolicy"
    NOBODY = "nobody listens"
    MUTUAL_TLS = "mTLS"
    AUTHORIZATION = "AuthorizationPolicy"
    STRIMZI = "Strimzi's mTLS"
    SILENCE = "silence"
    """Nothing came back from where a network says that it refuses, so that it did not."""
    UNKNOWN = "unknown"


class Kind(str, Enum):
    """The kind of a source."""

    WORKLOAD = "workload"
    STRANGER = "stranger"
    """A pod with the labels of a workload and a sidecar, but another service account."""
    PLAIN = "plain"
    """A pod with the labels of a workload and no sidecar."""
    ELSEWHERE = "elsewhere"
    """A pod with the labels of a workload and a sidecar, in another namespace."""


class Way(str, Enum):
    """How a connection leaves its source."""

    THROUGH = "through its sidecar"
    AROUND = "around its sidecar"
    ENTRY = "through the gateway"


@dataclass(frozen=True)
class Source:
    """A source of connections. ``like`` is the workload with its labels, and the source itself unless it is a probe."""

    id: str
    kind: Kind
    namespace: str
    like: Workload

    @property
    def principal(self) -> str | None:
        """Its declared identity in the mesh; empty for a probe."""
        return self.like.principal if self.kind is Kind.WORKLOAD else None


@dataclass(frozen=True)
class Request:
    """A connection to try: source, way, destination. ``host`` is None to use a pod's own address."""

    source: str
    way: Way
    speaks: str
    host: str | None
    pod_of: str
    port: int
    method: str | None = None
    path: str | None = None


@dataclass(frozen=True)
class Case:
    """A request, its destination, and its expected outcome."""

    request: Request
    destination: str
    expected: Outcome

    def __str__(self) -> str:
        """Return one line."""
        request = self.request
        what = f" {request.method} {request.path}" if request.method else ""
        if request.speaks == "icmp":
            where = f"{self.destination} ICMP echo"
        elif request.speaks == "udp":
            where = f"{self.destination}:{request.port} UDP"
        elif request.host and ":" in request.host:
            where = f"{self.destination} [{request.host}]:{request.port}"
        else:
            where = f"{self.destination}:{request.port}"
        return f"{request.source} -> {where}{what} ({request.way.value})"


def sources(model: AccessModel) -> list[Source]:
    """Return the workloads, and the probes."""
    found = [Source(it.id, Kind.WORKLOAD, it.namespace, it) for it in model.workloads]
    likes = _covering(model)
    found += [Source(f"{it.namespace}/stranger-{_name(it)}", Kind.STRANGER, it.namespace, it) for it in likes]
    most = next((it for it in likes if it.namespace in model.isolated_namespaces), None)
    if most:
        found.append(Source(f"{most.namespace}/plain-{_name(most)}", Kind.PLAIN, most.namespace, most))
        found.append(Source(f"elsewhere/{_name(most)}", Kind.ELSEWHERE, "elsewhere", most))
    return found


def _name(workload: Workload) -> str:
    return workload.id.rpartition("/")[2]


def _covering(model: AccessModel) -> list[Workload]:
    """Return few workloads that together make all declared calls over the mesh, the busiest first."""
    calls = {
        workload.id: {edge.destination for edge in _mesh_edges(model) if edge.source == workload.id}
        for workload in model.workloads
        if workload.sidecar
    }
    missing = set().union(*calls.values()) if calls else set()
    chosen = []
    while missing:
        best = max(calls, key=lambda identifier: len(calls[identifier] & missing))
        chosen.append(model.workload(best))
        missing -= calls[best]
    return chosen


def _mesh_edges(model: AccessModel) -> list[Edge]:
    return [edge for edge in model.edges if edge.authentication is Authentication.MESH]


def cases(model: AccessModel) -> list[Case]:
    """Return every case of the system."""
    found = [
        case
        for source in sources(model)
        for destination in model.workloads
        if destination.id != source.id
        for way in _ways(model, source)
        for case in _pair(model, source, destination, way)
    ]
    return [*found, *_entries(model)]


def counts(model: AccessModel) -> dict[str, int]:
    """Return the number of cases of each way and expected outcome."""
    found = Counter(f"{case.request.way.value}: {case.expected.value}" for case in cases(model))
    return dict(sorted(found.items()))


def _ways(model: AccessModel, source: Source) -> tuple[Way, ...]:
    gateway = model.gateway
    if source.kind is Kind.PLAIN or not source.like.sidecar or (gateway and source.id == gateway.id):
        return (Way.AROUND,)
    return (Way.THROUGH,) if source.kind is Kind.STRANGER else (Way.THROUGH, Way.AROUND)


def _pair(model: AccessModel, source: Source, destination: Workload, way: Way) -> Iterator[Case]:
    for port in _ports(model, destination, way):
        declared = destination.port(port)
        speaks = _speaks(model, port)
        by_name = way is Way.THROUGH and declared and destination.hosts and speaks == "http"
        host = destination.hosts[0] if by_name else None
        reached = expected(model, source, destination, way, port, None, None) is not Outcome.NETWORK
        # What a network refuses, it refuses whatever would have been said.
        several = declared and speaks == "http" and reached and (way is Way.THROUGH or destination == model.gateway)
        for method, path in _calls(model, destination) if several else [_plainest(model, speaks, destination)]:
            request = Request(source.id, way, speaks, host, destination.id, port, method, path)
            if host:
                # Whoever calls a name does not choose which of the pods behind it answers.
                request = Request(source.id, way, speaks, host, host, port, method, path)
            yield Case(request, destination.id, expected(model, source, destination, way, port, method, path))


def _ports(model: AccessModel, destination: Workload, way: Way) -> list[int]:
    """Return the ports to try: a destination's own, and in the closed namespaces those of all others too."""
    own = [port.port for port in destination.ports]
    if destination.namespace not in model.isolated_namespaces:
        return own
    every = dict.fromkeys([*own, *(port.port for workload in model.workloads for port in workload.ports)])
    if way is Way.AROUND and destination.sidecar:
        every |= dict.fromkeys(AGENT_PORTS)
    return list(every)


def _speaks(model: AccessModel, port: int) -> str:
    if port == model.kafka_port:
        return "kafka"
    if any(edge.port == port and edge.authentication is Authentication.STRIMZI for edge in model.edges):
        return "tls"
    return "http"


def _plainest(model: AccessModel, speaks: str, destination: Workload) -> tuple[str | None, str | None]:
    if speaks != "http":
        return None, None
    return next(
        ((edge.method, edge.path) for edge in model.edges if edge.destination == destination.id and edge.method),
        ("GET", "/"),
    )


def _calls(model: AccessModel, destination: Workload) -> list[tuple[str | None, str | None]]:
    gateway = destination == model.gateway
    declared = [entry.path for entry in model.entries] if gateway else [edge.path for edge in model.edges if edge.path]
    paths = dict.fromkeys(
        [*declared, *(["/"] if gateway else [entry.path for entry in model.entries]), UNDECLARED_PATH]
    )
    methods = dict.fromkeys([*METHODS, *(edge.method for edge in model.edges if edge.method)])
    return [(method, path) for method in methods for path in paths]


def expected(
    model: AccessModel, source: Source, destination: Workload, way: Way, port: int, method: str | None, path: str | None
) -> Outcome:
    """Return the expected outcome of a connection: the first layer that denies it."""
    if way is Way.THROUGH and not _known(model, source, destination, port):
        return Outcome.REGISTRY
    if not _reachable(model, source, destination, port):
        return Outcome.NETWORK
    if destination == model.gateway:
        entered = any((entry.method, entry.path) == (method, path) for entry in model.entries)
        return Outcome.ALLOWED if entered else Outcome.AUTHORIZATION
    if _speaks(model, port) == "tls":
        return Outcome.STRIMZI
    if way is Way.AROUND:
        return Outcome.ALLOWED if _is_bare(model, destination, port) else Outcome.MUTUAL_TLS
    allowed = any(
        (edge.destination, edge.port, edge.method, edge.path) == (destination.id, port, method, path)
        and model.workload(edge.source).principal == source.principal
        for edge in model.edges
    )
    return Outcome.ALLOWED if allowed else Outcome.AUTHORIZATION


def _is_bare(model: AccessModel, destination: Workload, port: int) -> bool:
    """Tell whether only NetworkPolicies protect a declared port."""
    bare = ((it.destination, it.port) for it in model.edges if it.authentication is Authentication.NETWORK)
    return (destination.id, port) in bare


def _known(model: AccessModel, source: Source, destination: Workload, port: int) -> bool:
    """Tell whether the source's sidecar knows a port of the destination."""
    if not destination.hosts or not destination.port(port):
        return False
    if source.namespace not in model.isolated_namespaces:
        return True
    called = {edge.destination for edge in model.edges if edge.source == source.like.id}
    return any(set(model.workload(it).hosts) & set(destination.hosts) for it in called)


def _reachable(model: AccessModel, source: Source, destination: Workload, port: int) -> bool:
    """Tell whether NetworkPolicies allow a connection; ingress of the gateway is not restricted, its egress is."""
    if destination.namespace not in model.isolated_namespaces and source.namespace not in model.isolated_namespaces:
        return source.like != model.gateway or source.namespace != source.like.namespace
    declared = any(
        (edge.source, edge.destination, edge.port) == (source.like.id, destination.id, port) for edge in model.edges
    )
    return declared and source.namespace == source.like.namespace


def around(model: AccessModel, source: Source, destination: Workload) -> Iterator[Case]:
    """Return the cases of a source and a destination that bypass the source's sidecar."""
    return _pair(model, source, destination, Way.AROUND)


def _entries(model: AccessModel) -> Iterator[Case]:
    gateway = model.gateway
    if gateway is None:
        return
    port = gateway.ports[0].port
    for method, path in _calls(model, gateway):
        request = Request(gateway.id, Way.ENTRY, "http", "127.0.0.1", gateway.id, port, method, path)
        service = next((it.service for it in model.entries if (it.method, it.path) == (method, path)), None)
        if service is None:
            yield Case(request, gateway.id, Outcome.AUTHORIZATION)
        else:
            called = [edge.destination for edge in model.edges if edge.source == gateway.id]
            targets = [it for it in called if model.workload(it).hosts[0].startswith(f"{service}.")]
            yield from (Case(request, target, Outcome.ALLOWED) for target in targets)


def by_request(found: Iterable[Case]) -> dict[Request, list[Case]]:
    """Return cases by request; one request may arrive at different pods."""
    result: dict[Request, list[Case]] = {}
    for case in found:
        result.setdefault(case.request, []).append(case)
    return result
