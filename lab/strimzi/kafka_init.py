"""The init container of a broker's Pod: looks up the rack of its Kubernetes node.

As Strimzi's kafka-init, it reads a label of the node and leaves its value in a file for Kafka.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
from lightkube import ApiError

from lab.errors import LabError
from lab.strimzi import mounts
from lab.strimzi.kubernetes import Kubernetes


def rack(node: Mapping[str, Any] | None, name: str, label: str) -> str:
    """Return a node's rack.

    :raises LabError: if there is no such node, or it has no such label.
    """
    value = ((node or {}).get("metadata", {}).get("labels") or {}).get(label)
    if not value:
        message = f"Kubernetes node {name} has no label {label}; spec.kafka.rack needs it on every node"
        raise LabError(message)
    return str(value)


def main(variables: Mapping[str, str]) -> None:
    """Write the rack into the file that Kafka reads.

    :raises LabError: if it cannot be found out.
    """
    name, label = variables["NODE_NAME"], variables["RACK_TOPOLOGY_KEY"]
    try:
        found = Kubernetes("strimzi-kafka-init").get("Node", name, None)
    except (ApiError, httpx2.HTTPError) as error:
        message = f"Kubernetes node {name} cannot be read: {error or type(error).__name__}"
        raise LabError(message) from error
    (Path(mounts.INIT) / mounts.RACK_FILE).write_text(rack(found, name, label), encoding="utf-8")
