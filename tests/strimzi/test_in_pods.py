"""The operators and what they make, in Pods of a lab without a mesh; the tests go on from each other's cluster."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.binaries.build import build
from lab.charts.assemble import assemble
from lab.errors import LabError
from lab.lab import ROOT, Lab
from tests.strimzi import resources
from tests.strimzi.facts import by_name
from tests.strimzi.installed import Kubectl, eventually, rendered
from tests.strimzi.test_contract import CLUSTER, contract, judge

pytestmark = pytest.mark.lab

OPERATOR = "deployment/strimzi-cluster-operator"


@pytest.fixture(scope="module")
def chart() -> Path:
    try:
        return assemble(ROOT / ".lab" / "charts") / "strimzi-kafka-operator"
    except LabError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="module")
def kubectl() -> Iterator[Kubectl]:
    """Return the administrator's kubectl in a lab in which nothing is installed."""
    lab = Lab(f"test-strimzi-{os.getpid()}")
    try:
        lab.start(build(), print)
        yield Kubectl(lab.control_plane().kubeconfig)
    except LabError as error:
        pytest.fail(str(error))
    finally:
        lab.remove()


def make(kubectl: Kubectl, kind: str, name: str, spec: dict[str, Any]) -> None:
    made = resources.resource(kind, name, spec)
    made["metadata"]["labels"] = {} if kind == "Kafka" else {"strimzi.io/cluster": CLUSTER}
    kubectl.make(made)


def log(kubectl: Kubectl, *of: str) -> str:
    try:
        return kubectl("logs", *of)
    except subprocess.CalledProcessError:
        return ""


def test_the_operator_starts_before_all_that_it_needs(kubectl: Kubectl, chart: Path) -> None:
    def apply(*kinds: str) -> None:
        for document in rendered(chart):
            if document["kind"] in kinds:
                kubectl("apply", "--filename", "-", given=document)

    kubectl("create", "namespace", resources.NAMESPACE)
    apply("Deployment")
    apply("ServiceAccount")
    eventually(lambda: "waiting for Kafka in namespace kafka" in log(kubectl, OPERATOR))
    apply("ClusterRole", "ClusterRoleBinding", "RoleBinding")
    time.sleep(2)
    kubectl("apply", "--server-side", "--filename", str(chart / "crds"))
    since = time.monotonic()
    kubectl("rollout", "status", OPERATOR, "--timeout=60s")
    assert time.monotonic() - since < 15
    (pod,) = json.loads(kubectl("get", "pods", "--output", "json"))["items"]
    assert [it["restartCount"] for it in pod["status"]["containerStatuses"]] == [0]


def test_the_running_lab_is_made_of_what_strimzi_makes(kubectl: Kubectl) -> None:
    recorded = contract("lab")
    for name, spec in recorded["pools"].items():
        make(kubectl, "KafkaNodePool", name, spec)
    make(kubectl, "Kafka", CLUSTER, recorded["kafka"])
    for kind, name in (key.split() for key in recorded["objects"]):
        if kind == "KafkaTopic":
            make(kubectl, kind, name, {"partitions": 1, "replicas": 1})
        if kind == "KafkaUser":
            secret = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": f"{name}-given"}}
            data = {"password": base64.b64encode(b"p" * 32).decode()}
            kubectl("apply", "--filename", "-", given=secret | {"data": data})
            make(kubectl, kind, name, {"authentication": resources.password_from(f"{name}-given")})
    kubectl("wait", "--for=condition=Ready", f"kafka/{CLUSTER}", "--timeout=120s")
    kubectl("wait", "--for=condition=Ready", "kafkatopic,kafkauser", "--all", "--timeout=60s")
    kinds = sorted({key.split()[0].lower() for key in recorded["objects"]})
    found = json.loads(kubectl("get", ",".join(kinds), "--output", "json"))["items"]
    judge("lab", recorded["objects"], by_name(it for it in found if is_made(it)))


def is_made(item: dict[str, Any]) -> bool:
    """Tell whether the chart or the operators made an object: not the controllers, nor a user."""
    metadata = item["metadata"]
    labels, owners = metadata.get("labels") or {}, metadata.get("ownerReferences") or []
    of_controllers = any(it["kind"] == "ReplicaSet" for it in owners)
    is_strimzis = item["kind"] == "Kafka" or labels.get("app") == "strimzi" or "strimzi.io/cluster" in labels
    return is_strimzis and not of_controllers


def broker(kubectl: Kubectl, name: str) -> dict[str, Any]:
    try:
        return kubectl.get("pod", name)
    except subprocess.CalledProcessError:
        return {"metadata": {"uid": ""}, "status": {}}


def test_a_node_without_the_kubernetes_api_does_not_start_and_says_why(kubectl: Kubectl) -> None:
    pod = f"{CLUSTER}-combined-0"
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "no-api"},
        "spec": {
            "podSelector": {"matchLabels": {"strimzi.io/name": f"{CLUSTER}-kafka"}},
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"podSelector": {}}]}],
        },
    }
    kubectl("apply", "--filename", "-", given=policy)
    before = kubectl.get("pod", pod)["metadata"]["uid"]
    kubectl("delete", "pod", pod)
    eventually(lambda: broker(kubectl, pod)["metadata"]["uid"] not in ("", before))
    said = "kafka-agent: certificates cannot be read through the Kubernetes API"
    eventually(lambda: said in log(kubectl, pod))
    eventually(lambda: "ConfigException" in log(kubectl, pod) + log(kubectl, pod, "--previous"), 120)
    conditions = {it["type"]: it["status"] for it in broker(kubectl, pod)["status"]["conditions"]}
    assert conditions["Ready"] == "False"
    kubectl("delete", "networkpolicy", "no-api")
    kubectl("wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=120s")


def test_the_kafka_of_prod_runs_on_racks_and_serves_metrics(kubectl: Kubectl) -> None:
    kubectl("delete", "kafkatopic,kafkauser,kafka,kafkanodepool", "--all")
    eventually(lambda: not kubectl.names("pod", CLUSTER))
    provider = "STRIMZI_POD_SECURITY_PROVIDER_CLASS=restricted"
    kubectl("set", "env", OPERATOR, provider)
    kubectl("rollout", "status", OPERATOR, "--timeout=60s")
    restricted = "pod-security.kubernetes.io/enforce=restricted"
    kubectl("label", "namespace", resources.NAMESPACE, restricted)
    recorded = contract("prod")
    small = {"requests": {"cpu": "10m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}}
    for name, spec in recorded["pools"].items():
        make(kubectl, "KafkaNodePool", name, spec | {"resources": small})
    make(kubectl, "Kafka", CLUSTER, recorded["kafka"])
    make(kubectl, "KafkaTopic", "spread", {"partitions": 6, "replicas": 3})
    kubectl("wait", "--for=condition=Ready", f"kafka/{CLUSTER}", "kafkatopic/spread", "--timeout=240s")
    assert [it["type"] for it in kubectl.get("kafka", CLUSTER)["status"]["conditions"]] == ["Ready"]
    for number, pool in enumerate(["brokers"] * 3 + ["controllers"] * 3):
        name = f"{CLUSTER}-{pool}-{number}"
        served = inside(kubectl, name, "http://localhost:9404/metrics")
        assert "kafka_server_replicamanager_" in served or pool == "controllers"
        if pool == "brokers":
            init = kubectl.get("pod", name)["spec"]["initContainers"]
            assert [it["name"] for it in init] == ["kafka-init"]
            assert kubectl("exec", name, "--", "cat", "/opt/kafka/init/rack.id") == "lab"


def inside(kubectl: Kubectl, pod: str, url: str) -> str:
    """Return what a URL answers to the container of a node."""
    code = f"import urllib.request; print(urllib.request.urlopen({url!r}, timeout=10).read().decode())"
    return kubectl("exec", pod, "--", sys.executable, "-c", code)
