"""Where a Kubernetes object keeps its pods and containers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from guardrails.registered import Resource, at, each

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

_OPERATED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "kafka.strimzi.io/Kafka": (
        ("kafka",),
        ("entityOperator",),
        ("entityOperator", "topicOperator"),
        ("entityOperator", "userOperator"),
        ("cruiseControl",),
        ("kafkaExporter",),
    ),
    "kafka.strimzi.io/KafkaNodePool": ((),),
    "kafka.strimzi.io/KafkaConnect": ((),),
    "kafka.strimzi.io/KafkaMirrorMaker2": ((),),
    "kafka.strimzi.io/KafkaBridge": ((),),
}
"""Where, below ``spec``, Strimzi's resources have images and templates of containers (Strimzi 1.2)."""

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


def operated_images(resource: Resource) -> Iterator[tuple[str, Any]]:
    """Return (part, image) of the pods that Strimzi is told to run by one of its resources."""
    for path in _OPERATED.get(resource.kind, ()):
        if image := at(resource.properties, "spec", *path, "image"):
            yield ".".join(("spec", *path)), image


def operated_containers(resource: Resource) -> Iterator[Any]:
    """Return what one of Strimzi's resources adds to the containers of the pods that Strimzi makes."""
    for path in _OPERATED.get(resource.kind, ()):
        templates = at(resource.properties, "spec", *path, "template")
        for name in templates if isinstance(templates, Mapping) else ():
            if name.endswith("Container"):
                yield at(templates, name)
