"""The resource graph of a program, with its outputs and messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from harness import urn as urns
from harness.values import Properties


@dataclass(frozen=True)
class Resource:
    """A resource as the program registered it, after its transforms.

    ``custom`` tells a provider's resource from a component; ``remote`` is a component that its package makes, such as a
    Helm chart, so that what is in it is not known; ``external`` was read and not made. ``inputs`` and ``outputs`` hold
    ``values.Secret`` where a value is secret and ``values.UNKNOWN`` where only an update brings it. ``provider`` is the
    URN of an explicit provider, empty for the default one. ``custom_timeouts`` are seconds by operation. ``protect``,
    ``retain_on_delete`` and ``deleted_with`` are as inherited from the parent.
    """

    urn: str
    type: str
    custom: bool = True
    remote: bool = False
    external: bool = False
    id: str = ""
    parent: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    provider: str = ""
    version: str = ""
    aliases: tuple[str, ...] = ()
    import_id: str = ""
    protect: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    delete_before_replace: bool | None = None
    additional_secret_outputs: tuple[str, ...] = ()
    custom_timeouts: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name in the program."""
        return urns.name_of(self.urn)

    @property
    def title(self) -> str:
        """Type and name, as in ``kubernetes:apps/v1:Deployment web``."""
        return f"{self.type} {self.name}"

    def needs(self) -> Iterator[str]:
        """Yield the URNs of its dependencies."""
        yield from self.dependencies
        for found in self.property_dependencies.values():
            yield from found


@dataclass(frozen=True)
class Graph:
    """The resources of a stack, sorted by URN, its outputs, and its messages: (severity, text)."""

    resources: tuple[Resource, ...]
    outputs: Properties = field(default_factory=dict)
    messages: tuple[tuple[str, str], ...] = ()

    def all(self, type_token: str) -> list[Resource]:
        """Return the resources of a type."""
        return [item for item in self.resources if item.type == type_token]

    def one(self, type_token: str, name: str | None = None) -> Resource:
        """Return the one resource of a type, or the one of that type and name.

        :raises AssertionError: if there is none, or more than one, with those that exist.
        """
        found = [item for item in self.all(type_token) if name in (None, item.name)]
        if len(found) != 1:
            there = ", ".join(sorted(item.name for item in self.all(type_token))) or "none"
            raise AssertionError(f"{len(found)} resources {type_token} {name or ''}; of that type there are: {there}")
        return found[0]

    def children(self, parent: Resource) -> list[Resource]:
        """Return the resources directly below another."""
        return [item for item in self.resources if item.parent == parent.urn]

    def below(self, parent: Resource) -> list[Resource]:
        """Return the resources below another at any depth."""
        found = descendants(self.resources).get(parent.urn, set())
        return [item for item in self.resources if item.urn in found]

    def depends(self, later: Resource, earlier: Resource) -> bool:
        """Tell whether ``later`` is created after, and deleted before, ``earlier``, directly or through others.

        A component's children wait for the component's dependencies.
        """
        known = {item.urn: item for item in self.resources}
        below = descendants(self.resources)
        seen: set[str] = set()
        waiting = [later.urn]
        while waiting:
            urn = waiting.pop()
            if urn == earlier.urn:
                return True
            if urn in seen or urn not in known:
                continue
            seen.add(urn)
            needed = set(known[urn].needs())
            waiting += [*needed, *(child for need in needed for child in below.get(need, ()))]
            waiting.append(known[urn].parent)
        return False


EMPTY: Final = Graph(())
"""The graph of a stack that holds nothing."""


def descendants(resources: Iterable[Resource]) -> dict[str, set[str]]:
    """Return the URNs of all descendants of each parent, by URN."""
    items = {item.urn: item for item in resources}
    below: dict[str, set[str]] = {}
    for item in items.values():
        parent = item.parent
        while parent in items:
            below.setdefault(parent, set()).add(item.urn)
            parent = items[parent].parent
    return below
