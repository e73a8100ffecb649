"""The entry point of a broker's container: formats empty storage, runs Kafka, reports its health.

Kafka reads certificates from Secrets by itself. So does this process, which stands for Strimzi's kafka-agent; while it
cannot, its log says why.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import httpx2
from lightkube import ApiError, ConfigError

from lab.certificates import Pair
from lab.errors import LabError
from lab.kafka.distribution import distribution, format_storage, java, jvm_options
from lab.strimzi import agent, mounts, names
from lab.strimzi.kubernetes import Kubernetes
from lab.strimzi.secret_manifests import decoded

_LOGGED: Final = (
    "kafka.server.KafkaRaftServer",
    "kafka.server.BrokerLifecycleManager",
    "org.apache.kafka.server.BrokerLifecycleManager",
)
"""Classes of Kafka whose lines say how far it is; of others, warnings do."""

_SECRET: Final = re.compile(r"\$\{strimzisecrets:(?P<namespace>[^/]+)/(?P<name>[^:]+):(?P<key>[^}]+)\}")
_RETRY: Final = 5.0
"""Seconds until Secrets are asked for again that could not be read."""

_CLUSTER_ID: Final = re.compile(r"^cluster\.id=(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Node:
    """What a node's ConfigMap and its container's environment say."""

    version: str
    heap: tuple[str, ...]
    settings: Path
    log_folders: tuple[Path, ...]
    node_id: int
    is_broker: bool
    cluster_id: str
    certificate: str
    key: str
    trusted: str
    """References to values of Secrets, as Kafka's own settings have them."""


def read(configuration: Path, environment: Mapping[str, str]) -> Node:
    """Read what there is to run.

    :param configuration: the folder in which the node's ConfigMap is mounted.
    :raises LabError: naming what is not there.
    """
    version = environment.get("KAFKA_VERSION")
    if not version:
        raise LabError("KAFKA_VERSION is not set; it must be a release of Kafka, such as 4.3.1")
    try:
        texts = {
            name: (configuration / name).read_text(encoding="utf-8").strip()
            for name in (mounts.SERVER_FILE, mounts.CLUSTER_ID_FILE)
        }
    except OSError as error:
        message = f"{error.filename}: {error.strerror}; mount the node's ConfigMap there"
        raise LabError(message) from error
    settings = dict(line.partition("=")[::2] for line in texts[mounts.SERVER_FILE].splitlines())

    def of_tls(end: str) -> str:
        return next(value for name, value in settings.items() if name.endswith(f".ssl.{end}"))

    return Node(
        version=version,
        heap=tuple(shlex.split(environment.get("KAFKA_HEAP_OPTS", ""))),
        settings=configuration / mounts.SERVER_FILE,
        log_folders=tuple(map(Path, settings["log.dirs"].split(","))),
        node_id=int(settings["node.id"]),
        is_broker="broker" in settings["process.roles"],
        cluster_id=texts[mounts.CLUSTER_ID_FILE],
        certificate=of_tls("keystore.certificate.chain"),
        key=of_tls("keystore.key"),
        trusted=of_tls("truststore.certificates"),
    )


def prepare(node: Node, folder: Path) -> None:
    """Format the node's storage unless it is.

    :param folder: the distribution.
    :raises LabError: if it belongs to another cluster.
    """
    for data in node.log_folders:
        try:
            found = _CLUSTER_ID.search((data / "meta.properties").read_text(encoding="ascii"))
        except FileNotFoundError:
            format_storage(folder, data, node.cluster_id, node.node_id)
            continue
        if found is None or found[1] != node.cluster_id:
            message = f"{data} was formatted for cluster {found and found[1]}, and this is {node.cluster_id}; empty it"
            raise LabError(message)


def command(node: Node, folder: Path) -> list[str]:
    """Return the command line of the node."""
    logged = [f"-Dorg.slf4j.simpleLogger.log.{name}=info" for name in _LOGGED]
    options = [*jvm_options(folder), *node.heap, *logged]
    # Java ends with this process, however that ends.
    tether = ["setpriv", "--pdeathsig", "KILL"]
    return [*tether, str(java()), *options, "kafka.Kafka", str(node.settings)]


def supervise(words: list[str], health: agent.Health) -> int:
    """Run Kafka to its end, passing its log on, and return its exit code; a signal to stop is handed down."""
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/tmp") as process:  # noqa: S108, S603

        def stop(number: int, _: FrameType | None) -> None:
            health.state = agent.BrokerState.SHUTTING_DOWN
            process.send_signal(number)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            health.learn(line.decode(errors="replace"))
        return process.wait()


def secret(kubernetes: Kubernetes, reference: str) -> bytes:
    """Return what a reference such as ``${strimzisecrets:kafka/log-combined-0:log-combined-0.crt}`` stands for.

    :raises LabError: if there is no such Secret, or it has no such key.
    :raises ApiError: if the API server refuses.
    :raises httpx2.HTTPError: if it is not reached.
    """
    found = _SECRET.fullmatch(reference)
    assert found is not None, reference
    value = decoded(kubernetes.get("Secret", found["name"], found["namespace"]), found["key"])
    if value is None:
        message = f"Secret {found['namespace']}/{found['name']} with {found['key']} is not there"
        raise LabError(message)
    return value


def serve_agent(node: Node, health: agent.Health, kubernetes: Kubernetes) -> None:
    """Serve the health to the cluster operator, from when the certificates can be read."""
    while True:
        try:
            pair = Pair(secret(kubernetes, node.certificate), secret(kubernetes, node.key))
            agent.secured(health, names.AGENT_PORT, agent.server_context(pair, secret(kubernetes, node.trusted)))
        except (LabError, ApiError, httpx2.HTTPError, ConfigError, OSError, ValueError) as error:
            why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            sys.stderr.write(f"kafka-agent: certificates cannot be read through the Kubernetes API: {why}\n")
            sys.stderr.flush()
            time.sleep(_RETRY)
        else:
            return


def main() -> int:
    """Run the node that the container was given."""
    try:
        node = read(Path(mounts.CONFIGURATION), os.environ)
        try:
            folder = distribution(node.version)
        except OSError as error:
            message = f"Kafka {node.version} is not in the lab's cache, and a pod cannot download it ({error.strerror})"
            raise LabError(message) from error
        prepare(node, folder)
        health = agent.Health(node.is_broker)
        agent.probes(health, names.HEALTH_PORT)
    except (LabError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    arguments = (node, health, Kubernetes("strimzi-kafka-agent"))
    threading.Thread(target=serve_agent, args=arguments, daemon=True).start()
    return supervise(command(node, folder), health)


if __name__ == "__main__":
    sys.exit(main())
