"""The examples: each is a program of another project that builds on the components."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.graph import Graph, Resource
from harness.program import Program
from tests.program.summary import EXAMPLES, GOLDEN, ROOT, summary

pytestmark = pytest.mark.program


def preview(example: str, **config: Any) -> Graph:
    """Preview an example."""
    return Program(ROOT / "examples" / example).preview(config=config)


def objects(of: Graph, *kinds: str) -> list[Resource]:
    """Return the Kubernetes objects of some kinds; all without any."""
    made = [item for item in of.resources if item.type.startswith("kubernetes:") and item.custom]
    return [item for item in made if not kinds or item.type.rpartition(":")[2] in kinds]


def test_there_is_one_for_each_way_to_start() -> None:
    assert EXAMPLES == ["adopt-cluster", "kafka-only", "own-service"]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_what_its_summary_says(example: str) -> None:
    """``python -m tests.program.summary`` writes the summaries anew."""
    golden = GOLDEN / f"example-{example}.txt"
    assert summary(preview(example)) == golden.read_text(encoding="utf-8")


def test_an_example_takes_the_components_as_a_package(tmp_path: Path) -> None:
    """What its requirements name installs, from the example's folder as Pulumi does it."""
    # A copy, for pip builds where the source is.
    for name in ("components", "kafka_on_istio", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True)
    for name in ("pyproject.toml", "requirements.txt", "Pulumi.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    example = tmp_path / "examples" / "own-service"
    needed = [line for line in (example / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert needed == ["-e ../..", "-c ../../requirements.txt"]
    target = tmp_path / "packages"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), "../.."]
    subprocess.run(command, cwd=example, check=True, timeout=240)
    assert {path.name for path in target.iterdir() if "info" not in path.name} == {"kafka_on_istio"}
    # Apart from its source, it makes what the example makes.
    harness = tmp_path / "tools"
    shutil.copytree(ROOT / "harness", harness / "harness")
    shutil.rmtree(tmp_path / "components")
    shutil.rmtree(tmp_path / "kafka_on_istio")
    (tmp_path / "Pulumi.yaml").unlink()
    command = [sys.executable, "-m", "harness", "preview", "--stack", "test", "--cwd", "examples/kafka-only"]
    result = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{target}:{harness}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "kafka-on-istio:index:KafkaCluster kafka\n" in result.stdout
    metadata = next(target.glob("kafka_on_istio-*/METADATA")).read_text()
    for name in ("pulumi", "pulumi-kubernetes", "pydantic"):
        assert re.search(rf"^Requires-Dist: {name}<\d+,>=[\d.]+$", metadata, re.MULTILINE), f"{name} must be a range"


def test_a_service_of_ones_own_writes_its_topic_and_can_do_nothing_else() -> None:
    made = preview("own-service")
    user = made.one("kubernetes:kafka.strimzi.io/v1:KafkaUser")
    assert [acl["operations"] for acl in user.inputs["spec"]["authorization"]["acls"]] == [["Write", "Describe"]]
    deployment = made.one("kubernetes:apps/v1:Deployment")
    pod = deployment.inputs["spec"]["template"]
    environment = {item["name"]: item for item in pod["spec"]["containers"][0]["env"]}
    secret = made.one("kubernetes:core/v1:Secret", "orders-credentials-secret")
    assert environment["KAFKA_PASSWORD"]["valueFrom"]["secretKeyRef"]["name"] == secret.outputs["metadata"]["name"]
    network = made.one("kubernetes:networking.k8s.io/v1:NetworkPolicy", "orders-network").inputs["spec"]
    assert network["podSelector"]["matchLabels"] == pod["metadata"]["labels"]
    assert network["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in network
    assert made.one("kubernetes:security.istio.io/v1:AuthorizationPolicy", "orders-authorization").inputs["spec"] == {
        "selector": {"matchLabels": pod["metadata"]["labels"]},
        "action": "ALLOW",
    }
    waits_for = (user, secret, *objects(made, "AuthorizationPolicy", "NetworkPolicy", "Sidecar", "KafkaTopic"))
    assert [item.name for item in waits_for if not made.depends(deployment, item)] == []


def test_the_way_in_to_the_brokers_is_for_that_service_and_that_cluster() -> None:
    made = preview(
        "own-service", namespace="shop", kafkaNamespace="streams", kafkaCluster="events", trustDomain="shop.example"
    )
    opening = made.one("kubernetes:security.istio.io/v1:AuthorizationPolicy", "orders-brokers-authorization").inputs
    assert opening["metadata"] == {"name": "shop.orders.events", "namespace": "streams"}
    # The first policy that allows something refuses the rest: Kafka's own connections are let through.
    assert opening["spec"]["rules"] == [
        {
            "from": [{"source": {"principals": ["shop.example/ns/shop/sa/orders"]}}],
            "to": [{"operation": {"ports": ["9092"]}}],
        },
        {"to": [{"operation": {"ports": ["9090", "9091", "8443"]}}]},
    ]
    assert made.one("kubernetes:kafka.strimzi.io/v1:KafkaUser").inputs["metadata"]["name"] == "shop.orders"
    brokers = {"strimzi.io/cluster": "events", "strimzi.io/name": "events-kafka"}
    assert opening["spec"]["selector"] == {"matchLabels": brokers}
    network = made.one("kubernetes:networking.k8s.io/v1:NetworkPolicy", "orders-brokers-network").inputs["spec"]
    assert network == {
        "podSelector": {"matchLabels": brokers},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [
                    {
                        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
                        "podSelector": {"matchLabels": {"app": "orders", "version": "v1"}},
                    }
                ],
                "ports": [{"protocol": "TCP", "port": 9092}],
            }
        ],
    }
    sidecar = made.one("kubernetes:networking.istio.io/v1:Sidecar").inputs["spec"]
    assert sidecar["egress"][0]["hosts"] == [
        "streams/events-kafka-bootstrap.streams.svc.cluster.local",
        "streams/events-kafka-brokers.streams.svc.cluster.local",
        "istio-system/jaeger.istio-system.svc.cluster.local",
    ]


def test_kafka_alone_is_closed_to_everybody() -> None:
    made = preview("kafka-only")
    assert objects(made, "Deployment", "KafkaUser") == []
    kafka = made.one("kubernetes:kafka.strimzi.io/v1:Kafka").inputs["spec"]["kafka"]
    # Strimzi takes an empty list for everybody.
    assert [peer["podSelector"]["matchLabels"] for peer in kafka["listeners"][0]["networkPolicyPeers"]] == [
        {"strimzi.io/cluster": "events", "strimzi.io/name": "events-kafka"}
    ]
    brokers = made.one(
        "kubernetes:security.istio.io/v1:AuthorizationPolicy", "security-authorizationpolicy-kafka-events-kafka"
    )
    assert "9092" not in str(brokers.inputs["spec"])


def test_a_stack_of_an_example_sets_what_a_stack_of_ours_can() -> None:
    config = {"kafka-on-istio:kafkaCluster": "trades", "kafka-on-istio:dataPlane": "none"}
    made = Program(ROOT / "examples" / "kafka-only").preview(config=config)
    assert made.outputs["bootstrapAddress"] == "trades-kafka-bootstrap.kafka.svc.cluster.local:9092"
    assert "istio-gateway" not in {item.name for item in made.all("kubernetes:helm.sh/v4:Chart")}


def test_an_adopted_cluster_is_left_as_it_is_when_the_stack_goes() -> None:
    made = preview("adopt-cluster", enforced=True)
    kept = [item for item in objects(made) if item.retain_on_delete]
    assert {item.type.rpartition(":")[2] for item in kept} == {"Kafka", "KafkaNodePool", "KafkaTopic"}
    # Their namespace is labelled and not made, so that it is never deleted.
    assert [item.name for item in made.all("kubernetes:core/v1:NamespacePatch")] == ["kafka-namespace"]
    assert {item.inputs["metadata"].get("namespace") for item in objects(made)} == {None, "messaging", "billing"}
    assert made.all("kubernetes:helm.sh/v4:Chart") == []


def test_adoption_refuses_nobody_until_it_is_told_to() -> None:
    first = preview("adopt-cluster")
    assert objects(first, "AuthorizationPolicy", "NetworkPolicy", "Sidecar", "KafkaUser") == []
    assert [item.inputs["spec"] for item in objects(first, "PeerAuthentication")] == [{"mtls": {"mode": "PERMISSIVE"}}]
    second = preview("adopt-cluster", enforced=True)
    assert len(objects(second, "AuthorizationPolicy")) == 3
    # Whoever is declared is let in before others are refused.
    denies = second.one(
        "kubernetes:security.istio.io/v1:AuthorizationPolicy", "security-authorizationpolicy-messaging-default-deny"
    )
    opening = second.one("kubernetes:security.istio.io/v1:AuthorizationPolicy", "billing-brokers-authorization")
    assert second.depends(denies, opening)
