"""The components as a plugin: what programs in other languages get, as Pulumi asks for it."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from pulumi.runtime.proto import provider_pb2

from harness import values
from harness.graph import Graph
from harness.monitor import serve
from harness.recorder import Recorder
from tools.documentation import plugin

pytestmark = pytest.mark.program

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The schema that the plugin gives."""
    return plugin.schema()


def test_its_manifest_says_how_pulumi_runs_it() -> None:
    manifest = yaml.safe_load((plugin.FOLDER / "PulumiPlugin.yaml").read_text())
    assert manifest["runtime"]["name"] == "python"
    for line in (plugin.FOLDER / "requirements.txt").read_text().splitlines():
        assert (plugin.FOLDER / line.split()[1]).is_file()


def test_what_it_offers_is_what_a_reviewer_has_seen(schema: dict[str, Any]) -> None:
    """Every type token, input and output is pinned there; ``make docs`` writes it anew."""
    assert plugin.text(schema) == plugin.SCHEMA.read_text(encoding="utf-8")


def test_every_component_of_the_program_is_offered(schema: dict[str, Any]) -> None:
    """But for the reference to a platform, which is about our own program's stacks."""
    sources = [path.read_text() for path in (ROOT / "components").glob("*.py")]
    tokens = {
        part.split('"')[0] for text in sources for part in text.split('super().__init__("')[1:]
    }  # fmt: skip
    assert tokens - set(schema["resources"]) == {"kafka-on-istio:index:PlatformReference"}
    assert set(schema["resources"]) < tokens


def described(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield everything that a reader looks up, with the path to it."""
    for token, resource in schema["resources"].items():
        yield token, resource
        yield from ((f"{token}.{name}", field) for name, field in resource["inputProperties"].items())
        yield from ((f"{token} -> {name}", field) for name, field in resource["properties"].items())
    for token, kind in schema["types"].items():
        yield token, kind
        yield from ((f"{token}.{name}", field) for name, field in kind["properties"].items())


def test_everything_that_it_offers_is_described_by_its_docstring(schema: dict[str, Any]) -> None:
    found = list(described(schema))
    assert len(found) > 120
    assert [path for path, item in found if not item.get("description")] == []
    # In Markdown an indented paragraph is code.
    assert [path for path, item in found if "\n " in item["description"]] == []


def test_little_is_required(schema: dict[str, Any]) -> None:
    client = schema["resources"]["kafka-on-istio:index:KafkaClient"]
    assert client["requiredInputs"] == [
        "acls", "clusterName", "clusterNamespace", "labels", "namespace", "serviceAccount",
    ]  # fmt: skip
    istio = schema["resources"]["kafka-on-istio:index:IstioControlPlane"]
    assert istio["requiredInputs"] == ["base", "istiod", "namespace"]


def test_its_version_is_that_of_the_project(schema: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (schema["name"], schema["version"]) == (project["name"], project["version"])


@pytest.mark.parametrize("folder", [".", "examples/own-service"])
def test_the_image_of_a_release_is_the_default_there(schema: dict[str, Any], folder: str) -> None:
    """publish.yml gives it the version as tag."""
    declared = yaml.safe_load((ROOT / folder / "Pulumi.yaml").read_text())["config"]
    assert declared["image"]["default"].rpartition(":")[2] == schema["version"]


INPUTS: dict[str, Any] = {
    "namespace": "orders",
    "serviceAccount": "orders",
    "labels": {"app": "orders"},
    "clusterNamespace": "kafka",
    "clusterName": "events",
    "acls": [{"resource": "topic", "name": "orders", "operations": ["Write"]}],
}


def construct(token: str, inputs: Mapping[str, Any]) -> tuple[Graph, dict[str, Any]]:
    """Have the plugin make a component in a preview, as a program in another language would; return its state too."""

    async def constructed(recorder: Recorder) -> dict[str, Any]:
        async with serve(recorder) as address:
            request = provider_pb2.ConstructRequest(
                project="shop",
                stack="test",
                dryRun=True,
                parallel=16,
                monitorEndpoint=address,
                organization="organization",
                type=token,
                name="orders",
                inputs=values.encode(inputs),
                accepts_output_values=True,
            )
            with plugin.running(address) as provider:
                answer = await asyncio.to_thread(provider.Construct, request, timeout=60)
            return values.decode(answer.state)

    recorder = Recorder("test", "shop")
    state = asyncio.run(constructed(recorder))
    assert recorder.errors() == []
    return recorder.graph(), state


def test_a_program_in_another_language_gets_a_component_with_all_that_is_in_it() -> None:
    graph, state = construct("kafka-on-istio:index:KafkaClient", INPUTS)
    made = {(item.type, item.name) for item in graph.resources if not item.type.startswith("pulumi:")}
    assert {
        ("kafka-on-istio:index:KafkaClient", "orders"),
        ("kafka-on-istio:index:KafkaUser", "orders-user"),
        ("kubernetes:kafka.strimzi.io/v1:KafkaUser", "orders-user-user"),
        ("kubernetes:core/v1:Secret", "orders-credentials-secret"),
        ("kubernetes:security.istio.io/v1:AuthorizationPolicy", "orders-brokers-authorization"),
    } <= made
    within = "urn:pulumi:test::shop::kafka-on-istio:index:KafkaClient"
    made = [item for item in graph.resources if item.custom and not item.type.startswith("pulumi:")]
    assert [item.urn for item in made if not item.urn.startswith(f"{within}$")] == []
    assert state["userName"] == "orders.orders"
    assert state["bootstrapAddress"] == "events-kafka-bootstrap.kafka.svc.cluster.local:9092"


def test_what_is_secret_stays_so() -> None:
    inputs = {
        "namespace": "orders",
        "userName": "orders",
        "password": values.Secret("s3cret"),
        "bootstrapAddress": "events:9092",
    }
    graph, _ = construct("kafka-on-istio:index:KafkaCredentials", inputs)
    made = next(item for item in graph.resources if item.type == "kubernetes:core/v1:Secret")
    assert values.has_secret(made.inputs["stringData"])
    assert values.reveal(made.inputs["stringData"]) == {"password": "s3cret"}


def test_nested_inputs_have_the_names_of_that_language() -> None:
    inputs = {
        "namespace": "kafka",
        "clusterName": "events",
        "spec": {"kafka": {}},
        "nodePools": [{"name": "nodes", "spec": {"replicas": 3}}],
        "wait": False,
    }
    graph, _ = construct("kafka-on-istio:index:KafkaCluster", inputs)
    pool = next(item for item in graph.resources if item.type.endswith(":KafkaNodePool"))
    assert pool.inputs["metadata"]["name"] == "nodes"
    assert pool.inputs["spec"] == {"replicas": 3}


def test_a_missing_input_is_named() -> None:
    without = {key: value for key, value in INPUTS.items() if key != "clusterName"}
    with pytest.raises(grpc.RpcError) as error:
        construct("kafka-on-istio:index:KafkaClient", without)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Missing required input 'clusterName' on 'KafkaClient'" in str(error.value.trailing_metadata())


POOL: dict[str, Any] = {
    "name": "nodes",
    "roles": ["controller", "broker"],
    "replicas": 3,
    "storage": {"type": "persistent-claim", "size": "10Gi", "storageClass": "fast"},
    "resources": {"requests": {"cpu": "1"}},
}


def test_a_cluster_takes_its_version_and_nodes_and_writes_the_manifests() -> None:
    inputs = {"namespace": "kafka", "clusterName": "events", "version": "4.3.1", "replicas": 3, "nodePools": [POOL]}
    graph, _ = construct("kafka-on-istio:index:KafkaCluster", inputs)
    spec = {item.type.rpartition(":")[2]: item.inputs["spec"] for item in graph.resources if item.custom}
    assert spec["KafkaNodePool"]["storage"] == {"type": "persistent-claim", "size": "10Gi", "class": "fast"}
    assert spec["KafkaNodePool"]["resources"] == {"requests": {"cpu": "1"}}
    assert spec["Kafka"]["kafka"]["version"] == "4.3.1"
    assert spec["Kafka"]["kafka"]["config"]["min.insync.replicas"] == 2
    (listener,) = spec["Kafka"]["kafka"]["listeners"]
    assert (listener["port"], listener["authentication"]) == (9092, {"type": "scram-sha-512"})
    assert "networkPolicyPeers" not in listener


def test_a_specification_and_what_it_would_override_are_refused_together() -> None:
    inputs = {"namespace": "kafka", "clusterName": "events", "nodePools": [{**POOL, "spec": {"replicas": 1}}]}
    with pytest.raises(grpc.RpcError) as error:
        construct("kafka-on-istio:index:KafkaCluster", inputs)
    assert "node_pools[0].spec: replaces roles, replicas, storage, resources; set only one" in str(error.value)


LOGIN = {
    "userName": "orders",
    "bootstrapAddress": "events-kafka-bootstrap.kafka.svc.cluster.local:9092",
    "secretName": "orders-credentials",
    "secretKey": "password",
}
SERVICE: dict[str, Any] = {
    "namespace": "shop",
    "serviceName": "orders",
    "image": "registry.example/orders:1.0.0",
    "credentials": LOGIN,
    "autoscaling": {"minReplicas": 2, "maxReplicas": 4},
    "versions": [{"name": "orders-v1", "version": "v1", "environment": {"REGION": "north"}}],
}


def test_a_service_takes_image_login_and_scaling_and_writes_the_manifests() -> None:
    graph, _ = construct("kafka-on-istio:index:DemoService", SERVICE)
    made = {item.type.rpartition(":")[2]: item.inputs for item in graph.resources if item.custom}
    assert set(made) >= {"Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Service", "ServiceAccount"}
    template = made["Deployment"]["spec"]["template"]
    assert template["metadata"]["labels"] == {"app": "orders", "version": "v1"}
    (container,) = template["spec"]["containers"]
    variables = {item["name"]: item.get("value") or item["valueFrom"] for item in container["env"]}
    assert variables == {
        "REGION": "north",
        "KAFKA_BOOTSTRAP_SERVER": LOGIN["bootstrapAddress"],
        "KAFKA_USER_NAME": "orders",
        "KAFKA_PASSWORD": {"secretKeyRef": {"name": "orders-credentials", "key": "password"}},
    }
    assert "replicas" not in made["Deployment"]["spec"]


def test_a_service_without_an_image_is_refused() -> None:
    with pytest.raises(grpc.RpcError) as error:
        construct("kafka-on-istio:index:DemoService", {key: SERVICE[key] for key in SERVICE if key != "image"})
    assert "image is missing" in str(error.value)


def test_deprecated_inputs_work_for_another_release() -> None:
    inputs = {
        "namespace": "shop",
        "serviceName": "orders",
        "service": {"ports": [{"port": 80}]},
        "versions": [{"name": "orders-v1", "labels": {"app": "orders"}, "deployment": {"replicas": 3}}],
    }
    graph, _ = construct("kafka-on-istio:index:DemoService", inputs)
    made = {item.type.rpartition(":")[2]: item.inputs for item in graph.resources if item.custom}
    assert made["Deployment"]["spec"] == {"replicas": 3}
    assert made["Service"]["spec"] == {"ports": [{"port": 80}]}
    warnings = [text for severity, text in graph.messages if severity == "warning"]
    assert "the input deployment is deprecated and will be removed in the next release; use image" in warnings
