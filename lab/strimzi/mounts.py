"""The paths of files in a container of the lab's Kafka pods."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

CONFIGURATION: Final = PurePosixPath("/opt/kafka/custom-config")
"""The node's ConfigMap: SERVER_FILE, CLUSTER_ID_FILE and METADATA_VERSION_FILE."""
SERVER_FILE: Final = "server.config"
CLUSTER_ID_FILE: Final = "cluster.id"
METADATA_VERSION_FILE: Final = "metadata.version"

INIT: Final = PurePosixPath("/opt/kafka/init")
"""Where kafka-init leaves RACK_FILE, the node's rack."""
RACK_FILE: Final = "rack.id"

SERVICE_ACCOUNT: Final = PurePosixPath("/var/run/secrets/kubernetes.io/serviceaccount")
"""What a process needs to talk to the Kubernetes API."""

ENTITY_OPERATORS: Final = ("entity-topic-operator", "entity-user-operator")


def data(volume: int | None) -> PurePosixPath:
    """Where a volume is mounted; ``volume`` is its id when there are several."""
    return PurePosixPath("/var/lib/kafka", "data" if volume is None else f"data-{volume}")


def log(node: int) -> str:
    """Folder of a node's own below a volume."""
    return f"kafka-log{node}"
