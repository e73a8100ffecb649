"""Which namespaces a stack answers for."""

from __future__ import annotations

from collections.abc import Sequence

from guardrails.pod import WORKLOADS
from guardrails.registered import Resource, of_kind


def of_application(resources: Sequence[Resource]) -> set[str]:
    """Namespaces in which the program itself, not a chart, runs pods or a Kafka cluster."""
    return {
        resource.namespace
        for resource in of_kind(resources, *WORKLOADS, "kafka.strimzi.io/Kafka")
        if not resource.from_chart
    }


def of_mesh(resources: Sequence[Resource]) -> set[str]:
    """Namespaces that the program makes or runs something in: all of them belong to the mesh."""
    return {item.name for item in of_kind(resources, "core/Namespace")} | of_application(resources)
