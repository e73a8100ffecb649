"""What a chart renders to, compared with what the program assumes of it. Pure but for the ``render`` that is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from fnmatch import fnmatchcase
from typing import Any, Final

from kafka_on_istio.charts.facts import ChartFacts
from kafka_on_istio.ownership import KINDS

Render = Callable[[Mapping[str, Any]], list[dict[str, Any]]]
"""Returns a chart's objects for some values."""

_DEFAULTS: Final = "_internal_defaults_do_not_set"
"""Key under which Istio's charts have their default values (since 1.22)."""

Path = tuple[str, ...]


def differences(
    facts: ChartFacts, render: Render, values: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Iterator[str]:
    """Yield a line for everything that a chart has otherwise than is assumed.

    :param values: those that the program sets.
    :param defaults: the chart's own.
    """
    things = render(values)
    if things != render(values):
        yield "renders differently each time: every preview would show a change"
    yield from _services(facts, things)
    yield from _workloads(facts, things)
    yield from _cluster_wide(facts, things)
    yield from _values(facts, render, values, defaults, things)


def _of_kinds(things: list[dict[str, Any]], *kinds: str) -> dict[str, dict[str, Any]]:
    return {thing["metadata"]["name"]: thing["spec"] for thing in things if thing["kind"] in kinds}


def _services(facts: ChartFacts, things: list[dict[str, Any]]) -> Iterator[str]:
    found = _of_kinds(things, "Service")
    for service, ports in facts.services.items():
        if service not in found:
            yield f"has no Service {service!r}; it has {', '.join(sorted(found)) or 'none'}"
            continue
        there = {port.get("name", ""): port["port"] for port in found[service]["ports"]}
        for name, port in ports.items():
            if there.get(name) != port:
                yield f"Service {service}: port {name} is {there.get(name, 'not there')}, assumed is {port}"


def _workloads(facts: ChartFacts, things: list[dict[str, Any]]) -> Iterator[str]:
    found = _of_kinds(things, "Deployment", "DaemonSet", "StatefulSet")
    for name, assumed in facts.workloads.items():
        if name not in found:
            yield f"has no workload {name!r}; it has {', '.join(sorted(found)) or 'none'}"
            continue
        template = found[name]["template"]
        account = template["spec"].get("serviceAccountName", "default")
        if account != assumed.service_account:
            yield f"{name}: its service account is {account!r}, assumed is {assumed.service_account!r}"
        labels = template["metadata"].get("labels") or {}
        for key, value in assumed.labels.items():
            if labels.get(key) != value:
                yield f"{name}: its pods' label {key} is {labels.get(key)!r}, assumed is {value!r}"


def _cluster_wide(facts: ChartFacts, things: list[dict[str, Any]]) -> Iterator[str]:
    found = {f"{thing['kind']}/{thing['metadata']['name']}" for thing in things if thing["kind"] in KINDS}
    for name in sorted(found - set(facts.cluster_wide)):
        yield f"makes {name}, which is not in the table, so that up would take over one of another owner"
    for name in sorted(set(facts.cluster_wide) - found):
        yield f"does not make {name}, which is in the table"


def _values(
    facts: ChartFacts,
    render: Render,
    values: Mapping[str, Any],
    defaults: Mapping[str, Any],
    things: list[dict[str, Any]],
) -> Iterator[str]:
    known = defaults.get(_DEFAULTS, defaults)
    for path in _paths(values):
        key = ".".join(path)
        if not any(fnmatchcase(key, pattern) for pattern in facts.values):
            yield f"value {key}: is set, and not in the table"
        inert = _is_known(path, known) or key in facts.inert
        if not inert and render(_without(path, values)) == things:
            yield f"value {key}: the chart does not know it"


def _paths(values: Mapping[str, Any], above: Path = ()) -> Iterator[Path]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _paths(value, (*above, key))
        elif value != {}:
            yield (*above, key)


def _is_known(path: Path, defaults: Any) -> bool:
    for key in path:
        if not isinstance(defaults, Mapping) or key not in defaults:
            return False
        defaults = defaults[key]
    return True


def _without(path: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(deepcopy(values))
    part: Any = result
    for key in path[:-1]:
        part = part[key]
    del part[path[-1]]
    return result
