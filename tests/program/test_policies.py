"""Who may talk to whom, as the policies say it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from components.cluster_facts import ClusterFacts
from components.kafka_acl import acl_faults, acl_rule
from kafka_on_istio.access.derivation import access_model
from kafka_on_istio.access.model import Acl
from kafka_on_istio.charts import values as charts
from kafka_on_istio.settings.errors import SettingsError
from kafka_on_istio.settings.settings import Settings
from tests.program.derived import policies, routes

pytestmark = pytest.mark.unit

Load = Callable[..., Settings]


def of_kind(manifests: Iterable[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Return the specifications of a kind by ``namespace/name``."""
    return {
        f"{item['metadata']['namespace']}/{item['metadata']['name']}": item["spec"]
        for item in manifests
        if item["kind"] == kind
    }


def test_everything_is_denied_in_both_namespaces_unless_allowed(settings: Load) -> None:
    made = policies(settings())
    for kind in ("AuthorizationPolicy", "NetworkPolicy"):
        assert {"kafka/default-deny", "demo-app/default-deny"} <= set(of_kind(made, kind))
    assert of_kind(made, "AuthorizationPolicy")["kafka/default-deny"] == {}


def test_no_rule_allows_everybody_everything(settings: Load) -> None:
    for name, spec in of_kind(policies(settings()), "AuthorizationPolicy").items():
        for rule in spec.get("rules", []):
            assert rule.get("to"), name
            assert all(target["operation"] for target in rule["to"]), name


def test_customer_may_be_called_by_the_gateway_alone(settings: Load) -> None:
    rules = of_kind(policies(settings()), "AuthorizationPolicy")["demo-app/customer"]["rules"]
    principals = [name for rule in rules for source in rule["from"] for name in source["source"]["principals"]]
    assert principals == ["cluster.local/ns/istio-system/sa/istio-ingressgateway"]


def test_only_declared_callers_reach_a_service_and_only_as_declared(settings: Load) -> None:
    rules = of_kind(policies(settings()), "AuthorizationPolicy")["demo-app/recommendation"]["rules"]
    assert rules == [
        {
            "from": [{"source": {"principals": ["cluster.local/ns/demo-app/sa/preference-v1"]}}],
            "to": [{"operation": {"methods": ["GET"], "paths": ["/"], "ports": ["8080"]}}],
        }
    ]


def test_kafka_is_open_to_its_clients_alone(settings: Load) -> None:
    rules = of_kind(policies(settings()), "AuthorizationPolicy")["kafka/demo-app-log-cluster-kafka"]["rules"]
    opening = [rule for rule in rules if any("9092" in target["operation"]["ports"] for target in rule["to"])]
    assert len(opening) == 1
    principals = opening[0]["from"][0]["source"]["principals"]
    clients = {
        "customer-v1",
        "preference-v1",
        "recommendation-v1",
        "recommendation-v2",
        "recommendation-v3",
        "consumer-v1",
    }
    assert {name.rpartition("/")[2] for name in principals} == clients


def test_mutual_tls_is_strict_but_for_strimzis_own_ports_on_the_brokers(settings: Load) -> None:
    made = of_kind(policies(settings()), "PeerAuthentication")
    assert {name for name, spec in made.items() if "selector" not in spec} == {
        "istio-system/default", "kafka/default", "demo-app/default"
    }  # fmt: skip
    exceptions = {name: spec for name, spec in made.items() if "portLevelMtls" in spec}
    assert set(exceptions) == {"kafka/demo-app-log-cluster-kafka"}
    assert exceptions["kafka/demo-app-log-cluster-kafka"]["portLevelMtls"] == {
        port: {"mode": "PERMISSIVE"} for port in ("9090", "9091", "8443")
    }
    assert all(spec["mtls"]["mode"] == "STRICT" for spec in made.values())


def test_the_host_outside_is_open_to_recommendation_v3_alone(settings: Load) -> None:
    loaded = settings()
    sidecars = of_kind(policies(loaded), "Sidecar")
    knowing = [
        name
        for name, spec in sidecars.items()
        if any("worldclockapi.com" in host for host in spec["egress"][0]["hosts"])
    ]
    assert knowing == ["demo-app/recommendation-v3"]
    network = of_kind(policies(loaded), "NetworkPolicy")
    reaching = [
        name
        for name, spec in network.items()
        if any("ipBlock" in peer for rule in spec.get("egress", []) for peer in rule.get("to", []))
    ]
    assert reaching == ["demo-app/recommendation-v3-access"]


def test_an_instance_is_told_apart_by_namespaces_and_paths(settings: Load) -> None:
    loaded = settings(instance="pr-7")
    assert (loaded.kafka_namespace, loaded.application_namespace) == ("kafka-pr-7", "demo-app-pr-7")
    made = (*policies(loaded), *routes(loaded))
    assert all("kafka" not in name.partition("/")[0] or "kafka-pr-7/" in name for name in of_kind(made, "Sidecar"))
    http = of_kind(made, "VirtualService")["demo-app-pr-7/ingress"]["http"]
    assert http[0]["match"][0]["uri"] == {"exact": "/pr-7/customer"}
    assert http[0]["rewrite"] == {"uri": "/"}
    rules = of_kind(made, "AuthorizationPolicy")["istio-system/ingress"]["rules"]
    assert rules == [{"to": [{"operation": {"methods": ["GET"], "paths": ["/pr-7/customer"]}}]}]


def test_a_platform_alone_lets_nothing_in(settings: Load) -> None:
    made = policies(settings(layer="platform", strimziNamespace="strimzi"))
    assert of_kind(made, "AuthorizationPolicy")["istio-system/ingress"]["rules"] == []
    assert {item["kind"] for item in made} == {"AuthorizationPolicy", "PeerAuthentication", "NetworkPolicy", "Gateway"}


@pytest.mark.parametrize(
    ("watched", "namespaces"),
    [
        (["*"], {}),
        (
            ["a", "b"],
            {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["a", "b"]}]},
        ),
    ],
)
def test_the_operator_reaches_the_brokers_that_it_watches(
    settings: Load, watched: list[str], namespaces: dict[str, Any]
) -> None:
    loaded = settings(layer="platform", strimziNamespace="strimzi", strimziWatchNamespaces=watched)
    egress = of_kind(policies(loaded), "NetworkPolicy")["strimzi/strimzi-cluster-operator-access"]["egress"]
    brokers = [rule for rule in egress if {"protocol": "TCP", "port": 9091} in rule["ports"]]
    assert [rule["to"][0]["namespaceSelector"] for rule in brokers] == [namespaces]


@pytest.mark.parametrize("topology_key", ["", "topology.kubernetes.io/zone"])
def test_kafka_nodes_reach_the_kubernetes_api_from_which_they_read_their_certificates(
    settings: Load, topology_key: str
) -> None:
    made = policies(settings(topologyKey=topology_key))
    name = "kafka/demo-app-log-cluster-kafka"
    egress = of_kind(made, "NetworkPolicy")[f"{name}-access"]["egress"]
    assert {443, 6443} <= {port["port"] for rule in egress for port in rule["ports"]}
    assert "default/kubernetes.default.svc.cluster.local" in of_kind(made, "Sidecar")[name]["egress"][0]["hosts"]


def to_the_api(settings: Settings) -> list[Any]:
    """Return the peers of the brokers' rule for the Kubernetes API."""
    egress = of_kind(policies(settings), "NetworkPolicy")["kafka/demo-app-log-cluster-kafka-access"]["egress"]
    (rule,) = [rule for rule in egress if {"protocol": "TCP", "port": 6443} in rule["ports"]]
    return [peer["ipBlock"]["cidr"] for peer in rule.get("to", [])]


def test_the_kubernetes_api_is_reached_at_its_addresses_alone(settings: Load) -> None:
    assert to_the_api(settings(apiServerAddresses=["10.96.0.1/32", "fd00::1/128"])) == ["10.96.0.1/32", "fd00::1/128"]
    assert to_the_api(settings()) == []


def test_the_cluster_says_where_its_api_is_unless_a_setting_does(settings: Load) -> None:
    facts = ClusterFacts(owners={}, api_server=["10.96.0.1/32"])
    assert to_the_api(facts.agreed(settings())) == ["10.96.0.1/32"]
    assert to_the_api(facts.agreed(settings(apiServerAddresses=["10.0.0.0/16"]))) == ["10.0.0.0/16"]
    assert to_the_api(ClusterFacts().agreed(settings())) == []


@pytest.mark.parametrize("labels", [{"k8s-app": "kube-dns"}, {"dns.operator.openshift.io/daemonset-dns": "default"}])
def test_names_are_asked_of_the_dns_pods_alone(settings: Load, labels: dict[str, str]) -> None:
    made = of_kind(policies(settings(dnsLabels=labels)), "NetworkPolicy")
    for name, spec in made.items():
        for rule in spec.get("egress", []):
            if {"protocol": "UDP", "port": 53} in rule["ports"]:
                (peer,) = rule["to"]
                assert peer["podSelector"] == {"matchLabels": labels}, name


def test_a_host_outside_has_no_private_address(settings: Load) -> None:
    loaded = settings(privateRanges=["10.0.0.0/8", "fd00::/8"])
    egress = of_kind(policies(loaded), "NetworkPolicy")["demo-app/recommendation-v3-access"]["egress"]
    (block,) = [peer["ipBlock"] for rule in egress for peer in rule.get("to", []) if "ipBlock" in peer]
    assert block == {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}
    assert "100.64.0.0/10" in settings().private_ranges


@pytest.mark.parametrize("value", ["10.0.0.0/33", "999.999.999.999/32", "10.0.0.1/8", "everywhere"])
def test_an_address_range_is_one(settings: Load, value: str) -> None:
    with pytest.raises(SettingsError, match=r"privateRanges\[0\] = .*must be an address range such as 10.0.0.0/8"):
        settings(privateRanges=[value])


def strimzis_names(cluster: str) -> set[str]:
    """Return the names of NetworkPolicies that Strimzi 1.2 makes (its ``*Resources`` classes and chart)."""
    suffixes = (
        "network-policy-kafka",
        "entity-operator",
        "kafka-exporter",
        "cruise-control",
        "connect",
        "mirrormaker2",
    )
    return {f"{cluster}-{suffix}" for suffix in suffixes} | {"strimzi-cluster-operator-network-policy"}


def test_no_policy_has_a_name_that_strimzi_gives_one_of_its_own(settings: Load) -> None:
    """Strimzi overwrites a NetworkPolicy of the same name, whoever made it."""
    loaded = settings()
    ours = {name.partition("/")[2] for name in of_kind(policies(loaded), "NetworkPolicy")}
    assert not ours & strimzis_names(loaded.kafka_cluster)


def test_an_operator_of_our_own_makes_no_network_policies_and_a_shared_one_does(settings: Load) -> None:
    def generates(**changed: Any) -> bool:
        return bool(charts.strimzi(settings(**changed))["generateNetworkPolicy"])

    assert not generates()
    assert not generates(strimziNamespace="strimzi", strimziWatchNamespaces=["kafka"])
    assert generates(strimziWatchNamespaces=["other"])
    assert generates(layer="platform", strimziNamespace="strimzi", strimziWatchNamespaces=["*"])


def test_our_policies_open_all_that_strimzis_would_and_to_no_one_else(settings: Load) -> None:
    """What Strimzi 1.2 lets in to brokers: 9090 and 9091 its own, 8443 the operator, the listener its peers."""
    rules = of_kind(policies(settings()), "NetworkPolicy")["kafka/demo-app-log-cluster-kafka-access"]["ingress"]
    allowed: dict[int, set[str]] = {}
    for rule in rules:
        for port in rule["ports"]:
            names = {next(iter(reversed(peer["podSelector"]["matchLabels"].values()))) for peer in rule["from"]}
            allowed.setdefault(port["port"], set()).update(names)
    operator, brokers, entity = (
        "strimzi-cluster-operator",
        "demo-app-log-cluster-kafka",
        "demo-app-log-cluster-entity-operator",
    )
    assert allowed[9090] == {operator, brokers}
    assert allowed[9091] == {operator, brokers, entity}
    assert allowed[8443] == {operator}
    # Prometheus reads Kafka's metrics through the sidecar, so that 9404 is open to no one.
    assert set(allowed) == {9090, 9091, 8443, 9092, 15020}


def test_the_gateway_goes_where_it_is_declared_to_go_and_nowhere_else(settings: Load) -> None:
    (gateway,) = [
        item
        for item in policies(settings())
        if item["kind"] == "NetworkPolicy" and item["metadata"]["namespace"] == "istio-system"
    ]
    assert gateway["spec"]["podSelector"] == {"matchLabels": {"istio": "ingressgateway"}}
    assert gateway["spec"]["policyTypes"] == ["Egress"]
    ports = {port["port"] for rule in gateway["spec"]["egress"] for port in rule["ports"]}
    assert ports == {8080, 53, 15012, 4317, 4318}
    assert all(rule.get("to") for rule in gateway["spec"]["egress"])


def test_calls_are_shared_out_by_weight(settings: Load) -> None:
    route = of_kind(routes(settings()), "VirtualService")["demo-app/recommendation"]["http"][0]["route"]
    assert [(item["destination"]["subset"], item["weight"]) for item in route] == [
        ("v1", 40),
        ("v2", 40),
        ("v3", 20),
    ]


def test_a_rule_is_for_what_it_names() -> None:
    assert acl_rule({"resource": "topic", "name": "orders", "operations": ["Write"]}) == {
        "type": "allow",
        "resource": {"type": "topic", "name": "orders", "patternType": "literal"},
        "operations": ["Write"],
        "host": "*",
    }
    prefixed = acl_rule({"resource": "group", "name": "shop-", "pattern": "prefix", "operations": ["Read"]})
    assert prefixed["resource"] == {"type": "group", "name": "shop-", "patternType": "prefix"}
    cluster = acl_rule({"resource": "cluster", "operations": ["Describe"]})
    assert cluster["resource"] == {"type": "cluster"}


def test_a_rule_that_denies_denies() -> None:
    acl = {"type": "deny", "resource": "topic", "name": "salaries", "operations": ["Read"]}
    assert acl_rule(acl)["type"] == "deny"
    assert list(acl_faults([acl])) == []


def test_every_fault_of_an_acl_is_named_with_what_is_allowed() -> None:
    acls = [
        {"type": "refuse", "resource": "topic", "name": "a", "operations": ["Read"]},
        {"resource": "topics", "name": "a", "pattern": "prefix", "operations": ["Read"]},
        {"resource": "cluster", "name": "a", "operations": ["Read"]},
        {"resource": "group", "operations": ["Read"]},
    ]
    assert list(acl_faults(acls)) == [
        "acls[0].type = 'refuse': must be allow or deny",
        "acls[1].resource = 'topics': must be topic or group or cluster or transactionalId",
        "acls[2].name = 'a': a cluster has no name; remove it",
        "acls[3].name is missing; a group has one",
    ]


def test_a_users_rights_are_its_own_topic_and_no_more(settings: Load) -> None:
    users = {user.name: user for user in access_model(settings()).users}
    assert set(users) == {
        "customer-writer",
        "preference-writer",
        "recommendation-writer",
        "consumer-reader-writer",
    }
    own = Acl("topic", "demo-application-log-customer", ("Write", "Create", "Describe"))
    assert users["customer-writer"].acls == (own,)
    consumer = [(acl.resource, acl.name, set(acl.operations)) for acl in users["consumer-reader-writer"].acls]
    assert ("topic", "demo-application-log-customer", {"Read", "Describe"}) in consumer
    assert ("topic", "demo-application-log-aggregated", {"Write", "Describe"}) in consumer
    assert {kind for kind, _, _ in consumer} == {"topic", "group", "transactionalId"}


def test_a_new_service_gets_its_edges_user_and_policies_from_its_declaration(
    settings: Load, defaults: dict[str, Any]
) -> None:
    audit = {
        "name": "audit",
        "versions": [{"name": "v1"}],
        "calls": [{"service": "customer", "method": "GET", "path": "/"}],
        "writes": "demo-application-log-audit",
    }
    loaded = settings(services=[*defaults["services"], audit])
    made = policies(loaded)
    rules = of_kind(made, "AuthorizationPolicy")["demo-app/customer"]["rules"]
    assert any("cluster.local/ns/demo-app/sa/audit-v1" in rule["from"][0]["source"]["principals"] for rule in rules)
    assert "demo-app/audit-v1-access" in of_kind(made, "NetworkPolicy")
    assert "demo-app/audit-v1" in of_kind(made, "Sidecar")
    assert "audit-writer" in {user.name for user in access_model(loaded).users}
    assert "demo-application-log-audit" in access_model(loaded).topics
