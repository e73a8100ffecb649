"""Egress of workloads to outside hosts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from kafka_on_istio.access.model import AccessModel, ExternalHost
from verify.cases import Case, Kind, Outcome, Request, Source, Way, sources
from verify.judge import Result

UNDECLARED = "192.0.2.1"
"""An address that is nobody's (TEST-NET-1, RFC 5737)."""

_STANDARD = {80: "http", 443: "https"}
"""Ports to try there, and what is spoken on them."""


def cases(model: AccessModel) -> list[Case]:
    """Return each workload's egress cases: to every declared host, and to an undeclared address."""
    everyone = [source for source in sources(model) if source.kind is Kind.WORKLOAD]
    return [case for source in everyone for case in _of(model, source)]


def judged(results: Sequence[Result]) -> list[Result]:
    """Tell silence from refusals: nobody is at the undeclared address, so that what gets out is not answered either.

    Some networks refuse by an ICMP message, others by dropping. Where one of the results shows such a message, the
    network is of the first kind, and a connection around a sidecar that got none was sent.
    """
    if not any(result.is_prohibited for result in results):
        return list(results)
    return [_without_a_refusal(result) for result in results]


def _without_a_refusal(result: Result) -> Result:
    around = result.case.request.way is Way.AROUND
    if around and result.outcome is Outcome.NETWORK and not result.is_prohibited:
        return replace(result, outcome=Outcome.SILENCE)
    return result


def _of(model: AccessModel, source: Source) -> Iterator[Case]:
    gateway = model.gateway
    through = source.like.sidecar and source.like != gateway
    anywhere = [it for it in model.infrastructure if it.namespace is None and not it.addresses]
    open_ports = {port for it in anywhere if source.id in it.sources for port in it.ports}
    mine = [host for host in model.external_hosts if source.id in host.sources]
    targets = [(host.host, host.port, host.protocol.lower()) for host in model.external_hosts]
    targets += [(UNDECLARED, port, speaks) for port, speaks in _STANDARD.items()]
    for host, port, protocol in targets:
        speaks = _speaks(mine, port, protocol)
        if through:
            declared = any((host, port) == (own.host, own.port) for own in mine)
            yield _case(source, Way.THROUGH, speaks, host, port, Outcome.ALLOWED if declared else Outcome.REGISTRY)
        # A NetworkPolicy knows no names: whoever has a host outside, or the Kubernetes API, whose addresses are not
        # known, has its port everywhere outside.
        if port not in {*(own.port for own in mine), *open_ports}:
            yield _case(source, Way.AROUND, speaks, host, port, Outcome.NETWORK)


def _speaks(mine: list[ExternalHost], port: int, protocol: str) -> str:
    """Return what a source is to speak on a port: what its own sidecar waits for there, if it waits for anything."""
    return next((own.protocol.lower() for own in mine if own.port == port), protocol)


def _case(source: Source, way: Way, speaks: str, host: str, port: int, outcome: Outcome) -> Case:
    call = ("GET", "/") if speaks == "http" else (None, None)
    return Case(Request(source.id, way, speaks, host, host, port, *call), host, outcome)
