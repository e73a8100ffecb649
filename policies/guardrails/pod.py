"""Where a Kubernetes object keeps its pods and containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from guardrails.resource import Resource, at, each

_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "core/Pod": (),
    "apps/Deployment": ("spec", "template"),
    "apps/StatefulSet": ("spec", "template"),
    "apps/DaemonSet": ("spec", "template"),
    "apps/ReplicaSet": ("spec", "template"),
    "batch/Job": ("spec", "template"),
    "batch/CronJob": ("spec", "jobTemplate", "spec", "template"),
}

WORKLOADS = tuple(_TEMPLATES)
"""Kinds that run pods, as ``Resource.kind`` names them."""

PASSING = ("batch/Job", "batch/CronJob")
"""Kinds whose pods are to end by themselves."""


def template(resource: Resource) -> Any:
    """Return the ``{metadata, spec}`` of a workload's pods, or None for what runs none."""
    path = _TEMPLATES.get(resource.kind)
    return None if path is None else at(resource.properties, *path)


def containers(resource: Resource, *, initial: bool = True) -> Iterator[Any]:
    """Return a workload's containers, the init containers among them unless ``initial`` is false."""
    spec = at(template(resource), "spec")
    yield from each(spec, "containers")
    if initial:
        yield from each(spec, "initContainers")
