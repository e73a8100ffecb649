"""Connections over IPv6, for pods with IPv6 addresses. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from kafka_on_istio.access.model import AccessModel
from verify.cases import Case, Outcome, around, sources
from verify.check import Check, Part
from verify.judge import Result

Addresses = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Addresses of each workload's pods, by workload and pod."""

_NONE = "no IPv6 address"


def cases(model: AccessModel, addresses: Addresses) -> list[Case]:
    """Return the cases around sidecars for each IPv6 address, with the expected outcomes of IPv4."""
    return [
        Case(replace(case.request, host=address), case.destination, case.expected)
        for source in sources(model)
        for destination in model.workloads
        if destination.id != source.id
        for found in addresses[destination.id].values()
        for address in found
        for case in around(model, source, destination)
    ]


def without(addresses: Addresses) -> Iterator[Check]:
    """Return a check for each pod without an IPv6 address, where there is nothing to try."""
    for identifier, found in addresses.items():
        for pod, own in found.items():
            if not own:
                yield Check(Part.NETWORK, f"{identifier}: addresses of pod {pod}", _NONE, _NONE)


def judged(result: Result) -> Result:
    """Accept that nothing listens on a declared port: servers need not listen on IPv6."""
    if result.outcome is Outcome.NOBODY and result.case.expected is not Outcome.NETWORK:
        return replace(result, outcome=result.case.expected)
    return result
