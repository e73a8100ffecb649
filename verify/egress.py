"""What workloads may reach outside the cluster. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from verify.access import Model
from verify.cases import Case, Kind, Outcome, Request, Source, Way, sources

UNDECLARED = "192.0.2.1"
"""An address that is nobody's (TEST-NET-1, RFC 5737)."""

_PORTS = (80, 443)


def cases(model: Model) -> list[Case]:
    """Return each workload's attempts to get out: to every declared host, and to an address that nobody declared."""
    everyone = [source for source in sources(model) if source.kind is Kind.WORKLOAD]
    return [case for source in everyone for case in _of(model, source)]


def _of(model: Model, source: Source) -> Iterator[Case]:
    gateway = model.gateway
    through = source.like.sidecar and source.like != gateway
    mine = {(host.host, host.port) for host in model.external_hosts if source.id in host.sources}
    targets = [*((host.host, host.port) for host in model.external_hosts), *((UNDECLARED, port) for port in _PORTS)]
    for host, port in targets:
        if through:
            outcome = Outcome.ALLOWED if (host, port) in mine else Outcome.REGISTRY
            yield _case(source, Way.THROUGH, host, port, outcome)
        # A NetworkPolicy knows no names: whoever has a host outside has its port everywhere outside.
        if not any(port == own for _, own in mine):
            yield _case(source, Way.AROUND, host, port, Outcome.NETWORK)


def _case(source: Source, way: Way, host: str, port: int, outcome: Outcome) -> Case:
    return Case(Request(source.id, way, "http", host, host, port, "GET", "/"), host, outcome)
