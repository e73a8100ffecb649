"""Each stack as a reviewer sees it, and what sets the stacks apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.graph import Graph
from harness.program import Program, ProgramFailedError
from kafka_on_istio.outputs.platform_output import exported
from kafka_on_istio.settings.settings import Settings
from tests.program.summary import GOLDEN, ROOT, STACKS, summary

pytestmark = pytest.mark.program

PLATFORM = "organization/kafka-on-istio/platform"
OfStack = Callable[..., Settings]


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_is_what_its_summary_says(stack: str) -> None:
    """``python -m tests.program.summary`` writes the summaries anew."""
    golden = GOLDEN / f"{stack}.txt"
    assert summary(Program(ROOT).preview(stack=stack)) == golden.read_text(encoding="utf-8")


Key = tuple[str, str, str]


def objects(preview: Graph) -> set[Key]:
    """Return the Kubernetes objects as (kind, namespace, name), but for those with names of their own."""
    made = [item for item in preview.resources if item.type.startswith("kubernetes:") and item.custom]
    keyed = [(item.type.rpartition(":")[2], item.inputs.get("metadata") or {}) for item in made if not item.external]
    return {(kind, data.get("namespace", ""), data["name"]) for kind, data in keyed if kind not in ("Secret", "Chart")}


def charts(preview: Graph) -> set[str]:
    """Return the names of the charts that are installed."""
    return {item.name for item in preview.all("kubernetes:helm.sh/v4:Chart")}


def test_a_platform_and_an_application_make_what_one_stack_of_all_makes() -> None:
    operator = {"strimziNamespace": "strimzi", "strimziWatchNamespaces": ["*"]}
    together = Program(ROOT).preview(stack="dev", config=operator)
    platform = Program(ROOT).preview(stack="platform")
    application = Program(ROOT).preview(stack="test", config={"instance": ""})
    assert charts(platform) == charts(together)
    assert charts(application) == set()
    assert not objects(platform) & objects(application)
    own = {(kind, "istio-system", "ingress-demo-app") for kind in ("AuthorizationPolicy", "NetworkPolicy")}
    assert objects(platform) | objects(application) == objects(together) | own


def test_two_applications_on_one_platform_share_no_object() -> None:
    first, second = (objects(Program(ROOT).preview(stack="test", config={"instance": name})) for name in ("a", "b"))
    assert not first & second
    assert len(first) == len(second) > 50


def test_an_application_of_short_life_leaves_nothing_when_it_goes() -> None:
    """All is in its own namespaces or the stack's to delete, and nothing is protected, kept, or on volumes."""
    preview = Program(ROOT).preview(stack="test")
    assert not [item for item in preview.resources if item.protect or item.retain_on_delete]
    assert {key for key in objects(preview) if key[1] not in ("kafka-test", "demo-app-test")} == {
        ("Namespace", "", "kafka-test"),
        ("Namespace", "", "demo-app-test"),
        ("AuthorizationPolicy", "istio-system", "ingress-demo-app-test"),
        ("NetworkPolicy", "istio-system", "ingress-demo-app-test"),
    }
    kafka = preview.one("kubernetes:kafka.strimzi.io/v1:Kafka").inputs["spec"]
    container = kafka["entityOperator"]["template"]["topicOperatorContainer"]
    assert {"name": "STRIMZI_USE_FINALIZERS", "value": "false"} in container["env"]
    pool = preview.one("kubernetes:kafka.strimzi.io/v1:KafkaNodePool").inputs["spec"]
    assert pool["storage"] == {"type": "ephemeral"}


def outputs(of_stack: OfStack, **changed: Any) -> dict[str, Any]:
    """Return the outputs of a platform with some settings changed."""
    return {PLATFORM: {"platform": exported(of_stack("platform", **changed)), "ingressAddress": "192.0.2.1"}}


def test_an_application_knows_where_its_platform_is_reached(of_stack: OfStack) -> None:
    preview = Program(ROOT).preview(stack="test", references=outputs(of_stack))
    assert preview.outputs["ingressAddress"] == "192.0.2.1"


def test_nothing_is_made_on_a_platform_that_is_another_than_was_taken_for_granted(of_stack: OfStack) -> None:
    found = outputs(of_stack, trustDomain="other.example", strimziWatchNamespaces=["kafka-a"])
    with pytest.raises(ProgramFailedError) as error:
        Program(ROOT).preview(stack="test", references=found)
    text = str(error.value)
    assert f"kafka-on-istio:trustDomain = 'cluster.local': {PLATFORM} has 'other.example'" in text
    assert "kafka-on-istio:kafkaNamespace = 'kafka-test'" in text
    assert "watches only kafka-a, strimzi" in text
    assert "Traceback" not in text
    made = error.value.graph.resources
    assert not [item.urn for item in made if item.type.startswith("kubernetes:")]


def test_a_stack_that_makes_no_platform_is_none(of_stack: OfStack) -> None:
    with pytest.raises(ProgramFailedError, match="has no output 'platform'"):
        Program(ROOT).preview(stack="test", references={PLATFORM: {"namespaces": {}}})


def test_an_application_can_be_on_a_platform_that_no_stack_has_made() -> None:
    found = Program(ROOT).preview(stack="test", config={"platformStack": ""})
    assert found.all("pulumi:pulumi:StackReference") == []
    assert objects(found) == objects(Program(ROOT).preview(stack="test"))
    assert found.outputs["ingressAddress"] == "istio-ingressgateway.istio-system.svc.cluster.local"


@pytest.mark.parametrize("stack", ["dev", "test"])
def test_without_services_there_is_kafka_alone_and_nobody_may_use_it(stack: str) -> None:
    preview = Program(ROOT).preview(stack=stack, config={"services": [], "routes": []})
    made = objects(preview)
    assert {kind for kind, _, _ in made} & {"Deployment", "Service", "KafkaUser", "KafkaTopic"} == set()
    assert not [name for name in made if "demo-app" in name[1] or name[2].startswith("demo-app-test")]
    assert spec(preview, "Kafka")["kafka"]["listeners"][0]["networkPolicyPeers"]
    brokers = spec(preview, "AuthorizationPolicy", "demo-app-log-cluster-kafka")
    assert "9092" not in str(brokers)
    # On a platform of others the gateway is none of its business.
    assert any(name[1] == "istio-system" for name in made) == (stack == "dev")


def test_everything_of_an_application_waits_for_its_platform() -> None:
    preview = Program(ROOT).preview(stack="test")
    reference = preview.one("pulumi:pulumi:StackReference")
    made = [item for item in preview.resources if item.type.startswith("kubernetes:")]
    assert [item.name for item in made if not preview.depends(item, reference)] == []


@pytest.fixture(scope="module")
def prod() -> Graph:
    """The stack prod as a first update would make it."""
    return Program(ROOT).preview(stack="prod")


def spec(preview: Graph, kind: str, name: str | None = None) -> dict[str, Any]:
    """Return the specification of the one object of a kind, or of the one of that kind and name in the cluster."""
    found = [
        item.inputs["spec"]
        for item in preview.resources
        if item.type.endswith(f":{kind}") and item.custom and name in (None, item.inputs["metadata"]["name"])
    ]
    assert len(found) == 1, (kind, name)
    return dict(found[0])


def test_in_use_kafka_survives_the_loss_of_a_node_or_a_zone(prod: Graph) -> None:
    pools = {name: spec(prod, "KafkaNodePool", name) for name in ("controllers", "brokers")}
    assert {name: (pool["roles"], pool["replicas"]) for name, pool in pools.items()} == {
        "controllers": (["controller"], 3),
        "brokers": (["broker"], 3),
    }
    assert all(pool["storage"]["type"] == "persistent-claim" for pool in pools.values())
    kafka = spec(prod, "Kafka")["kafka"]
    assert (kafka["config"]["default.replication.factor"], kafka["config"]["min.insync.replicas"]) == (3, 2)
    assert kafka["rack"] == {"topologyKey": "topology.kubernetes.io/zone"}
    spread = kafka["template"]["pod"]["topologySpreadConstraints"][0]
    assert (spread["topologyKey"], spread["matchLabelKeys"]) == (
        "topology.kubernetes.io/zone",
        ["strimzi.io/pool-name"],
    )


def test_in_use_what_holds_data_is_neither_deleted_nor_taken_along(prod: Graph) -> None:
    kept = [item for item in prod.resources if item.protect and item.retain_on_delete and item.custom]
    assert {(item.type.rpartition(":")[2], item.inputs["metadata"]["name"]) for item in kept} == {
        ("Namespace", "kafka"),
        ("Kafka", "demo-app-log-cluster"),
        ("KafkaNodePool", "controllers"),
        ("KafkaNodePool", "brokers"),
        *(
            ("KafkaTopic", f"demo-application-log-{topic}")
            for topic in ("customer", "preference", "recommendation", "aggregated")
        ),
    }
    assert kept == [item for item in prod.resources if (item.protect or item.retain_on_delete) and item.custom]


def test_in_use_nothing_of_the_mesh_is_one_of_its_kind(prod: Graph) -> None:
    charts = {item.name: item.inputs["values"] for item in prod.all("kubernetes:helm.sh/v4:Chart")}
    assert charts["istio-istiod"]["autoscaleMin"] == 2
    gateway = charts["istio-gateway"]
    assert (gateway["autoscaling"]["minReplicas"], gateway["podDisruptionBudget"]) == (2, {"minAvailable": 1})
    assert charts["observability-prometheus"]["server"]["persistentVolume"]["enabled"] is True


def test_in_use_the_services_tell_prometheus_where_their_metrics_are(prod: Graph) -> None:
    for item in prod.all("kubernetes:apps/v1:Deployment"):
        pod = item.inputs["spec"]["template"]
        assert pod["metadata"]["annotations"] == {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(pod["spec"]["containers"][0]["ports"][0]["containerPort"]),
            "prometheus.io/path": "/metrics",
        }


def test_in_use_strimzi_stays_with_the_data_for_with_its_crds_all_kafka_would_go(prod: Graph) -> None:
    chart = prod.one("kubernetes:helm.sh/v4:Chart", "strimzi-chart")
    assert (chart.protect, chart.retain_on_delete) == (True, True)


def test_in_use_services_that_are_called_are_scaled_and_keep_a_pod(prod: Graph) -> None:
    http = ("customer-v1", "preference-v1", "recommendation-v1", "recommendation-v2", "recommendation-v3")
    for kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget"):
        assert {name for found, _, name in objects(prod) if found == kind} == set(http)
    for name in http:
        deployment, scaler = spec(prod, "Deployment", name), spec(prod, "HorizontalPodAutoscaler", name)
        assert "replicas" not in deployment
        assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 6)
        assert scaler["scaleTargetRef"]["name"] == name
        metric = scaler["metrics"][0]["containerResource"]["container"]
        assert metric == deployment["template"]["spec"]["containers"][0]["name"]
        budget = spec(prod, "PodDisruptionBudget", name)
        assert budget["selector"] == deployment["selector"]
    assert spec(prod, "Deployment", "consumer-v1")["replicas"] == 1


def test_in_use_pods_are_held_to_the_restricted_standard_and_to_a_quota(prod: Graph) -> None:
    labels = {
        item.inputs["metadata"]["name"]: item.inputs["metadata"].get("labels") or {}
        for item in prod.all("kubernetes:core/v1:Namespace")
    }
    for name in ("kafka", "demo-app"):
        assert labels[name]["pod-security.kubernetes.io/enforce"] == "restricted"
        assert {("ResourceQuota", name, "pods"), ("LimitRange", name, "pods")} <= objects(prod)
    assert "istio-cni" in charts(prod)
    strimzi = prod.one("kubernetes:helm.sh/v4:Chart", "strimzi-chart").inputs["values"]
    # The chart's own security context of the container is restricted already.
    assert strimzi["podSecurityContext"]["runAsNonRoot"] is True
    assert {"name": "STRIMZI_POD_SECURITY_PROVIDER_CLASS", "value": "restricted"} in strimzi["extraEnvs"]


def test_on_openshift_the_router_leads_to_the_gateway_and_user_ids_are_the_clusters() -> None:
    preview = Program(ROOT).preview(stack="openshift", config={"gatewayHost": "shop.example"})
    route = spec(preview, "Route")
    gateway = preview.one("kubernetes:helm.sh/v4:Chart", "istio-gateway").inputs["values"]
    assert route["to"] == {"kind": "Service", "name": gateway["name"]}
    assert route["host"] == preview.outputs["ingressAddress"] == "shop.example"
    assert gateway["service"] == {"type": "ClusterIP"}
    istio = [item.inputs["values"] for item in preview.all("kubernetes:helm.sh/v4:Chart") if "istio" in item.urn]
    assert len([values for values in istio if values.get("global", {}).get("platform") == "openshift"]) == 4
    for item in preview.all("kubernetes:apps/v1:Deployment"):
        pod = item.inputs["spec"]["template"]["spec"]
        for context in (pod["securityContext"], *(part["securityContext"] for part in pod["containers"])):
            assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(context)
