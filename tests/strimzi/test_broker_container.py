"""What a broker's container reads, prepares, runs and tells."""

from __future__ import annotations

import http.client
import json
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from lab.certificates import Pair
from lab.errors import LabError
from lab.ports import free_ports
from lab.strimzi import agent, broker_container, mounts, pods, secret_manifests
from lab.strimzi.agent import BrokerState, Health
from lab.strimzi.certificates import authority, issue
from lab.strimzi.cluster import cluster
from tests.strimzi import resources

pytestmark = pytest.mark.unit


def mounted(folder: Path, data: Path) -> broker_container.Node:
    """Return what the container of a one-node cluster reads, with its storage in ``data``."""
    one = cluster(resources.kafka(), [resources.pool(jvmOptions={"-Xmx": "300m"})], "cluster.local")
    for name, content in pods.config_map(one, one.nodes[0])["data"].items():
        (folder / name).write_text(content.replace("/var/lib/kafka/data", str(data)))
    heap = next(
        it["value"]
        for it in pods.pod(one, one.nodes[0], secret_manifests.certificates(one, {}))["spec"]["containers"][0]["env"]
        if it["name"] == "KAFKA_HEAP_OPTS"
    )
    return broker_container.read(folder, {"KAFKA_VERSION": "4.3.1", "KAFKA_HEAP_OPTS": heap})


def test_the_container_reads_what_the_operator_wrote(tmp_path: Path) -> None:
    node = mounted(tmp_path, tmp_path / "data")
    assert (node.node_id, node.is_broker, node.heap) == (0, True, ("-Xmx300m",))
    assert node.log_folders == (tmp_path / "data" / "kafka-log0",)
    command = broker_container.command(node, tmp_path)
    assert command[-1] == str(tmp_path / mounts.SERVER_FILE)
    assert command.index("-Xmx300m") > command.index("-Xmx512m")


@pytest.mark.parametrize(
    ("variables", "message"),
    [({}, "KAFKA_VERSION is not set"), ({"KAFKA_VERSION": "4.3.1"}, "mount the node's ConfigMap there")],
)
def test_what_is_missing_is_named(tmp_path: Path, variables: dict[str, str], message: str) -> None:
    with pytest.raises(LabError) as missing:
        broker_container.read(tmp_path, variables)
    assert message in str(missing.value)


def test_empty_storage_is_formatted_once_and_that_of_another_cluster_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bootstrap.checkpoint").write_bytes(b"checkpoint")
    node = mounted(tmp_path, tmp_path / "data")
    broker_container.prepare(node, tmp_path)
    properties = node.log_folders[0] / "meta.properties"
    assert f"cluster.id={node.cluster_id}" in properties.read_text()
    written = properties.stat().st_mtime_ns
    broker_container.prepare(node, tmp_path)
    assert properties.stat().st_mtime_ns == written
    properties.write_text("version=1\ncluster.id=other\nnode.id=0\n")
    with pytest.raises(LabError, match="was formatted for cluster other"):
        broker_container.prepare(node, tmp_path)


LIFECYCLE = "INFO org.apache.kafka.server.BrokerLifecycleManager - [BrokerLifecycleManager id=0] "
LINES = (
    (f"{LIFECYCLE}The broker has caught up. Transitioning from STARTING to RECOVERY.", BrokerState.RECOVERY),
    (f"{LIFECYCLE}The broker is in RECOVERY.", BrokerState.RECOVERY),
    (f"{LIFECYCLE}The broker has been unfenced. Transitioning from RECOVERY to RUNNING.", BrokerState.RUNNING),
    ("INFO kafka.server.KafkaRaftServer - [KafkaRaftServer nodeId=0] Kafka Server started", BrokerState.RUNNING),
)


def test_a_broker_is_ready_when_it_takes_part_and_a_controller_when_it_has_started() -> None:
    broker, controller = Health(is_broker=True), Health(is_broker=False)
    ready = []
    for line, state in LINES:
        broker.learn(line)
        controller.learn(line)
        assert broker.state is state
        ready.append((broker.is_ready, controller.is_ready))
    assert ready == [(False, False), (False, False), (True, False), (True, True)]


def test_the_agent_tells_probes_all_and_others_only_by_certificate(tmp_path: Path) -> None:
    own, other = authority("own", 1), authority("other", 1)
    context = agent.server_context(issue(own, "log-kafka", ["localhost"], 1), own.certificate)
    (tmp_path / "ca").write_bytes(own.certificate)
    health = Health(is_broker=True)
    first = free_ports()
    servers = [agent.probes(health, first, "127.0.0.1"), agent.secured(health, first + 1, context, "127.0.0.1")]

    def status(path: str) -> int:
        connection = http.client.HTTPConnection("localhost", first, timeout=5)
        connection.request("GET", path)
        answer = connection.getresponse().status
        connection.close()
        return answer

    def state(by: Pair) -> object:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca"))
        (tmp_path / "client").write_bytes(by.certificate + by.key)
        context.load_cert_chain(tmp_path / "client")
        connection = http.client.HTTPSConnection("localhost", first + 1, timeout=5, context=context)
        try:
            connection.request("GET", "/v1/broker-state/")
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    try:
        assert status("/v1/ready") == 503
        health.state = BrokerState.RUNNING
        assert (status("/v1/ready/"), status("/v1/broker-state"), status("/")) == (204, 200, 404)
        assert state(issue(own, "cluster-operator", [], 1)) == {"brokerState": 3}
        with pytest.raises((ssl.SSLError, ConnectionError)):
            state(issue(other, "cluster-operator", [], 1))
    finally:
        for each in servers:
            each.shutdown()
            each.server_close()


def test_the_log_is_passed_on_and_a_signal_to_stop_is_handed_down() -> None:
    child = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print('a line of the log', flush=True)\n"
        "time.sleep(60)\n"
    )
    supervisor = (
        "import sys\nfrom lab.strimzi import broker_container\nfrom lab.strimzi.agent import Health\n"
        f"sys.exit(broker_container.supervise([sys.executable, '-c', {child!r}], Health(True)))"
    )
    with subprocess.Popen([sys.executable, "-c", supervisor], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"a line of the log\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 7
