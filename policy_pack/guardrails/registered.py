"""A resource as a rule sees it, and how to look into its properties.

Properties may be the policy SDK's proxies, which raise its ``UnknownValueError`` where a value is read that a preview
does not know. So nothing here reads more than is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_KUBERNETES = "kubernetes:"
_CHART = "kubernetes:helm.sh/"


@dataclass(frozen=True)
class Resource:
    """A resource of a stack.

    ``type`` is Pulumi's token, such as ``kubernetes:apps/v1:Deployment``. ``properties`` are its inputs before it is
    made, its outputs when the stack as a whole is judged; the two agree in all that a rule reads.
    """

    type: str
    urn: str
    properties: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Group and kind, such as ``apps/Deployment`` or ``core/Service``; empty for what is not of Kubernetes."""
        if not self.type.startswith(_KUBERNETES) or self.type.count(":") != 2:  # noqa: PLR2004 package, module, name
            return ""
        _, api_version, kind = self.type.split(":")
        return f"{api_version.partition('/')[0]}/{kind}"

    @property
    def name(self) -> str:
        """Name of the Kubernetes object, or the resource's own where it has none."""
        return str(at(self.properties, "metadata", "name") or self.urn.rpartition("::")[2])

    @property
    def namespace(self) -> str:
        """Namespace of the Kubernetes object, ``default`` where none is named."""
        return str(at(self.properties, "metadata", "namespace") or "default")

    @property
    def from_chart(self) -> bool:
        """Whether a Helm chart made it: its publisher answers for it, and a chart's values are where it is changed."""
        types = self.urn.split("::")[2]
        return any(token.startswith(_CHART) for token in types.split("$")[:-1])


def at(value: Any, *path: str) -> Any:
    """Return what lies at a path of keys, or None where it ends early."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def each(value: Any, *path: str) -> Iterator[Any]:
    """Return the items of the list at a path of keys; none where there is no list."""
    found = at(value, *path)
    if isinstance(found, Sequence) and not isinstance(found, str):
        yield from found


def of_kind(resources: Sequence[Resource], *kinds: str) -> Iterator[Resource]:
    """Return the resources of some kinds, given as ``Resource.kind`` is."""
    return (resource for resource in resources if resource.kind in kinds)
