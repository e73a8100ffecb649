"""The example of a service of one's own, on the system that is up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.lab import ROOT, Lab
from tests.lab.conftest import Cluster, System, eventually, remove, run_lab
from tests.lab.traffic import address, call

pytestmark = pytest.mark.lab

TRY_KAFKA = """
import os
from confluent_kafka import KafkaException, Producer
outcomes = []
producer = Producer({
    "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVER"], "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": os.environ["KAFKA_USER_NAME"],
    "sasl.password": os.environ["KAFKA_PASSWORD"],
})
producer.produce(TOPIC, "{}", on_delivery=lambda error, message: outcomes.append(error.name() if error else "written"))
producer.flush(20)
print(outcomes)
"""
TRY_HTTP = """
import urllib.error, urllib.request
try:
    print(urllib.request.urlopen(URL, timeout=5).status)
except urllib.error.HTTPError as error:
    print(error.code)
except OSError:
    print("refused")
"""


def make(system: System, *more: str) -> str:
    """Run ``make example`` on the lab."""
    command = ["make", "--silent", "example", "EXAMPLE=own-service", f"NAME={system.lab.name}", *more]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def orders(system: System) -> Iterator[System]:
    """The system with the example."""
    make(system)
    yield system
    make(system, "DESTROY=1")


def script(system: System, source: str) -> str:
    """Run a Python program in the example's container, and return what it printed."""
    command = ("-n", "orders", "exec", "-i", "deployment/orders", "-c", "orders", "--", "python", "-")
    return system.kubectl(*command, text=source).strip()


def test_it_writes_to_its_topic(orders: System) -> None:
    def logged() -> bool:
        lines = orders.kubectl("-n", "orders", "logs", "deployment/orders", "-c", "orders").splitlines()
        return len([line for line in lines if line.startswith("written to orders at ")]) > 2

    assert eventually(logged)


def test_it_writes_to_no_other_topic(orders: System) -> None:
    assert script(orders, f"TOPIC = 'orders'\n{TRY_KAFKA}") == "['written']"
    refused = script(orders, f"TOPIC = 'demo-application-log-customer'\n{TRY_KAFKA}")
    assert refused == "['TOPIC_AUTHORIZATION_FAILED']"


@pytest.mark.parametrize(
    "url",
    [
        "http://customer.demo-app:8080/",
        "http://198.51.100.1/api/json/cet/now",
        "http://jaeger.istio-system:16686/",
    ],
)
def test_it_calls_nothing_else(orders: System, url: str) -> None:
    # 502 is the sidecar's word for what it does not know, 503 for what the network does not let through.
    assert script(orders, f"URL = {url!r}\n{TRY_HTTP}") in ("refused", "502", "503")


def test_the_application_goes_on_beside_it(orders: System) -> None:
    assert call(address(orders))[0] == 200


def test_nothing_of_it_is_left_when_it_goes(orders: System) -> None:
    make(orders, "DESTROY=1")
    kinds = "kafkatopics,kafkausers,secrets,authorizationpolicies,networkpolicies"
    left = orders.kubectl("-n", "kafka", "get", kinds, "-o", "name").split()
    assert [name for name in left if "orders" in name] == []
    assert "orders" not in orders.kubectl("get", "namespaces", "-o", "name")
    make(orders)
    assert eventually(lambda: script(orders, f"TOPIC = 'orders'\n{TRY_KAFKA}") == "['written']")


def test_kafka_without_the_demo_runs_in_a_lab_of_its_own(binaries: Path) -> None:
    lab = Lab(f"test-kafka-{os.getpid()}")
    command = ["make", "--silent", "example", "EXAMPLE=kafka-only", f"NAME={lab.name}"]
    try:
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
        assert result.returncode == 0, result.stdout + result.stderr
        cluster = Cluster(lab.control_plane(), lab.folder / "pulumi")
        topic = cluster.get("-n", "kafka", "kafkatopic", "orders")
        assert topic["status"]["conditions"][0]["type"] == "Ready"
        # What the engine works with is the lab's: the example's folder is as it was.
        changed = subprocess.run(
            ["git", "status", "--short", "examples"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert changed.stdout == ""
    finally:
        remove(lab)


def test_a_cluster_that_strimzi_runs_is_taken_over_without_a_restart(binaries: Path) -> None:
    lab = Lab(f"test-adopt-{os.getpid()}")
    platform = ("layer=platform", "strimziNamespace=strimzi", 'strimziWatchNamespaces=["*"]')
    try:
        result = run_lab(lab.name, "up", *(word for setting in platform for word in ("--config", setting)))
        assert result.returncode == 0, result.stdout + result.stderr
        cluster = Cluster(lab.control_plane(), lab.folder / "pulumi")
        for namespace in ("messaging", "billing"):
            cluster.kubectl("create", "namespace", namespace)
        cluster.kubectl("apply", "-f", str(ROOT / "examples" / "adopt-cluster" / "kafka.yaml"))
        cluster.kubectl("-n", "messaging", "wait", "--for=condition=Ready", "kafka/events", "--timeout=110s")
        before = cluster.kubectl("-n", "messaging", "get", "pods", "-o", "name")
        for more in ((), ("--config", "enforced=true"), ("--destroy",)):
            result = run_lab(lab.name, "example", "adopt-cluster", *more)
            assert result.returncode == 0, result.stdout + result.stderr
        assert cluster.kubectl("-n", "messaging", "get", "pods", "-o", "name") == before
        assert cluster.get("-n", "messaging", "kafka", "events")["status"]["conditions"][0]["type"] == "Ready"
    finally:
        remove(lab)
