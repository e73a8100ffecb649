"""Connections without TCP: UDP datagrams and ICMP echo requests. Pure.

Neither is declared in the system, and sidecars do not handle them: only NetworkPolicies deny them.
Kubernetes leaves open whether these apply to ICMP; the proof expects it, as a closed pod that answers echoes tells who
is there and carries data in them.
"""

from __future__ import annotations

from collections.abc import Iterator

from kafka_on_istio.access.model import AccessModel, Workload
from verify.cases import Case, Outcome, Request, Source, Way, sources

DNS, ISTIOD = 53, 15012
"""Ports that policies open elsewhere, which are tried everywhere."""


def cases(model: AccessModel) -> list[Case]:
    """Return the cases of each source and each workload, if NetworkPolicies isolate one of the two."""
    return [
        case
        for source in sources(model)
        for destination in model.workloads
        if destination.id != source.id and {source.namespace, destination.namespace} & model.isolated_namespaces
        for case in _pair(source, destination)
    ]


def _pair(source: Source, destination: Workload) -> Iterator[Case]:
    for port in dict.fromkeys([*(port.port for port in destination.ports), DNS, ISTIOD]):
        yield _case(source, destination, "udp", port)
    yield _case(source, destination, "icmp", 0)


def _case(source: Source, destination: Workload, speaks: str, port: int) -> Case:
    request = Request(source.id, Way.AROUND, speaks, None, destination.id, port)
    return Case(request, destination.id, Outcome.NETWORK)
