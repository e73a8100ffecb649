"""A cluster out of its resources: ids, certificates, configuration, manifests, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from cryptography import x509

from lab.strimzi import configuration, entity_operator, names, pods, secrets, services
from lab.strimzi.cluster import Cluster, cluster, node_ids
from lab.strimzi.conditions import RefusedError, not_ready, ready, status
from tests.strimzi import resources

pytestmark = pytest.mark.unit


def made(kafka: dict[str, Any] | None = None, *pools: dict[str, Any]) -> Cluster:
    return cluster(kafka or resources.kafka(), pools or [resources.pool()], "cluster.local")


def put(resource: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    result = copy.deepcopy(resource)
    *parents, last = path.split(".")
    part = result["spec"]
    for parent in parents:
        part = part[int(parent)] if parent.isdecimal() else part.setdefault(parent, {})
    part[last] = value
    return result


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("kafka.rack", {"topologyKey": "zone"}, "spec.kafka.rack"),
        ("kafka.quotas", {"type": "strimzi"}, "spec.kafka.quotas"),
        ("kafka.tieredStorage", {}, "spec.kafka.tieredStorage"),
        ("kafka.metricsConfig", {"type": "strimziMetricsReporter"}, "spec.kafka.metricsConfig"),
        ("kafka.listeners.0.type", "route", "spec.kafka.listeners[0].type"),
        ("kafka.listeners.0.configuration", {"maxConnections": 3}, "spec.kafka.listeners[0].configuration"),
        ("kafka.listeners.0.authentication.type", "tls", "spec.kafka.listeners[0].authentication.type"),
        ("kafka.template.pod.affinity", {}, "spec.kafka.template.pod.affinity"),
        ("kafka.version", "3.9.0", "spec.kafka.version: '3.9.0'"),
        ("kafka.metadataVersion", "4.2", "spec.kafka.metadataVersion: '4.2'"),
        ("kafka.listeners.0.port", 9404, "port 9404"),
        ("cruiseControl", {}, "spec.cruiseControl"),
        ("clusterCa", {"validityDays": 3}, "spec.clusterCa"),
        ("entityOperator.topicOperator.logging", {}, "spec.entityOperator.topicOperator.logging"),
    ],
)
def test_what_the_lab_does_not_honour_is_refused_by_name(path: str, value: object, named: str) -> None:
    with pytest.raises(RefusedError, match="Kafka log") as refused:
        made(put(resources.kafka(), path, value))
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("pools", "named"),
    [
        ([resources.pool(roles=("broker",))], "no node with the role controller"),
        ([resources.pool(roles=("controller",))], "no node with the role broker"),
        ([put(resources.pool(), "storage", {"type": "jbod", "volumes": []})], "every volume needs an id"),
        (
            [put(resources.pool(), "template.kafkaContainer", {})],
            "KafkaNodePool combined: spec.template.kafkaContainer",
        ),
    ],
)
def test_pools_that_make_no_cluster_are_refused(pools: list[dict[str, Any]], named: str) -> None:
    with pytest.raises(RefusedError) as refused:
        made(None, *pools)
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("pools", "instead"),
    [
        ([resources.pool("a", 3), resources.pool("b", 1, ("broker",))], "nodes 0, 2, 3 would be"),
        ([resources.pool("a", 1), resources.pool("b", 1)], "nodes 0, 1 would be"),
        ([resources.pool("a", 1, ("broker",)), resources.pool("b", 1)], "nodes 1 would be"),
    ],
)
def test_the_controllers_of_a_cluster_that_is_there_stay(pools: list[dict[str, Any]], instead: str) -> None:
    made(None, *pools)
    there = [
        {**pools[0], "status": {"nodeIds": [0], "roles": ["controller", "broker"]}},
        {**pools[1], "status": {"nodeIds": [1], "roles": ["broker"]}},
    ]
    kafka = resources.kafka() | {"status": {"clusterId": "AAAAAAAAAAAAAAAAAAAAAA"}}
    with pytest.raises(RefusedError) as refused:
        made(kafka, *there)
    assert f"{instead} controllers instead of 0" in str(refused.value)


def test_a_cluster_without_pools_is_refused() -> None:
    with pytest.raises(RefusedError, match="No KafkaNodePools found for Kafka log"):
        cluster(resources.kafka(), [], "cluster.local")


def test_nodes_keep_their_ids_and_new_ones_get_the_lowest_that_are_free() -> None:
    assert node_ids({"a": 2, "b": 2}, {}) == {"a": (0, 1), "b": (2, 3)}
    assert node_ids({"a": 3, "b": 2}, {"a": [0, 1], "b": [2, 3]}) == {"a": (0, 1, 4), "b": (2, 3)}
    assert node_ids({"a": 1, "b": 3}, {"a": [0, 1], "b": [2, 3]}) == {"a": (0,), "b": (1, 2, 3)}


def test_kafka_knows_the_same_cluster_by_the_same_id() -> None:
    assert made().cluster_id == made().cluster_id
    kept = resources.kafka() | {"status": {"clusterId": "AAAAAAAAAAAAAAAAAAAAAA"}}
    assert made(kept).cluster_id == "AAAAAAAAAAAAAAAAAAAAAA"


def test_settings_that_strimzi_makes_itself_cannot_be_made() -> None:
    config = {"log.dirs": "/x", "ssl.protocol": "TLSv1.3", "advertised.listeners": "x", "num.io.threads": 2, "a": True}
    assert configuration.forbidden(config) == ["log.dirs", "advertised.listeners"]
    properties = configuration.server_properties(made(resources.kafka(config=config)), made().nodes[0])
    assert properties["log.dirs"] == "/var/lib/kafka/data/kafka-log"
    assert (properties["ssl.protocol"], properties["num.io.threads"], properties["a"]) == ("TLSv1.3", "2", "true")
    assert properties["advertised.listeners"].endswith("PLAIN-9092://log-combined-0.log-kafka-brokers.kafka.svc:9092")


def test_values_reach_kafka_as_they_were_written() -> None:
    assert configuration.text({"a": " b\\c\nd"}) == "a=\\ b\\\\c\\nd\n"


def test_roles_decide_which_ports_a_node_serves() -> None:
    whole = made(None, resources.pool("a", 3, ("controller",)), resources.pool("b", 2, ("broker",)))
    controller, broker = (
        configuration.server_properties(whole, next(node for node in whole.nodes if node.pool.name == name))
        for name in ("a", "b")
    )
    assert controller["listeners"] == "CONTROLPLANE-9090://0.0.0.0:9090"
    assert "advertised.listeners" not in controller
    assert broker["listeners"] == "REPLICATION-9091://0.0.0.0:9091,PLAIN-9092://0.0.0.0:9092"
    voters = "0@log-a-0.log-kafka-brokers.kafka.svc:9090"
    assert controller["controller.quorum.voters"] == broker["controller.quorum.voters"]
    assert broker["controller.quorum.voters"].startswith(voters)
    assert broker["controller.quorum.voters"].count("@") == 3


def test_only_those_who_are_asked_for_a_certificate_need_no_password() -> None:
    properties = configuration.server_properties(made(), made().nodes[0])
    protocols = dict(it.split(":") for it in properties["listener.security.protocol.map"].split(","))
    assert protocols == {"CONTROLPLANE-9090": "SSL", "REPLICATION-9091": "SSL", "PLAIN-9092": "SASL_PLAINTEXT"}
    for listener in ("controlplane-9090", "replication-9091"):
        assert properties[f"listener.name.{listener}.ssl.client.auth"] == "required"
    assert properties["listener.name.plain-9092.sasl.enabled.mechanisms"] == "SCRAM-SHA-512"
    assert properties["authorizer.class.name"] == "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    assert properties["super.users"].split(";") == [
        "User:CN=log-kafka,O=io.strimzi",
        "User:CN=log-entity-topic-operator,O=io.strimzi",
        "User:CN=log-entity-user-operator,O=io.strimzi",
        "User:CN=cluster-operator,O=io.strimzi",
    ]


def in_api(manifests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {it["metadata"]["name"]: it for it in manifests}


def test_certificates_are_kept_while_they_serve_and_names_are_those_that_clients_use() -> None:
    one = made()
    first = secrets.certificates(one, {})
    found = in_api(list(secrets.manifests(one, first)))
    assert secrets.certificates(one, found) == first
    certificate = x509.load_pem_x509_certificate(first.nodes["log-combined-0"].certificate)
    assert certificate.subject.rfc4514_string() == "CN=log-kafka,O=io.strimzi"
    hosts = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {
        "log-combined-0.log-kafka-brokers.kafka.svc",
        "log-kafka-bootstrap.kafka.svc.cluster.local",
    } <= set(hosts.get_values_for_type(x509.DNSName))

    del found["log-combined-0"]
    again = secrets.certificates(one, found)
    assert again.cluster_authority == first.cluster_authority
    assert again.nodes != first.nodes

    del found["log-cluster-ca"]
    assert secrets.certificates(one, found).operators["cluster-operator"] != first.operators["cluster-operator"]


def test_a_private_key_is_in_no_representation() -> None:
    assert "PRIVATE" not in repr(secrets.certificates(made(), {}))


def revision(one: Cluster, certificates: secrets.Certificates) -> str:
    node = one.nodes[0]
    pod = pods.pod(one, node, certificates.nodes[node.pod])
    return str(pod["metadata"]["annotations"][names.REVISION_ANNOTATION])


def test_a_pod_has_another_revision_when_it_must_be_restarted_and_only_then() -> None:
    certificates = secrets.certificates(made(), {})
    before = revision(made(), certificates)
    assert revision(made(), certificates) == before
    assert revision(made(resources.kafka(version="4.3.0")), certificates) != before
    assert revision(made(resources.kafka(config={"num.io.threads": 2})), certificates) != before
    assert revision(made(None, resources.pool(resources={"limits": {"cpu": "1"}})), certificates) != before
    assert revision(made(), secrets.certificates(made(), {})) != before
    operators = put(resources.kafka(), "entityOperator.topicOperator.reconciliationIntervalMs", 5)
    assert revision(made(operators), certificates) == before


def test_a_pod_is_known_by_strimzis_labels_whatever_a_template_says() -> None:
    labels = {"app": "kafka-cluster", "strimzi.io/name": "mine"}
    one = made(put(resources.kafka(), "kafka.template.pod.metadata", {"labels": labels}))
    pod = pods.pod(one, one.nodes[0], secrets.certificates(one, {}).nodes["log-combined-0"])
    assert (
        pod["metadata"]["labels"]
        | {
            "app": "kafka-cluster",
            "strimzi.io/cluster": "log",
            "strimzi.io/kind": "Kafka",
            "strimzi.io/name": "log-kafka",
            "strimzi.io/pool-name": "combined",
            "strimzi.io/broker-role": "true",
            "strimzi.io/controller-role": "true",
            "strimzi.io/component-type": "kafka",
        }
        == pod["metadata"]["labels"]
    )
    assert pod["spec"]["hostname"] == "log-combined-0"
    assert pod["spec"]["subdomain"] == "log-kafka-brokers"
    assert pod["spec"]["containers"][0]["image"] == "quay.io/strimzi/kafka:1.2.0-kafka-4.3.1"


def test_services_have_strimzis_names_and_ports() -> None:
    found = in_api([it for it in services.manifests(made(), network_policies=True) if it["kind"] == "Service"])
    bootstrap, headless = found["log-kafka-bootstrap"]["spec"], found["log-kafka-brokers"]["spec"]
    assert {it["name"]: it["port"] for it in bootstrap["ports"]} == {"tcp-replication": 9091, "tcp-plain": 9092}
    assert {it["name"]: it["port"] for it in headless["ports"]} == {
        "tcp-ctrlplane": 9090,
        "tcp-replication": 9091,
        "tcp-kafkaagent": 8443,
        "tcp-plain": 9092,
    }
    assert (headless["clusterIP"], headless["publishNotReadyAddresses"]) == ("None", True)
    assert bootstrap["selector"] == headless["selector"] | {"strimzi.io/broker-role": "true"}


def test_a_listener_is_open_to_its_peers_and_to_all_when_none_are_said() -> None:
    def rules(one: Cluster) -> dict[int, Any]:
        policy = next(it for it in services.manifests(one, network_policies=True) if it["kind"] == "NetworkPolicy")
        return {rule["ports"][0]["port"]: rule.get("from") for rule in policy["spec"]["ingress"]}

    closed = rules(made())
    assert closed[9092] == [{"podSelector": {"matchLabels": {"app": "client"}}}]
    operator = {"podSelector": {"matchLabels": {"strimzi.io/kind": "cluster-operator"}}, "namespaceSelector": {}}
    assert closed[8443] == [operator]
    unsaid = resources.kafka()
    del unsaid["spec"]["kafka"]["listeners"][0]["networkPolicyPeers"]
    assert rules(made(unsaid))[9092] is None
    assert not [it for it in services.manifests(made(), network_policies=False) if it["kind"] == "NetworkPolicy"]


def test_claims_go_with_the_cluster_only_when_that_is_asked_for() -> None:
    volumes = [
        {"type": "persistent-claim", "id": 0, "size": "1Gi", "deleteClaim": True, "kraftMetadata": "shared"},
        {"type": "persistent-claim", "id": 1, "size": "2Gi", "class": "fast"},
    ]
    one = made(None, put(resources.pool(), "storage", {"type": "jbod", "volumes": volumes}))
    found = in_api([it for it in services.manifests(one, network_policies=True) if "Claim" in it["kind"]])
    assert found["data-0-log-combined-0"]["metadata"]["ownerReferences"][0]["name"] == "log"
    assert "ownerReferences" not in found["data-1-log-combined-0"]["metadata"]
    assert found["data-1-log-combined-0"]["spec"]["storageClassName"] == "fast"
    properties = configuration.server_properties(one, one.nodes[0])
    assert properties["log.dirs"] == "/var/lib/kafka/data-0/kafka-log,/var/lib/kafka/data-1/kafka-log"
    assert properties["metadata.log.dir"] == "/var/lib/kafka/data-0/kafka-log"


def test_the_entity_operator_has_what_is_asked_for() -> None:
    environment = [{"name": "STRIMZI_USE_FINALIZERS", "value": "false"}]
    one = made(put(resources.kafka(), "entityOperator.template.topicOperatorContainer", {"env": environment}))
    deployment = next(it for it in entity_operator.manifests(one) if it["kind"] == "Deployment")
    topic, user = deployment["spec"]["template"]["spec"]["containers"]
    variables = {it["name"]: it["value"] for it in topic["env"]}
    assert variables["STRIMZI_KAFKA_BOOTSTRAP_SERVERS"] == "log-kafka-bootstrap:9091"
    assert variables["STRIMZI_USE_FINALIZERS"] == "false"
    assert user["args"] == ["user-operator"]

    none = resources.kafka()
    del none["spec"]["entityOperator"]
    assert list(entity_operator.manifests(made(none))) == []
    yaml.safe_dump(deployment)


def test_a_status_is_written_once_and_a_condition_keeps_its_time() -> None:
    kafka = resources.kafka()
    first = status(kafka, [not_ready("Creating", "wait")], "T1", {"a": 1})
    assert first == {
        "observedGeneration": 1,
        "a": 1,
        "conditions": [
            {
                "type": "NotReady",
                "status": "True",
                "reason": "Creating",
                "message": "wait",
                "lastTransitionTime": "T1",
            }
        ],
    }
    kafka["status"] = first
    assert status(kafka, [not_ready("Creating", "wait")], "T2", {"a": 1}) is None
    later = status(kafka, [ready()], "T2", {"a": None})
    assert later is not None
    assert later["conditions"] == [{"type": "Ready", "status": "True", "lastTransitionTime": "T2"}]
