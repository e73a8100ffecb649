"""A cluster out of its resources: ids, certificates, configuration, manifests, and what is refused."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from cryptography import x509

from lab.certificates import renewed
from lab.strimzi import (
    configuration,
    entity_operator,
    names,
    network_policies,
    pods,
    secret_manifests,
    services,
)
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
        ("kafka.rack", {"type": "environment-variable"}, "spec.kafka.rack"),
        ("kafka.logging", {"type": "inline"}, "spec.kafka.logging"),
        ("kafka.quotas", {"type": "strimzi"}, "spec.kafka.quotas"),
        ("kafka.tieredStorage", {}, "spec.kafka.tieredStorage"),
        ("kafka.metricsConfig", {"type": "strimziMetricsReporter"}, "spec.kafka.metricsConfig"),
        ("kafka.listeners.0.type", "route", "spec.kafka.listeners[0].type"),
        ("kafka.listeners.0.configuration", {"maxConnections": 3}, "spec.kafka.listeners[0].configuration"),
        ("kafka.listeners.0.authentication.type", "tls", "spec.kafka.listeners[0].authentication.type"),
        ("kafka.template.podSet", {}, "spec.kafka.template.podSet"),
        ("kafka.version", "4.1.0", "supported are 4.2.0, 4.2.1, 4.3.0, 4.3.1"),
        ("kafka.metadataVersion", "4.2", "spec.kafka.metadataVersion: '4.2'"),
        ("kafka.listeners.0.port", 9404, "port 9404"),
        ("cruiseControl", {}, "spec.cruiseControl"),
        ("clusterCa", {"generateCertificateAuthority": False}, "spec.clusterCa.generateCertificateAuthority"),
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
            [put(resources.pool(), "template.podSet", {})],
            "KafkaNodePool combined: spec.template.podSet",
        ),
    ],
)
def test_pools_that_make_no_cluster_are_refused(pools: list[dict[str, Any]], named: str) -> None:
    with pytest.raises(RefusedError) as refused:
        made(None, *pools)
    assert named in str(refused.value)


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
    assert properties["log.dirs"] == "/var/lib/kafka/data/kafka-log0"
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
    host = "log-a-0.log-kafka-brokers.kafka.svc"
    assert controller["advertised.listeners"] == f"CONTROLPLANE-9090://{host}:9090"
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
        "User:CN=log-kafka-exporter,O=io.strimzi",
        "User:CN=log-cruise-control,O=io.strimzi",
        "User:CN=cluster-operator,O=io.strimzi",
    ]


def in_api(manifests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {it["metadata"]["name"]: it for it in manifests}


def test_certificates_are_kept_while_they_serve_and_names_are_those_that_clients_use() -> None:
    one = made()
    first = secret_manifests.certificates(one, {})
    found = in_api(list(secret_manifests.manifests(one, first)))
    assert secret_manifests.certificates(one, found) == first
    certificate = x509.load_pem_x509_certificate(first.nodes["log-combined-0"].certificate)
    assert certificate.subject.rfc4514_string() == "CN=log-kafka,O=io.strimzi"
    hosts = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {
        "log-combined-0.log-kafka-brokers.kafka.svc",
        "log-kafka-bootstrap.kafka.svc.cluster.local",
    } <= set(hosts.get_values_for_type(x509.DNSName))

    del found["log-combined-0"]
    again = secret_manifests.certificates(one, found)
    assert again.authorities == first.authorities
    assert again.nodes != first.nodes

    del found["log-cluster-ca"]
    assert (
        secret_manifests.certificates(one, found).operators["cluster-operator"] != first.operators["cluster-operator"]
    )


def in_days(pem: bytes) -> int:
    end = x509.load_pem_x509_certificate(pem).not_valid_after_utc
    return round((end - datetime.now(UTC)).total_seconds() / 86_400)


def test_certificates_are_good_for_a_year_and_renewed_in_their_last_month_by_a_roll() -> None:
    one = made()
    first = secret_manifests.certificates(one, {})
    node = first.nodes["log-combined-0"].certificate
    assert [in_days(it) for it in (first.trusted, node)] == [365, 365]
    # Those of a cluster whose certificates are to last for 29 days more are near their end for any other.
    short = made(put(resources.kafka(), "clusterCa", {"validityDays": 29, "renewalDays": 5}))
    aged = in_api(list(secret_manifests.manifests(short, secret_manifests.certificates(short, {}))))
    assert secret_manifests.certificates(short, aged).trusted == secret_manifests.decoded(
        aged["log-cluster-ca-cert"], "ca.crt"
    )
    renewed = secret_manifests.certificates(one, aged)
    assert [in_days(it) for it in (renewed.trusted, renewed.nodes["log-combined-0"].certificate)] == [365, 365]
    assert renewed.authorities["cluster"].pair.key == secret_manifests.decoded(aged["log-cluster-ca"], "ca.key")
    assert (renewed.authorities["cluster"].generation, first.authorities["cluster"].generation) == (1, 0)
    assert revision(one, renewed) != revision(one, first)


def test_what_an_authority_signed_is_kept_when_its_own_certificate_is_renewed() -> None:
    one = made()
    aged = in_api(list(secret_manifests.manifests(one, secret_manifests.certificates(one, {}))))
    pair = secret_manifests.certificates(one, aged).authorities["cluster"].pair
    aged["log-cluster-ca-cert"]["data"] = secret_manifests.encoded({"ca.crt": renewed(pair, 29).certificate})
    again = secret_manifests.certificates(one, aged)
    assert in_days(again.trusted) == 365
    assert again.nodes["log-combined-0"].certificate == secret_manifests.decoded(
        aged["log-combined-0"], "log-combined-0.crt"
    )
    assert (
        revision(one, again)
        != revision(one, secret_manifests.certificates(one, in_api(list(secret_manifests.manifests(one, again)))))
        or again.authorities["cluster"].generation == 1
    )


def test_a_private_key_is_in_no_representation() -> None:
    assert "PRIVATE" not in repr(secret_manifests.certificates(made(), {}))


def revision(one: Cluster, found: secret_manifests.Certificates) -> str:
    pod = pods.pod(one, one.nodes[0], found)
    return str(pod["metadata"]["annotations"][names.REVISION_ANNOTATION])


def test_a_pod_has_another_revision_when_it_must_be_restarted_and_only_then() -> None:
    kept = secret_manifests.certificates(made(), {})
    before = revision(made(), kept)
    assert revision(made(), kept) == before
    assert revision(made(resources.kafka(version="4.3.0")), kept) != before
    assert revision(made(resources.kafka(config={"num.io.threads": 2})), kept) != before
    assert revision(made(None, resources.pool(resources={"limits": {"cpu": "1"}})), kept) != before
    assert revision(made(), secret_manifests.certificates(made(), {})) != before
    operators = put(resources.kafka(), "entityOperator.topicOperator.reconciliationIntervalMs", 5)
    assert revision(made(operators), kept) == before


def test_a_pod_is_known_by_strimzis_labels_whatever_a_template_says() -> None:
    labels = {"app": "kafka-cluster", "strimzi.io/name": "mine"}
    one = made(put(resources.kafka(), "kafka.template.pod.metadata", {"labels": labels}))
    pod = pods.pod(one, one.nodes[0], secret_manifests.certificates(one, {}))
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
    found = in_api([it for it in services.manifests(made()) if it["kind"] == "Service"])
    bootstrap, headless = found["log-kafka-bootstrap"]["spec"], found["log-kafka-brokers"]["spec"]
    assert {it["name"]: it["port"] for it in bootstrap["ports"]} == {"tcp-replication": 9091, "tcp-clients": 9092}
    assert {it["name"]: it["port"] for it in headless["ports"]} == {
        "tcp-ctrlplane": 9090,
        "tcp-replication": 9091,
        "tcp-kafkaagent": 8443,
        "tcp-clients": 9092,
    }
    assert (headless["clusterIP"], headless["publishNotReadyAddresses"]) == ("None", True)
    assert bootstrap["selector"] == headless["selector"] | {"strimzi.io/broker-role": "true"}


def test_a_listener_is_open_to_its_peers_and_to_all_when_none_are_said() -> None:
    def rules(one: Cluster) -> dict[int, Any]:
        policy = next(network_policies.manifests(one, "strimzi"))
        return {rule["ports"][0]["port"]: rule.get("from") for rule in policy["spec"]["ingress"]}

    closed = rules(made())
    assert closed[9092] == [{"podSelector": {"matchLabels": {"app": "client"}}}]
    operator = {"podSelector": {"matchLabels": {"strimzi.io/kind": "cluster-operator"}}, "namespaceSelector": {}}
    assert closed[8443] == [operator]
    unsaid = resources.kafka()
    del unsaid["spec"]["kafka"]["listeners"][0]["networkPolicyPeers"]
    assert rules(made(unsaid))[9092] is None


def test_claims_go_with_the_cluster_only_when_that_is_asked_for() -> None:
    volumes = [
        {"type": "persistent-claim", "id": 0, "size": "1Gi", "deleteClaim": True, "kraftMetadata": "shared"},
        {"type": "persistent-claim", "id": 1, "size": "2Gi", "class": "fast"},
    ]
    one = made(None, put(resources.pool(), "storage", {"type": "jbod", "volumes": volumes}))
    found = in_api([it for it in services.manifests(one) if "Claim" in it["kind"]])
    assert found["data-0-log-combined-0"]["metadata"]["ownerReferences"][0]["name"] == "log"
    assert "ownerReferences" not in found["data-1-log-combined-0"]["metadata"]
    assert found["data-1-log-combined-0"]["spec"]["storageClassName"] == "fast"
    properties = configuration.server_properties(one, one.nodes[0])
    assert properties["log.dirs"] == "/var/lib/kafka/data-0/kafka-log0,/var/lib/kafka/data-1/kafka-log0"
    assert properties["metadata.log.dir"] == "/var/lib/kafka/data-0/kafka-log0"


def pod_of(one: Cluster, node: int = 0) -> dict[str, Any]:
    return dict(pods.pod(one, one.nodes[node], secret_manifests.certificates(one, {}))["spec"])


def test_brokers_on_racks_ask_for_theirs_and_go_where_there_are_some() -> None:
    pools = resources.pool("a", 1, ("controller",)), resources.pool("b", 1, ("broker",))
    affinity = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    kafka = put(resources.kafka(rack={"topologyKey": "zone"}), "kafka.template.pod", {"affinity": affinity})
    one = made(kafka, *pools)
    controller, broker = pod_of(one, 0), pod_of(one, 1)
    assert ("initContainers" in controller, controller["affinity"]) == (False, affinity)
    (init,) = broker["initContainers"]
    assert {"name": "RACK_TOPOLOGY_KEY", "value": "zone"} in init["env"]
    required = broker["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert required["nodeSelectorTerms"] == [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]
    assert broker["affinity"] | affinity == broker["affinity"]
    properties = configuration.server_properties(one, one.nodes[1])
    assert properties["broker.rack"] == "${strimzidir:/opt/kafka/init:rack.id}"
    bindings = [it for it in services.manifests(one) if it["kind"] == "ClusterRoleBinding"]
    assert [it["metadata"]["name"] for it in bindings] == ["strimzi-kafka-log-kafka-init"]
    assert not [it for it in services.manifests(made()) if it["kind"] == "ClusterRoleBinding"]


def test_a_pools_templates_are_used_instead_of_the_clusters() -> None:
    kafka = put(resources.kafka(), "kafka.template.pod", {"terminationGracePeriodSeconds": 60})
    container = {"env": [{"name": "A", "value": "1"}]}
    kafka = put(kafka, "kafka.template.kafkaContainer", container)
    spread = [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]
    pool = put(resources.pool(), "template.pod", {"topologySpreadConstraints": spread})
    own, shared = pod_of(made(kafka, pool)), pod_of(made(kafka))
    assert (own["terminationGracePeriodSeconds"], own["topologySpreadConstraints"]) == (30, spread)
    assert shared["terminationGracePeriodSeconds"] == 60
    assert "topologySpreadConstraints" not in shared
    assert container["env"][0] in own["containers"][0]["env"]


def test_the_restricted_provider_secures_each_container_and_a_template_has_the_last_word() -> None:
    def context(restricted: bool, **template: Any) -> Any:
        kafka = put(resources.kafka(), "kafka.template.kafkaContainer", template)
        one = cluster(kafka, [resources.pool()], "cluster.local", restricted=restricted)
        return pod_of(one)["containers"][0].get("securityContext")

    assert context(restricted=False) is None
    assert context(restricted=True)["capabilities"] == {"drop": ["ALL"]}
    assert context(restricted=True, securityContext={"runAsUser": 5}) == {"runAsUser": 5}


def test_the_entity_operator_has_what_is_asked_for() -> None:
    environment = [{"name": "STRIMZI_USE_FINALIZERS", "value": "false"}]
    one = made(put(resources.kafka(), "entityOperator.template.topicOperatorContainer", {"env": environment}))
    found = entity_operator.manifests(one, secret_manifests.certificates(one, {}))
    deployment = next(it for it in found if it["kind"] == "Deployment")
    topic, user = deployment["spec"]["template"]["spec"]["containers"]
    variables = {it["name"]: it["value"] for it in topic["env"]}
    assert variables["STRIMZI_KAFKA_BOOTSTRAP_SERVERS"] == "log-kafka-bootstrap:9091"
    assert variables["STRIMZI_USE_FINALIZERS"] == "false"
    assert user["args"] == ["/opt/strimzi/bin/user_operator_run.sh"]

    none = resources.kafka()
    del none["spec"]["entityOperator"]
    bare = made(none)
    assert list(entity_operator.manifests(bare, secret_manifests.certificates(bare, {}))) == []
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
