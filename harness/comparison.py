"""The changes that an update makes to turn the resources of one graph into those of another. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from harness import kubernetes
from harness.graph import Graph, Resource, descendants
from harness.urn import is_provider, make, name_of, package_of
from harness.values import Properties, alike, reveal

_SEGMENT: Final = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|([^.\[\]]+)')
_ABSENT: Final = object()

_Pair = tuple[Resource | None, Resource]


class Step(str, Enum):
    """What an update does with a resource; the words are the Pulumi CLI's."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


@dataclass(frozen=True)
class Change:
    """The change of one resource. ``replacing`` are the properties that cannot change in place."""

    step: Step
    before: Resource | None
    after: Resource | None
    replacing: tuple[str, ...] = ()

    @property
    def resource(self) -> Resource:
        """The resource as it would be, or was."""
        found = self.after or self.before
        assert found is not None
        return found


def compare(before: Graph, after: Graph) -> tuple[Change, ...]:
    """Return the changes by URN, without unchanged resources.

    A resource is the one of before that has its URN or one of its aliases. What is inside a remote component is left
    out, for a graph does not know it, and so is what is only read. A generated name or password is taken to stay, as it
    does in a state, unless what has it is replaced. Which properties force a replacement is known of Kubernetes
    objects and of the package ``random``; of others it is what ``replace_on_changes`` says.
    """
    olds, news = made(before), made(after)
    pairs = _paired(olds, news)
    kept = dict(_kept_passwords(pairs))
    pairs = [(old, replace(new, inputs=kubernetes.renamed(new.inputs, kept))) for old, new in pairs]
    kept = dict(_kept_names(pairs))
    changes = []
    for old, new in pairs:
        if old is None:
            changes.append(Change(Step.CREATE, None, new))
        elif change := _change(old, replace(new, inputs=kubernetes.renamed(new.inputs, kept))):
            changes.append(change)
    matched = {old.urn for old, _ in pairs if old}
    changes += [Change(Step.DELETE, item, None) for urn, item in olds.items() if urn not in matched]
    return tuple(sorted(changes, key=lambda change: change.resource.urn))


def steps(changes: Iterable[Change]) -> dict[str, Step]:
    """Return the steps, by type and name."""
    return {change.resource.title: change.step for change in changes}


def made(graph: Graph) -> dict[str, Resource]:
    """Return the program's own resources, by URN, without children of remote components and resources that are read."""
    below = descendants(graph.resources)
    inside = {urn for item in graph.resources if is_opaque(item) for urn in below.get(item.urn, ())}
    return {
        item.urn: item
        for item in graph.resources
        if item.urn not in inside and not item.external and not is_provider(item.type)
    }


def is_opaque(item: Resource) -> bool:
    """Tell whether a resource is a remote component; a state does not say so, but a package's component is one."""
    return item.remote or item.type.startswith(("kubernetes:helm.sh/v4:", "kubernetes:yaml/v2:"))


def _paired(olds: Mapping[str, Resource], news: Mapping[str, Resource]) -> list[_Pair]:
    """Return each current resource with the previous one that has its URN or one of its aliases."""
    earlier: dict[str, str] = {}

    def find(item: Resource) -> Resource | None:
        if item.urn in olds:
            return olds[item.urn]
        candidates = list(item.aliases)
        parent = earlier.get(item.parent)
        if parent:
            # What is in a component that was renamed was named after it.
            name, now = item.name, name_of(item.parent)
            name = name_of(parent) + name.removeprefix(now) if name.startswith(now) else name
            stack, project = item.urn.split("::")[:2]
            candidates.append(make(stack.rpartition(":")[2], project, parent, item.type, name))
        found = next((olds[alias] for alias in candidates if alias in olds and alias not in news), None)
        if found:
            earlier[item.urn] = found.urn
        return found

    # Parents before what is in them.
    return [(find(item), item) for item in sorted(news.values(), key=lambda item: item.urn.count("$"))]


def _kept_passwords(pairs: Iterable[_Pair]) -> Iterator[tuple[str, str]]:
    """Yield the passwords that are kept, with their previous values."""
    for old, new in pairs:
        if old and package_of(new.type) == "random" and not _replacing(old, new):
            for key in new.outputs.keys() & old.outputs.keys():
                now, then = reveal(new.outputs[key]), reveal(old.outputs[key])
                if isinstance(now, str) and isinstance(then, str) and now != then:
                    yield now, then


def _kept_names(pairs: Iterable[_Pair]) -> Iterator[tuple[str, str]]:
    """Yield the generated names of objects that are not replaced, with their previous names."""
    for old, new in pairs:
        if old and not _replacing(old, new):
            now, then = kubernetes.generated_name(new.inputs), kubernetes.generated_name(old.inputs)
            if now and then:
                yield now, then


def _change(old: Resource, new: Resource) -> Change | None:
    inputs = new.inputs
    for pattern in new.ignore_changes:
        inputs = _take(_parsed(pattern), old.inputs, inputs)
    new = replace(new, inputs=inputs)
    if not new.custom:
        return None if alike(old.inputs, new.inputs) else Change(Step.UPDATE, old, new)
    replacing = tuple(_replacing(old, new))
    if replacing:
        return Change(Step.REPLACE, old, new, replacing)
    return None if alike(old.inputs, new.inputs) else Change(Step.UPDATE, old, new)


def _replacing(old: Resource, new: Resource) -> list[str]:
    """Return the properties that have changed and cannot change in place."""
    found: list[str] = []
    if package_of(new.type) == "kubernetes":
        found += kubernetes.replacing(new.type, old.inputs, new.inputs)
    elif package_of(new.type) == "random":
        every = sorted({*old.inputs, *new.inputs})
        found += [key for key in every if not alike(old.inputs.get(key), new.inputs.get(key))]
    patterns = [_parsed(pattern) for pattern in new.replace_on_changes]
    if patterns:
        found += [
            _path(changed)
            for changed in _changed(old.inputs, new.inputs)
            if any(_covers(pattern, changed) for pattern in patterns)
        ]
    if old.provider and new.provider and old.provider != new.provider and "::default" not in old.provider:
        found.append("provider")
    return found


def _parsed(path: str) -> list[str | int]:
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


def _path(parts: Iterable[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")


def _covers(pattern: list[str | int], path: tuple[str | int, ...]) -> bool:
    return bool(pattern) and all(want in ("*", have) for want, have in zip(pattern, path, strict=False))


def _changed(old: Any, new: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _changed(old.get(key, _ABSENT), new.get(key, _ABSENT), (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _changed(before, after, (*path, index))
    elif not alike(old, new):
        yield path


def _take(path: list[str | int], old: Any, new: Any) -> Any:
    """Return ``new`` with the values of ``old`` at a path, or at all places that it matches."""
    if not path:
        return old
    heads: list[Any] = [path[0]]
    if path[0] == "*" and isinstance(new, list):
        heads = list(range(len(new)))
    elif path[0] == "*":
        heads = sorted({*(old if isinstance(old, dict) else ()), *(new if isinstance(new, dict) else ())})
    for key in heads:
        before, after = _child(old, key), _child(new, key)
        taken = _take(path[1:], before, after)
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
    result: Properties = dict(value) if isinstance(value, dict) else {}
    if child is _ABSENT:
        result.pop(key, None)
    else:
        result[key] = child
    return result
