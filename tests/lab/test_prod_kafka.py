"""The Kafka of the stack ``prod`` in the lab, with small sizes: pools of their own, racks, volumes, and Prometheus."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml

from lab.binaries.build import prometheus
from lab.errors import LabError
from lab.lab import ROOT, Lab
from tests.lab.conftest import System, eventually, remove, run_lab, sweep

pytestmark = [pytest.mark.lab, pytest.mark.timeout(590)]

KEYS = ("kafkaNodePools", "replicationFactor", "topologyKey")


def settings() -> dict[str, Any]:
    """Return what ``prod`` says of Kafka, with volumes and requests that this machine has."""
    prod = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text())["config"]
    found = {key: prod[f"kafka-on-istio:{key}"] for key in KEYS}
    for pool in found["kafkaNodePools"]:
        pool["storage"]["size"] = "1Gi"
        pool["resources"] = {"requests": {"cpu": "10m", "memory": "64Mi"}}
    return {**found, "monitoring": "full", "prometheus": True}


@pytest.fixture(scope="module")
def prod(binaries: Path) -> Iterator[System]:
    """A lab of its own with this Kafka on it."""
    assert binaries
    sweep()
    lab = Lab(f"test-prod-{os.getpid()}")
    try:
        # Its build takes minutes, which are not part of the update's time.
        prometheus()
        result = run_lab(lab.name, "up", *words())
        assert result.returncode == 0, result.stdout + result.stderr
        yield System(lab.control_plane(), lab.folder / "pulumi", lab)
    except LabError as error:
        pytest.fail(str(error))
    finally:
        remove(lab)


def words() -> list[str]:
    """Return the settings as options."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in settings().items()}
    return [word for key, text in texts.items() for word in ("--config", f"{key}={text}")]


def test_a_preview_right_after_up_has_no_changes(prod: System) -> None:
    result = prod.engine("preview", "--stack", "lab", "--expect-no-changes", *words())
    assert result.returncode == 0, result.stdout + result.stderr
    assert "no changes" in result.stdout


def asked(prod: System, path: str) -> Any:
    """Return what Prometheus' API answers."""
    pods = prod.get("-n", "istio-system", "pods", "-l", "app.kubernetes.io/name=prometheus")["items"]
    with urlopen(f"http://{pods[0]['status']['podIP']}:9090/api/v1/{path}", timeout=10) as answer:
        return json.load(answer)["data"]


def test_prometheus_reads_kafkas_metrics_through_the_sidecars(prod: System) -> None:
    metric = "kafka_controller_kafkacontroller_activecontrollercount"

    def controllers() -> Any:
        found = asked(prod, f"query?query={metric}")["result"]
        return found if len(found) == 3 else None

    found = eventually(controllers, 90)
    assert sum(int(item["value"][1]) for item in found) == 1
    assert all(item["metric"]["instance"].endswith(":15020") for item in found)


def test_prometheus_evaluates_the_rules_that_the_program_gives_it(prod: System) -> None:
    rules = [rule for group in asked(prod, "rules")["groups"] for rule in group["rules"]]
    assert "KafkaWithoutController" in {rule["name"] for rule in rules}
    assert {rule["name"]: rule["lastError"] for rule in rules if rule.get("lastError")} == {}


def test_brokers_know_their_rack(prod: System) -> None:
    maps = prod.get("-n", "kafka", "configmaps", "-l", "strimzi.io/cluster=demo-app-log-cluster")["items"]
    brokers = [item for item in maps if "-brokers-" in item["metadata"]["name"]]
    assert len(brokers) == 3
    assert all("broker.rack" in item["data"]["server.config"] for item in brokers)
    nodes = prod.get("nodes")["items"]
    assert all(item["metadata"]["labels"]["topology.kubernetes.io/zone"] for item in nodes)


def test_topics_have_a_copy_on_each_broker(prod: System) -> None:
    topics = prod.get("-n", "kafka", "kafkatopics")["items"]
    assert len(topics) == 4
    for topic in topics:
        assert topic["spec"]["replicas"] == 3
        assert {item["type"]: item["status"] for item in topic["status"]["conditions"]}["Ready"] == "True"


def test_the_proof_holds(prod: System) -> None:
    result = prod.command("verify", "--json")
    assert result.stdout, result.stderr
    results = json.loads(result.stdout)["results"]
    assert {it["subject"]: it["found"] for it in results if not it["passed"]} == {}
    assert result.returncode == 0
