"""Kubernetes objects as plain dictionaries, and common queries on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Manifest = Mapping[str, Any]
"""An object as its JSON has it: ``{metadata, spec, status}``."""


def key(manifest: Manifest) -> str:
    """Return ``namespace/name``, or the name alone of what has no namespace."""
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])


def labels(manifest: Manifest) -> Mapping[str, str]:
    """Return an object's labels."""
    return manifest["metadata"].get("labels") or {}


def containers(pod: Manifest) -> list[Manifest]:
    """Return a pod's containers of all kinds: init containers first, ephemeral ones last."""
    spec = pod["spec"]
    return [
        *(spec.get("initContainers") or []),
        *spec["containers"],
        *(spec.get("ephemeralContainers") or []),
    ]


def is_sidecar(container: Manifest) -> bool:
    """Tell whether an init container goes on beside those after it."""
    return container.get("restartPolicy") == "Always"


def container_port(container: Manifest, port: int | str) -> int | None:
    """Return the number of a container's port, which may be given by name; None if it has none of that name."""
    if isinstance(port, int):
        return port
    if port.isdigit():
        return int(port)
    return next((item["containerPort"] for item in container.get("ports") or [] if item.get("name") == port), None)


def is_true(manifest: Manifest, condition: str) -> bool:
    """Tell whether a condition of the object's status is true."""
    conditions = (manifest.get("status") or {}).get("conditions") or []
    return any(item["type"] == condition and item["status"] == "True" for item in conditions)


def selects(selector: Manifest | None, of: Mapping[str, str]) -> bool:
    """Tell whether a LabelSelector, of which an empty one selects all and a missing one nothing, selects labels."""
    if selector is None:
        return False
    exact = selector.get("matchLabels") or {}
    if any(of.get(name) != value for name, value in exact.items()):
        return False
    return all(_matches(term, of) for term in selector.get("matchExpressions") or [])


def _matches(term: Manifest, of: Mapping[str, str]) -> bool:
    name, operator, values = term["key"], term["operator"], term.get("values") or []
    match operator:
        case "In":
            return of.get(name) in values
        case "NotIn":
            return of.get(name) not in values
        case "Exists":
            return name in of
        case _:
            return name not in of
