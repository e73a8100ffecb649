"""What could be reached by IPv6, where pods have such addresses besides those of IPv4. Pure."""

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
    """Return the cases around sidecars that IPv4 has too, for each address: the same should become of them."""
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
    """Return a check for each pod that has no such address, so that there is nothing to try."""
    for identifier, found in addresses.items():
        for pod, own in found.items():
            if not own:
                yield Check(Part.NETWORK, f"{identifier}: addresses of pod {pod}", _NONE, _NONE)


def judged(result: Result) -> Result:
    """Let a declared port be closed: servers need not listen by IPv6."""
    if result.outcome is Outcome.NOBODY and result.case.expected is not Outcome.NETWORK:
        return replace(result, outcome=result.case.expected)
    return result
