"""How the program's resources hang together, as an engine sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.comparison import Step, compare, steps
from harness.graph import Graph, Resource
from harness.program import Program, ProgramFailedError
from harness.randomness import DRAWN
from harness.values import Secret, has_secret, reveal

pytestmark = pytest.mark.program

ROOT = Path(__file__).parents[2]
CUSTOM = "kubernetes:kafka.strimzi.io/v1:"


@pytest.fixture(scope="module")
def dev() -> Graph:
    """The stack dev as a first update would make it."""
    return Program(ROOT).preview(stack="dev", outputs=DRAWN)


def test_every_component_has_a_token_of_this_package(dev: Graph) -> None:
    components = {item.type for item in dev.resources if not item.custom}
    assert {token for token in components if not token.startswith(("pulumi:", "kubernetes:helm"))} == {
        f"kafka-on-istio:index:{noun}"
        for noun in (
            "DemoApplication", "DemoService", "IstioControlPlane", "KafkaCluster", "KafkaCredentials", "KafkaTopic",
            "KafkaUser", "MeshNamespace", "MeshRoutes", "MeshSecurity", "Observability", "StrimziOperator",
        )
    }  # fmt: skip


def test_nothing_but_the_stack_and_components_is_without_a_component_above_it(dev: Graph) -> None:
    stack = dev.one("pulumi:pulumi:Stack")
    assert [item.name for item in dev.children(stack) if item.custom] == []


def order(dev: Graph) -> list[tuple[Resource, Resource]]:
    """Pairs of what must come later and what before."""
    chart = "kubernetes:helm.sh/v4:Chart"
    kafka, pool = dev.one(f"{CUSTOM}Kafka"), dev.one(f"{CUSTOM}KafkaNodePool")
    base, istiod, strimzi = (
        dev.one(chart, "istio-base"),
        dev.one(chart, "istio-istiod"),
        dev.one(chart, "strimzi-chart"),
    )
    policies = [item for item in dev.resources if "kafka-on-istio:index:MeshSecurity$" in item.urn]
    routes = [item for item in dev.resources if "kafka-on-istio:index:MeshRoutes$" in item.urn]
    deployments = dev.all("kubernetes:apps/v1:Deployment")
    topics, users = dev.all(f"{CUSTOM}KafkaTopic"), dev.all(f"{CUSTOM}KafkaUser")
    return [
        (istiod, base),
        *((policy, istiod) for policy in policies),
        *((strimzi, policy) for policy in policies),
        (kafka, strimzi),
        (kafka, pool),
        (pool, strimzi),
        *((item, kafka) for item in (*topics, *users)),
        *((deployment, topic) for deployment in deployments for topic in topics),
        *((route, deployment) for route in routes for deployment in deployments),
    ]


def test_things_come_in_the_order_that_a_real_cluster_needs(dev: Graph) -> None:
    pairs = order(dev)
    assert len(pairs) > 100
    missing = [
        f"{later.name} does not wait for {earlier.name}" for later, earlier in pairs if not dev.depends(later, earlier)
    ]
    assert missing == []


def test_each_deployment_waits_for_the_user_that_it_logs_in_as(dev: Graph) -> None:
    deployment = dev.one("kubernetes:apps/v1:Deployment", "demo-customer-customer-v1")
    assert dev.depends(deployment, dev.one("kubernetes:core/v1:Secret", "customer-writer-credentials-secret"))
    secret = dev.one("kubernetes:core/v1:Secret", "customer-writer-credentials-secret")
    credentials = dev.one("kafka-on-istio:index:KafkaCredentials", "customer-writer-credentials")
    user = dev.one(f"{CUSTOM}KafkaUser", "customer-writer-user")
    assert secret.parent == credentials.urn
    assert dev.depends(credentials, user)


def test_no_deployment_waits_for_a_service(dev: Graph) -> None:
    services = dev.all("kubernetes:core/v1:Service")
    for deployment in dev.all("kubernetes:apps/v1:Deployment"):
        assert not any(dev.depends(deployment, service) for service in services)


def test_a_password_is_secret_wherever_it_goes_and_in_no_deployment(dev: Graph) -> None:
    password = dev.one("random:index/randomPassword:RandomPassword", "customer-writer-password")
    text = reveal(password.outputs["result"])
    assert isinstance(password.outputs["result"], Secret)
    assert len(text) == 32
    assert text.isalnum()
    for name in ("customer-writer-secret", "customer-writer-credentials-secret"):
        secret = dev.one("kubernetes:core/v1:Secret", name)
        assert isinstance(secret.inputs["stringData"], Secret)
        assert reveal(secret.inputs["stringData"]) == {"password": text}
        assert secret.inputs["immutable"] is True
    for deployment in dev.all("kubernetes:apps/v1:Deployment"):
        assert not has_secret(deployment.inputs)
        assert text not in str(deployment.inputs)


def test_rotating_one_password_changes_that_user_and_its_client_alone(dev: Graph) -> None:
    config = {"userPasswordRotation": {"customer-writer": 2}}
    changes = steps(compare(dev, Program(ROOT).preview(stack="dev", config=config, outputs=DRAWN)))
    assert {title: step for title, step in changes.items() if "kafka-on-istio:index" not in title} == {
        "random:index/randomPassword:RandomPassword customer-writer-password": Step.REPLACE,
        "kubernetes:core/v1:Secret customer-writer-secret": Step.REPLACE,
        "kubernetes:kafka.strimzi.io/v1:KafkaUser customer-writer-user": Step.UPDATE,
        "kubernetes:core/v1:Secret customer-writer-credentials-secret": Step.REPLACE,
        "kubernetes:apps/v1:Deployment demo-customer-customer-v1": Step.UPDATE,
    }


def annotations(item: Resource) -> dict[str, str]:
    """Return an object's annotations."""
    metadata: dict[str, Any] = item.inputs.get("metadata") or {}
    return metadata.get("annotations") or {}


def test_kafka_its_topics_and_its_users_are_waited_for(dev: Graph) -> None:
    for kind in ("Kafka", "KafkaTopic", "KafkaUser"):
        for item in dev.all(f"{CUSTOM}{kind}"):
            assert annotations(item)["pulumi.com/waitFor"] == "condition=Ready"


def test_without_wait_for_ready_nothing_is_waited_for() -> None:
    preview = Program(ROOT).preview(stack="dev", config={"waitForReady": False})
    for item in preview.resources:
        assert "pulumi.com/waitFor" not in annotations(item)
        if item.type in ("kubernetes:apps/v1:Deployment", "kubernetes:core/v1:Service") and not item.external:
            assert annotations(item)["pulumi.com/skipAwait"] == "true"
        if item.type == "kubernetes:helm.sh/v4:Chart":
            assert item.inputs["skipAwait"] is True


def test_without_a_data_plane_nothing_is_injected_and_the_policies_are_the_same(dev: Graph) -> None:
    preview = Program(ROOT).preview(stack="dev", config={"dataPlane": "none"})
    namespaces = [item.inputs["metadata"] for item in preview.all("kubernetes:core/v1:Namespace")]
    assert not any("istio-injection" in (metadata.get("labels") or {}) for metadata in namespaces)
    assert "istio-gateway" not in {item.name for item in preview.all("kubernetes:helm.sh/v4:Chart")}

    def policies(of: Graph) -> set[str]:
        return {item.urn for item in of.resources if "MeshSecurity$" in item.urn and "NetworkPolicy" not in item.urn}

    assert policies(preview) == policies(dev)


def nulls(value: Any, path: str = "") -> list[str]:
    """Return the paths of fields that are null."""
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in nulls(item, f"{path}.{key}")]
    if isinstance(value, list):
        return [found for item in value for found in nulls(item, f"{path}[]")]
    return [path] if value is None else []


def test_no_object_asks_for_null_which_would_take_fields_from_their_owners(dev: Graph) -> None:
    made = [item for item in dev.resources if item.custom and item.type.startswith("kubernetes:") and not item.external]
    found = {item.name: nulls(reveal(item.inputs)) for item in made}
    assert {name: paths for name, paths in found.items() if paths} == {}


def test_bad_settings_register_nothing() -> None:
    with pytest.raises(ProgramFailedError, match="topicPartitions") as error:
        Program(ROOT).preview(stack="dev", config={"topicPartitions": 0})
    assert [item.type for item in error.value.graph.resources] == ["pulumi:pulumi:Stack"]


def test_the_access_model_is_an_output(dev: Graph) -> None:
    model = dev.outputs["accessModel"]
    assert {"workloads", "edges", "entries", "topics", "users", "externalHosts"} <= set(model)
    assert dev.outputs["bootstrapAddress"] == "demo-app-log-cluster-kafka-bootstrap.kafka.svc.cluster.local:9092"
