"""Access that a change adds and removes, from the stack's output ``accessModel`` before and after. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Model = Mapping[str, Any]

_ORDER: Final = ("mesh", "entry", "edge", "host", "user", "login", "acl", "topic", "workload", "infrastructure")
"""Kinds of facts in the order in which they are told."""


@dataclass(frozen=True)
class _Fact:
    """Something that is allowed: ``{0}`` and ``{1}`` in the text are the two ends, or the operations."""

    kind: str
    text: str
    about: tuple[str, ...] = field(default=(), compare=False)
    """Workloads without which there is nothing to tell."""
    services: str = ""
    """The two ends without their versions, which tell a fact from others of the same text."""


_Ends = tuple[str, str]
_Facts = dict[_Fact, set[_Ends]]


def access_changes(before: Model | None, after: Model | None) -> list[str]:
    """Return a line for all access that is added (``new: ...``) or removed (``gone: ...``).

    Versions of a service are named if it does not apply to all of them. What comes and goes with a workload, such as
    its way to the DNS, is not told apart from it.

    :param before: the output as it was, None for a stack that has none yet.
    :param after: the output as it is, None for a stack that is destroyed.
    """
    labels = {**_labels(before or {}), **_labels(after or {})}
    olds, news = dict(_facts(before or {})), dict(_facts(after or {}))
    stay = _ids(before or {}) & _ids(after or {})
    lines: list[tuple[int, str]] = []
    for word, these, others in (("new", news, olds), ("gone", olds, news)):
        for fact, ends in these.items():
            known = others.get(fact, set())
            if ends - known and stay.issuperset(fact.about):
                lines += [(_ORDER.index(fact.kind), f"{word}: {line}") for line in _told(fact, ends, known, labels)]
    return [line for _, line in sorted(lines, key=lambda found: found[0])]


def output_changes(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[str]:
    """Return the changes from all of a stack's outputs, or one line if nothing changes."""
    changes = access_changes((before or {}).get("accessModel"), after.get("accessModel"))
    return changes or ["access stays as it is"]


def _told(fact: _Fact, ends: set[_Ends], known: set[_Ends], labels: Mapping[str, _Ends]) -> Iterator[str]:
    fresh = sorted(ends - known)
    if fact.kind == "acl":
        yield fact.text.format(", ".join(operation for operation, _ in fresh))
    elif fact.kind == "host" and not known:
        sources = sorted({" ".join(labels.get(source, (source, ""))).strip() for source, _ in fresh})
        yield f"{fact.text.removeprefix('{0} -> ')} for {', '.join(sources)}"
    elif known:
        # Some of a service's versions had it before: those that did not are named.
        yield from dict.fromkeys(fact.text.format(*(_full(end, labels) for end in pair)) for pair in fresh)
    else:
        yield from dict.fromkeys(fact.text.format(*(labels.get(end, (end, ""))[0] for end in pair)) for pair in fresh)


def _full(identifier: str, labels: Mapping[str, _Ends]) -> str:
    return " ".join(filter(None, labels.get(identifier, (identifier, ""))))


def _labels(model: Model) -> dict[str, _Ends]:
    """Return service and version of each workload by its id; its name if it is not a service."""
    workloads = model.get("workloads", ())
    names = [item["id"].rpartition("/")[2] for item in workloads]
    found = {}
    for item in workloads:
        name = item["id"].rpartition("/")[2]
        own = item.get("labels") or {}
        plain = name if names.count(name) == 1 else item["id"]
        found[item["id"]] = (own["app"], own["version"]) if {"app", "version"} <= own.keys() else (plain, "")
    return found


def _ids(model: Model) -> set[str]:
    return {item["id"] for item in model.get("workloads", ())}


def _facts(model: Model) -> _Facts:
    found: _Facts = {}
    labels = _labels(model)
    for fact, ends in _every(model, labels):
        found.setdefault(fact, set()).update(ends)
    return found


def _every(model: Model, labels: Mapping[str, _Ends]) -> Iterator[tuple[_Fact, Iterable[_Ends]]]:
    none = ("", "")
    for key in ("dataPlane", "trustDomain"):
        value = model.get("mesh", {}).get(key)
        if value is not None:
            yield _Fact("mesh", f"mesh with {key} {value}"), [none]
    for item in model.get("entries", ()):
        inside = "" if item["target"] == item["path"] else f" as {item['target']}"
        yield _Fact("entry", f"outside -> {item['service']} {item['method']} {item['path']}{inside}"), [none]
    yield from _edges(model, labels)
    for item in model.get("externalHosts", ()):
        ends = [(source, "") for source in item["sources"]]
        yield _Fact("host", f"{{0}} -> {item['host']}:{item['port']}"), ends
    users = model.get("users", ())
    for user in users:
        yield _Fact("user", f"Kafka user {user['name']} of {user['service']}"), [none]
        for acl in user["acls"]:
            operations = [(operation, "") for operation in acl["operations"]]
            yield _Fact("acl", f"{user['name']} may {{0}} {acl['resource']} {acl['name']}"), operations
        for workload in user["workloads"]:
            yield _Fact("login", f"{_full(workload, labels)} is {user['name']}", (workload,)), [none]
    for topic in model.get("topics", ()):
        yield _Fact("topic", f"topic {topic}"), [none]
    yield from _workloads(model, labels)


def _edges(model: Model, labels: Mapping[str, _Ends]) -> Iterator[tuple[_Fact, Iterable[_Ends]]]:
    """Yield a fact for what one service may do with another, with the versions for which it goes."""
    for item in model.get("edges", ()):
        ends = (item["source"], item["destination"])
        services = " -> ".join(labels.get(end, (end, ""))[0] for end in ends)
        what = f" {item['method']} {item['path']}" if item.get("method") else f":{item['port']}"
        how = "" if item["authentication"] == "mesh" else f" (authentication: {item['authentication']})"
        yield _Fact("edge", f"{{0}} -> {{1}}{what}{how}", services=services), [ends]


def _workloads(model: Model, labels: Mapping[str, _Ends]) -> Iterator[tuple[_Fact, Iterable[_Ends]]]:
    none = ("", "")
    for item in model.get("workloads", ()):
        name = _full(item["id"], labels)
        yield _Fact("workload", f"workload {name} as {item['principal']}"), [none]
        if not item["sidecar"]:
            yield _Fact("workload", f"workload {name} without a sidecar", (item["id"],)), [none]
    for item in model.get("infrastructure", ()):
        ports = ", ".join(map(str, item["ports"]))
        for source in item["sources"]:
            text = f"{_full(source, labels)} -> {item['name']}:{ports}"
            yield _Fact("infrastructure", text, (source,)), [none]
        for address in item.get("addresses", ()):
            yield _Fact("infrastructure", f"{item['name']} at {address}"), [none]
