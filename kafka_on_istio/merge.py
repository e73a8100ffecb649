"""The deep merge of settings, Helm values and manifests."""

from collections.abc import Mapping
from typing import Any


def merge(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge one tree of values over another, as Helm does with several values files: lists are replaced."""
    result = dict(values)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result
