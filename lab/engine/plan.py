"""What is to be done with a resource, and in which order resources are deleted. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from lab.engine.state import Resource
from lab.engine.values import Properties

_SEGMENT = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|([^.\[\]]+)')


class Step(str, Enum):
    """What a run does with a resource; the words are the real CLI's."""

    SAME = "same"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    DELETE_REPLACED = "delete-replaced"
    READ = "read"


def parse_path(path: str) -> list[str | int]:
    """Split a property path such as ``spec.containers[0]["a.b"]`` into keys, indexes and ``*``."""
    parts: list[str | int] = []
    for quoted, index, key in _SEGMENT.findall(path):
        if quoted:
            parts.append(quoted.replace('\\"', '"'))
        elif index:
            parts.append("*" if index == "*" else int(index))
        else:
            parts.append(key)
    return parts


def path_matches(pattern: str, path: str) -> bool:
    """Tell whether a path of ``ignoreChanges`` or ``replaceOnChanges`` covers a changed path."""
    wanted, actual = parse_path(pattern), parse_path(path)
    shared = zip(wanted, actual, strict=False)
    return all(want in ("*", have) for want, have in shared) and bool(wanted)


def ignore_changes(patterns: Iterable[str], old: Properties, new: Properties) -> Properties:
    """Return ``new`` with what the patterns cover taken from ``old``."""
    result = new
    for pattern in patterns:
        result = _take(parse_path(pattern), old, result)
    return result


_ABSENT = object()


def _take(path: list[str | int], old: Any, new: Any) -> Any:
    if not path:
        return old
    head, rest = path[0], path[1:]
    if head == "*":
        if isinstance(new, list) or isinstance(old, list):
            heads: list[Any] = list(range(len(new if isinstance(new, list) else old)))
        else:
            heads = sorted({*(old if isinstance(old, dict) else ()), *(new if isinstance(new, dict) else ())})
    else:
        heads = [head]
    for key in heads:
        before = _child(old, key)
        after = _child(new, key)
        taken = _take(rest, before, after) if rest else before
        new = _with_child(new, key, taken) if taken is not after else new
    return new


def _child(value: Any, key: Any) -> Any:
    if isinstance(value, dict):
        return value.get(key, _ABSENT)
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return _ABSENT


def _with_child(value: Any, key: Any, child: Any) -> Any:
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value if child is _ABSENT else [*value[:key], child, *value[key + 1 :]]
    if not isinstance(value, dict) and value is not _ABSENT:
        return value
    result = dict(value) if isinstance(value, dict) else {}
    if child is _ABSENT:
        result.pop(key, None)
    else:
        result[key] = child
    return result


def changed_paths(old: Any, new: Any, prefix: str = "") -> list[str]:
    """Return the paths of the leaves that differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in [*old, *(key for key in new if key not in old)]:
            segment = f'["{key}"]' if not re.fullmatch(r"[\w-]+", key) else f".{key}" if prefix else key
            found += changed_paths(old.get(key, _ABSENT), new.get(key, _ABSENT), prefix + segment)
        return found
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            path
            for index, (before, after) in enumerate(zip(old, new, strict=True))
            for path in changed_paths(before, after, f"{prefix}[{index}]")
        ]
    return [] if old is new or old == new else [prefix]


def descendants(resources: Iterable[Resource]) -> dict[str, set[str]]:
    """Return for each component's URN the URNs of all resources below it."""
    items = {item.urn: item for item in resources}
    below: dict[str, set[str]] = {}
    for item in items.values():
        parent = item.parent
        while parent in items:
            below.setdefault(parent, set()).add(item.urn)
            parent = items[parent].parent
    return below


def deletion_order(resources: Iterable[Resource]) -> dict[int, set[int]]:
    """Return for each resource (by ``id()``) which others must be deleted before it.

    Whoever needs a resource goes before it, children before parents. To depend on a component is to depend on all
    that is in it; Pulumi's SDK says so itself for components that the program builds, but not for remote ones
    such as charts.
    """
    items = list(resources)
    by_urn: dict[str, list[Resource]] = {}
    for item in items:
        by_urn.setdefault(item.urn, []).append(item)
    below = descendants(items)
    before: dict[int, set[int]] = {id(item): set() for item in items}
    for item in items:
        own = below.get(item.urn, set())
        needed = set(item.edges())
        for urn in item.needs():
            needed |= below.get(urn, set())
        for urn in needed - own - {item.urn}:
            for target in by_urn.get(urn, ()):
                before[id(target)].add(id(item))
    return before


def dependents(resources: Mapping[str, Resource], urn: str) -> list[Resource]:
    """Return whatever needs the resource, directly or not, the furthest first."""
    below = descendants(resources.values())
    found: dict[str, Resource] = {}

    def visit(target: str) -> None:
        for item in resources.values():
            needed = set(item.needs())
            reached = target in needed or item.parent == target or any(target in below.get(need, ()) for need in needed)
            if item.urn not in found and item.urn != urn and reached:
                found[item.urn] = item
                visit(item.urn)

    visit(urn)
    return list(reversed(found.values()))
