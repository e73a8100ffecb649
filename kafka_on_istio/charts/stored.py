"""Objects as the API server stores them."""

from collections.abc import Mapping
from typing import Any


def stored(thing: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object of a chart without what the API server drops, which every later preview would add again.

    That is an empty ``properties`` in the schema of a CustomResourceDefinition. Other fields that it normalises
    (quantities, null, empty annotations) make no difference to pulumi-kubernetes.
    """
    if thing.get("kind") != "CustomResourceDefinition":
        return dict(thing)
    return {**thing, "spec": _without_empty_properties(thing["spec"])}


def _without_empty_properties(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: item for key, item in value.items() if key != "properties" or item}
        return {key: _without_empty_properties(item) for key, item in kept.items()}
    if isinstance(value, list):
        return [_without_empty_properties(item) for item in value]
    return value
