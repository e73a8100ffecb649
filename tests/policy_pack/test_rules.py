"""The shipped stacks keep every rule, and what breaks a rule is told by that rule and no other."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from guardrails.registered import Resource
from guardrails.rule import Rule, violations

from tests.policy_pack.conftest import ROOT, Judge

pytestmark = pytest.mark.program

Graph = Callable[..., list[Resource]]
Change = Callable[[dict[str, Any]], object]

STACKS = sorted(path.suffixes[0][1:] for path in ROOT.glob("Pulumi.*.yaml"))
PRODUCTION = {"prod"}
DURABLE = {
    "kafkaNodePools": [
        {
            "name": name,
            "roles": [name],
            "replicas": 3,
            "storage": {"type": "persistent-claim", "size": "10Gi", "deleteClaim": False},
        }
        for name in ("controller", "broker")
    ],
    "replicationFactor": 3,
}


@pytest.fixture(scope="module")
def dev(graph: Graph) -> list[Resource]:
    """The stack dev."""
    return graph("dev")


def changed(resources: Sequence[Resource], kind: str, name: str, change: Change) -> list[Resource]:
    """Return the resources with one of them changed: what ``change`` does to a copy of its properties."""
    found = [item for item in resources if item.kind == kind and item.name == name]
    assert len(found) == 1, [item.name for item in resources if item.kind == kind]
    properties = copy.deepcopy(dict(found[0].properties))
    change(properties)
    return [replace(item, properties=properties) if item is found[0] else item for item in resources]


def without(resources: Sequence[Resource], kind: str, namespace: str, name: str) -> list[Resource]:
    """Return the resources but for one."""
    left = [item for item in resources if (item.kind, item.namespace, item.name) != (kind, namespace, name)]
    assert len(left) == len(resources) - 1
    return left


@pytest.mark.parametrize("stack", STACKS)
def test_a_shipped_stack_keeps_every_rule(stack: str, graph: Graph, judge: Judge, rules: tuple[Rule, ...]) -> None:
    assert judge(graph(stack)) == {}
    if stack in PRODUCTION:
        assert durable(rules, graph(stack)) == []


PEERS = "security.istio.io/PeerAuthentication"
AUTHORIZATION = "security.istio.io/AuthorizationPolicy"
NETWORK = "networking.k8s.io/NetworkPolicy"
DEPLOYMENT = "apps/Deployment"
SERVICE = "core/Service"
KAFKA = "kafka.strimzi.io/Kafka"
POOL = "kafka.strimzi.io/KafkaNodePool"
USER = "kafka.strimzi.io/KafkaUser"
BROKERS = "demo-app-log-cluster-kafka"
CLUSTER = "demo-app-log-cluster"


@pytest.mark.parametrize(
    ("rule", "kind", "namespace", "name"),
    [
        ("mesh-strict", PEERS, "demo-app", "default"),
        ("mesh-strict", PEERS, "istio-system", "default"),
        ("default-deny", AUTHORIZATION, "kafka", "default-deny"),
        ("default-deny", NETWORK, "demo-app", "default-deny"),
    ],
)
def test_what_is_missing_breaks_one_rule(
    rule: str, kind: str, namespace: str, name: str, dev: list[Resource], judge: Judge
) -> None:
    said = judge(without(dev, kind, namespace, name))
    assert set(said) == {rule}
    assert namespace in said[rule][0]


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        (NETWORK, {"podSelector": {}, "policyTypes": ["Ingress"]}),
        (NETWORK, {"podSelector": {"matchLabels": {"app": "customer"}}, "policyTypes": ["Ingress", "Egress"]}),
        (AUTHORIZATION, {"selector": {"matchLabels": {"app": "customer"}}}),
        (AUTHORIZATION, {"action": "DENY"}),
    ],
)
def test_a_default_deny_that_leaves_something_open_is_none(
    kind: str, spec: dict[str, Any], dev: list[Resource], judge: Judge
) -> None:
    (found,) = [item for item in dev if (item.kind, item.namespace, item.name) == (kind, "demo-app", "default-deny")]
    weak = replace(found, properties={**found.properties, "spec": spec})
    said = judge([weak if item is found else item for item in dev])
    assert said == {"default-deny": [f"Namespace demo-app has no {kind.partition('/')[2]} that denies by default"]}


def container(properties: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = properties["spec"]["template"]["spec"]["containers"][0]
    return found


def rule_of(properties: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = properties["spec"]["rules"][0]
    return found


def operation_of(properties: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = rule_of(properties)["to"][0]["operation"]
    return found


def acl_of(properties: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = properties["spec"]["authorization"]["acls"][0]
    return found


def setting(name: str, value: str) -> Change:
    """Add a variable to the environment of a Deployment's container."""
    return lambda properties: container(properties)["env"].append({"name": name, "value": value})


def annotation(properties: dict[str, Any]) -> None:
    properties["metadata"]["annotations"] = {"example.com/url": "https://me:hunter2@example.com"}


SAYING_A_SECRET = {"env": [{"name": "STORE_PASSWORD", "value": "hunter2"}]}

MUTATIONS: list[tuple[str, str, str, Change]] = [
    ("mesh-permissive-ports", PEERS, BROKERS, lambda p: p["spec"]["portLevelMtls"].update({"9092": {"mode": "PERMISSIVE"}})),
    ("mesh-permissive-ports", PEERS, BROKERS, lambda p: p["spec"]["portLevelMtls"].update({"9090": {"mode": "DISABLE"}})),
    ("mesh-permissive-ports", PEERS, BROKERS, lambda p: p["spec"]["mtls"].update(mode="PERMISSIVE")),
    ("mesh-permissive-ports", PEERS, BROKERS, lambda p: p["spec"].update(selector={"matchLabels": {"app": "customer"}})),
    ("authorization-narrow", AUTHORIZATION, "customer", lambda p: p["spec"]["rules"].append({})),
    ("authorization-narrow", AUTHORIZATION, "customer", lambda p: rule_of(p).pop("from")),
    ("authorization-narrow", AUTHORIZATION, "customer", lambda p: rule_of(p).pop("to")),
    ("authorization-narrow", AUTHORIZATION, "customer", lambda p: rule_of(p)["from"][0]["source"].update(principals=["*"])),
    ("authorization-narrow", AUTHORIZATION, "customer", lambda p: rule_of(p)["from"].append({"source": {"namespaces": ["x"]}})),
    ("authorization-narrow", AUTHORIZATION, "customer", lambda p: operation_of(p).update(paths=["/*"])),
    ("authorization-narrow", AUTHORIZATION, "ingress", lambda p: operation_of(p).pop("paths")),
    ("authorization-narrow", AUTHORIZATION, BROKERS, lambda p: p["spec"]["rules"][1]["to"][0]["operation"].update(ports=["9092"])),
    ("network-narrow", NETWORK, "customer-v1-access", lambda p: p["spec"]["ingress"].append({})),
    ("acl-narrow", USER, "customer-writer", lambda p: acl_of(p).update(operations=["All"])),
    ("acl-narrow", USER, "customer-writer", lambda p: acl_of(p)["resource"].update(name="*")),
    ("acl-narrow", USER, "customer-writer", lambda p: acl_of(p)["resource"].update(patternType="prefix")),
    ("acl-narrow", USER, "customer-writer", lambda p: acl_of(p).update(resource={"type": "cluster"})),
    ("access-declared", AUTHORIZATION, "customer", lambda p: rule_of(p)["from"][0]["source"]["principals"].append("cluster.local/ns/demo-app/sa/consumer-v1")),
    ("access-declared", AUTHORIZATION, "customer", lambda p: operation_of(p).update(methods=["DELETE"])),
    ("access-declared", AUTHORIZATION, "customer", lambda p: operation_of(p).pop("ports")),
    ("access-declared", AUTHORIZATION, "ingress", lambda p: operation_of(p).update(paths=["/admin"])),
    ("access-declared", AUTHORIZATION, "preference", lambda p: p["spec"].pop("selector")),
    ("access-declared", AUTHORIZATION, "preference", lambda p: p["spec"].update(selector={"matchLabels": {"version": "v1"}})),
    ("access-declared", AUTHORIZATION, "preference", lambda p: p["spec"].update(targetRefs=[{"kind": "Service", "name": p["spec"].pop("selector") and "preference"}])),
    ("gateway-in-place", AUTHORIZATION, "ingress", lambda p: p["metadata"].update(namespace="demo-app")),
    ("access-declared", USER, "customer-writer", lambda p: acl_of(p)["operations"].append("Alter")),
    ("access-declared", USER, "customer-writer", lambda p: acl_of(p)["resource"].update(name="demo-application-log-preference")),
    ("one-way-in", SERVICE, "customer", lambda p: p["spec"].update(type="LoadBalancer")),
    ("one-way-in", SERVICE, "customer", lambda p: p["spec"].update(type="NodePort")),
    ("one-way-in", SERVICE, "customer", lambda p: p["spec"].update(externalIPs=["192.0.2.1"])),
    ("one-way-in", KAFKA, CLUSTER, lambda p: p["spec"]["kafka"]["listeners"][0].update(type="loadbalancer")),
    ("kafka-authenticated", KAFKA, CLUSTER, lambda p: p["spec"]["kafka"]["listeners"][0].pop("authentication")),
    ("kafka-authenticated", KAFKA, CLUSTER, lambda p: p["spec"]["kafka"]["listeners"].append({"name": "open", "port": 9093, "type": "internal"})),
    ("kafka-authorized", KAFKA, CLUSTER, lambda p: p["spec"]["kafka"].pop("authorization")),
    ("kafka-authorized", KAFKA, CLUSTER, lambda p: p["spec"]["kafka"]["authorization"].update(superUsers=["CN=root"])),
    ("no-literal-secret", DEPLOYMENT, "customer-v1", setting("DATABASE_PASSWORD", "hunter2")),
    ("no-literal-secret", DEPLOYMENT, "customer-v1", setting("CONFIG", 'x required username="a" password="b";')),
    ("no-literal-secret", DEPLOYMENT, "customer-v1", annotation),
    ("no-literal-secret", KAFKA, CLUSTER, lambda p: p["spec"]["kafka"]["template"].update(kafkaContainer=SAYING_A_SECRET)),
    ("no-literal-secret", KAFKA, CLUSTER, lambda p: p["spec"]["entityOperator"]["template"].update(userOperatorContainer=SAYING_A_SECRET)),
    ("no-literal-secret", POOL, "combined", lambda p: p["spec"].update(template={"kafkaContainer": SAYING_A_SECRET})),
    ("image-pinned", DEPLOYMENT, "customer-v1", lambda p: container(p).update(image="ghcr.io:443/kafka-on-istio/services")),
    ("image-pinned", KAFKA, CLUSTER, lambda p: p["spec"]["kafka"].update(image="quay.io/strimzi/kafka")),
    ("image-pinned", KAFKA, CLUSTER, lambda p: p["spec"]["entityOperator"]["userOperator"].update(image="quay.io/strimzi/operator:latest")),
    ("own-service-account", DEPLOYMENT, "customer-v1", lambda p: p["spec"]["template"]["spec"].pop("serviceAccountName")),
    ("own-service-account", DEPLOYMENT, "customer-v1", lambda p: p["spec"]["template"]["spec"].update(serviceAccountName="preference-v1")),
    ("limits", DEPLOYMENT, "customer-v1", lambda p: container(p)["resources"]["limits"].pop("memory")),
    ("limits", DEPLOYMENT, "customer-v1", lambda p: container(p).pop("resources")),
    ("probes", DEPLOYMENT, "customer-v1", lambda p: container(p).pop("readinessProbe")),
    ("restricted", DEPLOYMENT, "customer-v1", lambda p: p["spec"]["template"]["spec"].pop("securityContext")),
    ("restricted", DEPLOYMENT, "customer-v1", lambda p: container(p)["securityContext"].update(runAsNonRoot=False)),
    ("restricted", DEPLOYMENT, "customer-v1", lambda p: container(p)["securityContext"]["capabilities"].update(add=["NET_ADMIN"])),
    ("restricted", DEPLOYMENT, "customer-v1", lambda p: container(p)["securityContext"].pop("readOnlyRootFilesystem")),
    ("restricted", DEPLOYMENT, "customer-v1", lambda p: p["spec"]["template"]["spec"].update(hostNetwork=True)),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "kind", "name", "change"), MUTATIONS)
def test_a_change_breaks_one_rule(
    rule: str, kind: str, name: str, change: Change, dev: list[Resource], judge: Judge
) -> None:
    said = judge(changed(dev, kind, name, change))
    assert set(said) == {rule}
    assert all(name in message for message in said[rule])


@pytest.mark.parametrize(
    ("rule", "config"),
    [
        ("image-pinned", {"image": "ghcr.io/kafka-on-istio/services:latest"}),
        ("kafka-authorized", {"kafkaConfig": {"allow.everyone.if.no.acl.found": True}}),
        ("limits", {"resources": {}}),
        (
            "no-literal-secret",
            {"services": [{"name": "web", "versions": [{"name": "v1"}], "env": {"API_TOKEN": "t0ken"}}], "routes": []},
        ),
    ],
)  # fmt: skip
def test_a_setting_of_the_program_breaks_one_rule(
    rule: str, config: dict[str, Any], graph: Graph, judge: Judge
) -> None:
    assert set(judge(graph("dev", **config))) == {rule}


def test_a_setting_of_the_stack_for_production_breaks_its_rule_alone(
    graph: Graph, judge: Judge, rules: tuple[Rule, ...]
) -> None:
    prod = graph("prod", replicationFactor=1)
    assert judge(prod) == {}
    assert "Kafka kafka/demo-app-log-cluster has default.replication.factor 1, less than 3" in durable(rules, prod)


def test_a_generated_password_is_found_wherever_it_is_said(dev: list[Resource], judge: Judge) -> None:
    password = next(item.properties["result"] for item in dev if item.type.startswith("random:"))
    said = judge(changed(dev, DEPLOYMENT, "customer-v1", setting("GREETING", f"hello {password}")))
    assert set(said) == {"no-leaked-password"}
    assert said["no-leaked-password"] == ["Deployment demo-app/customer-v1 says a password in its env GREETING"]
    template = {"kafkaContainer": {"env": [{"name": "GREETING", "value": password}]}}
    said = judge(changed(dev, KAFKA, CLUSTER, lambda properties: properties["spec"]["kafka"].update(template=template)))
    assert set(said) == {"no-leaked-password"}


@pytest.mark.parametrize("namespace", ["demo-app", "istio-system", "elsewhere"])
def test_no_namespace_is_opened_as_a_whole(namespace: str, dev: list[Resource], judge: Judge) -> None:
    token = "kubernetes:security.istio.io/v1:PeerAuthentication"
    properties = {"metadata": {"name": "open", "namespace": namespace}, "spec": {"mtls": {"mode": "PERMISSIVE"}}}
    said = judge([*dev, Resource(token, f"urn:pulumi:dev::kafka-on-istio::{token}::open", properties)])
    assert said == {
        "mesh-strict": [f"PeerAuthentication {namespace}/open sets mode PERMISSIVE for its whole namespace"]
    }


def test_a_config_map_is_searched_too(dev: list[Resource], judge: Judge) -> None:
    urn = "urn:pulumi:dev::kafka-on-istio::kubernetes:core/v1:ConfigMap::settings"
    private = "-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----"
    for data in ({"db.password": "hunter2"}, {"tls.pem": private}):
        properties = {"metadata": {"name": "settings", "namespace": "demo-app"}, "data": data}
        said = judge([*dev, Resource("kubernetes:core/v1:ConfigMap", urn, properties)])
        assert set(said) == {"no-literal-secret"}


GATEWAY_API = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
ROUTE = "kubernetes:route.openshift.io/v1:Route"
BALANCER = {"type": "LoadBalancer", "selector": {"istio": "ingressgateway"}}
TO_CUSTOMER = {"kind": "Service", "name": "customer"}
TO_GATEWAY = {"kind": "Service", "name": "istio-ingressgateway"}


def added(
    resources: Sequence[Resource], type_token: str, spec: dict[str, Any], namespace: str = "istio-system"
) -> list[Resource]:
    """Return the resources with one more, that is called ``way``."""
    urn = f"urn:pulumi:dev::kafka-on-istio::{type_token}::way"
    return [*resources, Resource(type_token, urn, {"metadata": {"name": "way", "namespace": namespace}, "spec": spec})]


@pytest.mark.parametrize(
    ("type_token", "spec", "allowed"),
    [
        (INGRESS, {"rules": []}, False),
        (GATEWAY_API, {"gatewayClassName": "istio", "listeners": []}, False),
        (GATEWAY_API, {"gatewayClassName": "istio-waypoint", "listeners": []}, True),
        (ROUTE, {"to": TO_CUSTOMER}, False),
        (ROUTE, {"to": TO_GATEWAY}, True),
        (ROUTE, {"to": TO_GATEWAY, "alternateBackends": [TO_CUSTOMER]}, False),
        ("kubernetes:core/v1:Service", BALANCER, True),
        ("kubernetes:core/v1:Service", {**BALANCER, "selector": {"istio": "egressgateway"}}, False),
    ],
)
def test_only_the_gateway_is_a_way_in(
    type_token: str, spec: dict[str, Any], allowed: bool, dev: list[Resource], judge: Judge
) -> None:
    assert set(judge(added(dev, type_token, spec))) == (set() if allowed else {"one-way-in"})


@pytest.mark.parametrize("stack", ["dev", "platform", "test"])
@pytest.mark.parametrize(
    ("type_token", "spec"), [("kubernetes:core/v1:Service", BALANCER), (ROUTE, {"to": TO_GATEWAY})]
)
def test_the_gateway_is_in_its_namespace_alone(
    stack: str, type_token: str, spec: dict[str, Any], graph: Graph, judge: Judge
) -> None:
    assert judge(added(graph(stack), type_token, spec)) == {}
    said = judge(added(graph(stack), type_token, spec, "elsewhere"))
    kind = type_token.rpartition(":")[2]
    assert said == {
        "gateway-in-place": [
            f"{kind} elsewhere/way is open as if it were the ingress gateway's, which is in istio-system"
        ]
    }


def test_a_namespace_that_only_holds_a_workload_must_be_closed_too(dev: list[Resource], judge: Judge) -> None:
    said = judge(changed(dev, DEPLOYMENT, "customer-v1", lambda p: p["metadata"].update(namespace="elsewhere")))
    assert set(said) == {"mesh-strict", "default-deny"}


def durable(rules: Sequence[Rule], resources: Sequence[Resource]) -> list[str]:
    """Return what the rule for production says."""
    (rule,) = (item for item in rules if getattr(item, "production", False))
    return [found.message for found in violations(rule, resources)]


def test_a_stack_for_production_must_stand_the_loss_of_a_node(graph: Graph, rules: tuple[Rule, ...]) -> None:
    assert durable(rules, graph("dev")) != []
    assert durable(rules, graph("dev", **DURABLE)) == []


@pytest.mark.parametrize(
    ("kind", "name", "change", "message"),
    [
        (KAFKA, CLUSTER, lambda p: p["spec"]["kafka"]["config"].pop("min.insync.replicas"), "min.insync.replicas 1"),
        (KAFKA, CLUSTER, lambda p: p["spec"]["kafka"]["config"].update({"min.insync.replicas": 3}), "min.insync.replicas 3"),
        (KAFKA, CLUSTER, lambda p: p["spec"]["kafka"]["config"].update({"default.replication.factor": 2}), "factor 2"),
        (POOL, "broker", lambda p: p["spec"].update(replicas=2), "2 nodes with the role broker"),
        (POOL, "broker", lambda p: p["spec"]["storage"].update(type="ephemeral"), "type ephemeral"),
        (POOL, "broker", lambda p: p["spec"]["storage"].update(deleteClaim=True), "goes with"),
        ("kafka.strimzi.io/KafkaTopic", "demo-application-log-customer", lambda p: p["spec"].update(replicas=1), "1 replicas"),
    ],
)  # fmt: skip
def test_each_way_to_lose_records_in_production_is_told(
    kind: str, name: str, change: Change, message: str, graph: Graph, rules: tuple[Rule, ...]
) -> None:
    said = durable(rules, changed(graph("dev", **DURABLE), kind, name, change))
    assert any(message in line for line in said), said


def test_every_rule_has_been_seen_to_fail(rules: tuple[Rule, ...]) -> None:
    broken = {rule for rule, *_ in MUTATIONS} | {"mesh-strict", "default-deny", "no-leaked-password", "kafka-durable"}
    assert {rule.name for rule in rules} == broken
