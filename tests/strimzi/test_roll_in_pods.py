"""Three brokers in Pods: another release and another setting roll through them while a client writes."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lab.binaries.build import build
from lab.charts.assemble import assemble
from lab.errors import LabError
from lab.lab import ROOT, Lab
from tests.strimzi import resources
from tests.strimzi.installed import Kubectl, eventually

pytestmark = pytest.mark.lab

CLIENT = """
import json, sys, threading, time
from confluent_kafka import Consumer, Producer, TopicPartition

tls = {
    "bootstrap.servers": "log-kafka-bootstrap:9091",
    "security.protocol": "SSL",
    **json.loads(sys.stdin.readline()),
    "log_level": 0,
}
stopped = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
producer = Producer({**tls, "enable.idempotence": True, "message.timeout.ms": 120_000})
acknowledged, failed, number = [], [], 0

def delivered(number):
    return lambda error, _: (failed if error else acknowledged).append(number)

while not stopped.is_set():
    producer.produce("written", str(number).encode(), on_delivery=delivered(number))
    producer.poll(0)
    number += 1
    if number == 1:
        producer.flush(60)
        print("writing", flush=True)
    time.sleep(0.005)
left = producer.flush(60)
consumer = Consumer({**tls, "group.id": "reader"})
partitions = [TopicPartition("written", partition, 0) for partition in range(6)]
consumer.assign(partitions)
wanted = sum(consumer.get_watermark_offsets(partition, timeout=30)[1] for partition in partitions)
read = []
while len(read) < wanted:
    read += [int(message.value()) for message in consumer.consume(1000, 30) if not message.error()]
consumer.close()
print(json.dumps({"produced": number, "acknowledged": acknowledged, "failed": failed, "left": left, "read": read}))
"""


@pytest.fixture
def kubectl() -> Iterator[Kubectl]:
    lab = Lab(f"test-roll-{os.getpid()}")
    try:
        chart = assemble(ROOT / ".lab" / "charts") / "strimzi-kafka-operator"
        lab.start(build(), print)
        made = Kubectl(lab.control_plane().kubeconfig)
        made.install(chart)
        yield made
    except LabError as error:
        pytest.fail(str(error))
    finally:
        lab.remove()


def test_a_release_and_a_setting_roll_without_a_lost_record(kubectl: Kubectl) -> None:
    def kafka(version: str, threads: int) -> dict[str, object]:
        replicated = {"default.replication.factor": 3, "min.insync.replicas": 2, "num.io.threads": threads}
        internal = {"offsets.topic.replication.factor": 3}
        return resources.kafka(version=version, config=replicated | internal)

    kubectl.make(resources.pool(replicas=3), kafka("4.3.0", 4), resources.topic("written", partitions=6, replicas=3))
    kubectl("wait", "--for=condition=Ready", "kafka/log", "kafkatopic/written", "--timeout=120s")
    before = {name: kubectl.get("pod", name)["metadata"]["uid"] for name in brokers(kubectl)}
    assert len(before) == 3

    inside = ["exec", "--stdin", "deploy/log-entity-operator", "--container", "topic-operator", "--"]
    command = kubectl.command(*inside, sys.executable, "-c", CLIENT)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(json.dumps(identity(kubectl)) + "\n")
        client.stdin.flush()
        assert client.stdout.readline() == "writing\n"
        kubectl.make(kafka("4.3.1", 3))

        def rolled() -> bool:
            assert len([name for name in brokers(kubectl) if is_ready(kubectl, name)]) >= 2
            return kubectl.get("kafka", "log")["status"].get("observedGeneration") == 2

        eventually(rolled, 150)
        client.stdin.close()
        result = json.loads(client.stdout.read())
    assert result["failed"] == []
    assert result["left"] == 0
    assert len(result["acknowledged"]) == result["produced"] > 0
    assert sorted(result["read"]) == list(range(result["produced"]))
    after = {name: kubectl.get("pod", name) for name in brokers(kubectl)}
    assert after.keys() == before.keys()
    assert all(pod["metadata"]["uid"] != before[name] for name, pod in after.items())
    assert all(pod["spec"]["containers"][0]["image"].endswith("-kafka-4.3.1") for pod in after.values())
    assert kubectl.get("kafka", "log")["status"]["kafkaVersion"] == "4.3.1"


def identity(kubectl: Kubectl) -> dict[str, str]:
    """Return the topic operator's certificate, in settings of librdkafka."""
    own, trusted = (kubectl.get("secret", f"log-{it}")["data"] for it in ("entity-topic-operator-certs", "trustbundle"))
    found = {
        "ssl.ca.pem": trusted["cluster-ca.crt"],
        "ssl.certificate.pem": own["entity-operator.crt"],
        "ssl.key.pem": own["entity-operator.key"],
    }
    return {key: base64.b64decode(value).decode() for key, value in found.items()}


def brokers(kubectl: Kubectl) -> list[str]:
    found = kubectl("get", "pod", "--selector", "strimzi.io/name=log-kafka", "--output", "name")
    return [line.partition("/")[2] for line in found.splitlines()]


def is_ready(kubectl: Kubectl, name: str) -> bool:
    try:
        conditions = kubectl.get("pod", name)["status"].get("conditions", [])
    except subprocess.CalledProcessError:
        return False
    return any(it["type"] == "Ready" and it["status"] == "True" for it in conditions)
