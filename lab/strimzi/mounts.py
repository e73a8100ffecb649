"""Where a container of the lab's Kafka pods finds its files, for those who write the Pods and those who run in them."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

CONFIGURATION: Final = PurePosixPath("/opt/kafka/custom-config")
"""The node's ConfigMap: SERVER_FILE and CLUSTER_ID_FILE."""
SERVER_FILE: Final = "server.config"
CLUSTER_ID_FILE: Final = "cluster.id"

CERTIFICATE: Final = PurePosixPath("/opt/kafka/node-certs")
"""A node's certificate and key, or an operator's."""
CERTIFICATE_FILE: Final = "tls.crt"
KEY_FILE: Final = "tls.key"

AUTHORITY: Final = PurePosixPath("/opt/kafka/cluster-ca-certs")
"""The certificate of the cluster's authority."""
AUTHORITY_FILE: Final = "ca.crt"

LOG: Final = "kafka-log"
"""Folder of Kafka's own below a volume."""

ENTITY_OPERATORS: Final = ("entity-topic-operator", "entity-user-operator")


def data(volume: int | None) -> PurePosixPath:
    """Where a volume is mounted; ``volume`` is its id when there are several."""
    return PurePosixPath("/var/lib/kafka", "data" if volume is None else f"data-{volume}")
