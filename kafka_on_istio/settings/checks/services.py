"""Checks of the services and routes."""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Final

from kafka_on_istio.settings.application import Service
from kafka_on_istio.settings.checks.duplicates import duplicates
from kafka_on_istio.settings.settings import Settings

_ALL_CALLS: Final = 100


def _services(settings: Settings) -> Iterator[str]:
    yield from duplicates("services", "name", [service.name for service in settings.services])
    for index, service in enumerate(settings.services):
        path = f"services[{index}]"
        yield from _versions(path, service)
        yield from _calls(path, service, settings)
        yield from _topics(path, service, settings)
    try:
        TopologicalSorter({s.name: {call.service for call in s.calls} for s in settings.services}).prepare()
    except CycleError as error:
        yield (
            f"services: the calls {' -> '.join(reversed(error.args[1]))} form a cycle; "
            "a call must not return to its caller"
        )


def _versions(path: str, service: Service) -> Iterator[str]:
    yield from duplicates(f"{path}.versions", "name", [version.name for version in service.versions])
    weights = [version.weight for version in service.versions]
    if sum(weights) != _ALL_CALLS:
        yield (
            f"{path}.versions: the weights of {service.name!r} are "
            f"{' + '.join(map(str, weights))} = {sum(weights)}: must add up to {_ALL_CALLS}"
        )
    for position, version in enumerate(service.versions):
        yield from duplicates(f"{path}.versions[{position}].hosts", "env", [host.env for host in version.hosts])


def _calls(path: str, service: Service, settings: Settings) -> Iterator[str]:
    for position, call in enumerate(service.calls):
        yield from _unknown(f"{path}.calls[{position}].service", call.service, settings)
    made = [f"{call.method.value} {call.service}{call.path}" for call in service.calls]
    yield from duplicates(f"{path}.calls", "call", made)


def _topics(path: str, service: Service, settings: Settings) -> Iterator[str]:
    written = {other.writes for other in settings.services if other.writes}
    for position, topic in enumerate(service.reads):
        if topic not in written:
            yield (
                f"{path}.reads[{position}] = {topic!r}: no service writes this topic; "
                f"written are {', '.join(sorted(written)) or 'none'}"
            )
    yield from duplicates(f"{path}.reads", "topic", service.reads)
    if service.reads and not service.group:
        yield f"{path}.group is missing; {service.name!r} reads topics and needs a consumer group"
    if service.group and not service.reads:
        yield f"{path}.group = {service.group!r}: {service.name!r} reads no topic; remove it"


def _routes(settings: Settings) -> Iterator[str]:
    yield from duplicates("routes", "path", [route.path for route in settings.routes])
    for index, route in enumerate(settings.routes):
        yield from _unknown(f"routes[{index}].service", route.service, settings)


def _unknown(path: str, name: str, settings: Settings) -> Iterator[str]:
    names = {service.name for service in settings.services}
    if name not in names:
        yield f"{path} = {name!r}: no such service; declared are {', '.join(sorted(names))}"


def _autoscaling(settings: Settings) -> Iterator[str]:
    bounds = settings.autoscaling
    if bounds.max_replicas < bounds.min_replicas:
        yield (
            f"autoscaling.maxReplicas = {bounds.max_replicas}: must not be less than minReplicas, {bounds.min_replicas}"
        )


CHECKS: Final = (_services, _routes, _autoscaling)
