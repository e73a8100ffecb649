"""The cluster operator on a real API server, with the rights of its chart; the test plays the Pods and Kafka."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from cryptography import x509
from lightkube import ApiError

from lab.binaries.build import build
from lab.certificates import Pair
from lab.charts.assemble import assemble
from lab.control_plane import ControlPlane
from lab.errors import LabError
from lab.ports import free_ports
from lab.strimzi import cluster_operator
from lab.strimzi.admin import KafkaUnavailableError
from lab.strimzi.certificates import issue, lasts
from lab.strimzi.cluster_admin import ClusterAdmin
from lab.strimzi.cluster_operator import ClusterOperator
from lab.strimzi.environment import ClusterOperatorSettings
from lab.strimzi.kubernetes import Kubernetes
from lab.strimzi.rolling import Health
from lab.strimzi.secret_manifests import decoded, encoded
from tests.strimzi import resources
from tests.strimzi.installed import Kubectl, eventually

pytestmark = pytest.mark.lab

NAMESPACE = resources.NAMESPACE
SETTINGS = ClusterOperatorSettings(
    (NAMESPACE,), NAMESPACE, 120.0, "cluster.local", network_policies=True, restricted=False
)
HEALTHY = Health(under_replicated=frozenset(), lagging=frozenset(), leader=0, hosted={})


@dataclass
class Kafka:
    """What the operator hears when it asks Kafka."""

    health_: Health = HEALTHY
    away: bool = False

    def health(self, *_: object) -> Health:
        self.finalize_metadata_version()
        return self.health_

    def finalize_metadata_version(self, *_: object) -> None:
        if self.away:
            raise KafkaUnavailableError("Kafka does not answer")


@dataclass
class Stage:
    """A namespace with the operator's chart in it; ``kubectl`` is the administrator's."""

    kubectl: Kubectl
    new_operator: Callable[[], ClusterOperator]
    kafka: Kafka = field(default_factory=Kafka)

    @cached_property
    def operator(self) -> ClusterOperator:
        return self.new_operator()

    def make(self, *manifests: dict[str, Any]) -> None:
        self.kubectl.make(*manifests)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return self.kubectl.get(kind, name)

    def names(self, kind: str, cluster: str) -> list[str]:
        return self.kubectl.names(kind, cluster)

    def condition(self, cluster: str) -> dict[str, Any]:
        """Return what a Kafka says of itself, but for warnings."""
        (condition,) = [it for it in self.get("kafka", cluster)["status"]["conditions"] if it["type"] != "Warning"]
        return dict(condition)

    def warnings(self, cluster: str) -> list[str]:
        """Return the messages of a Kafka's warnings."""
        conditions = self.get("kafka", cluster)["status"]["conditions"]
        return [it["message"] for it in conditions if it["type"] == "Warning"]

    def events(self, cluster: str) -> list[str]:
        """Return the messages of the events about a Kafka."""
        found = json.loads(self.kubectl("get", "events", "--output", "json"))["items"]
        return [it["message"] for it in found if it["involvedObject"]["name"] == cluster]

    def play_ready(self, pod: str) -> None:
        ready = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
        self.kubectl("patch", "pod", pod, "--subresource", "status", "--patch", json.dumps(ready))

    def reconcile(self, cluster: str) -> float | None:
        return self.operator.reconcile((NAMESPACE, cluster))


def manifests(cluster: str, replicas: int = 1, **part: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    pool, kafka = resources.pool(f"{cluster}-pool", replicas), resources.kafka(**part)
    pool["metadata"]["labels"] = {"strimzi.io/cluster": cluster}
    kafka["metadata"]["name"] = cluster
    del kafka["spec"]["entityOperator"]
    return pool, kafka


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ControlPlane, Path]]:
    folder = tmp_path_factory.mktemp("cluster")
    try:
        charts = assemble(folder / "charts")
        plane = ControlPlane(folder / "control-plane", free_ports(), tethered=True)
        plane.start(build())
    except LabError as error:
        pytest.fail(str(error))
    try:
        yield plane, charts / "strimzi-kafka-operator"
    finally:
        plane.stop()


@pytest.fixture(scope="module")
def operator_kubeconfig(plane: tuple[ControlPlane, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the chart, and return what lets in as its service account."""
    control_plane, chart = plane
    admin = Kubectl(control_plane.kubeconfig)
    admin.install(chart)
    document = yaml.safe_load(control_plane.kubeconfig.read_text())
    token = admin("create", "token", "strimzi-cluster-operator").strip()
    document["users"][0]["user"] = {"token": token}
    path = tmp_path_factory.mktemp("operator") / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def stage(
    plane: tuple[ControlPlane, Path], operator_kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    monkeypatch.setenv("KUBECONFIG", str(operator_kubeconfig))
    kubernetes, kafka = Kubernetes("strimzi-cluster-operator"), Kafka()
    yield Stage(
        Kubectl(plane[0].kubeconfig), lambda: ClusterOperator(kubernetes, cast("ClusterAdmin", kafka), SETTINGS), kafka
    )
    kubernetes.close()


def started(stage: Stage, cluster: str, replicas: int = 1, **part: Any) -> list[str]:
    """Bring a cluster up to Ready, and return its Pods."""
    stage.make(*manifests(cluster, replicas, **part))
    stage.reconcile(cluster)
    pods = stage.names("pod", cluster)
    for pod in pods:
        stage.play_ready(pod)
    stage.reconcile(cluster)
    assert stage.condition(cluster)["type"] == "Ready"
    return pods


def test_a_cluster_comes_up_with_strimzis_objects_and_says_when_it_is_ready(stage: Stage) -> None:
    stage.make(*manifests("new"))
    again = stage.reconcile("new")
    assert again is not None
    assert again <= 5
    assert stage.names("pod", "new") == ["new-new-pool-0"]
    assert stage.names("service", "new") == ["new-kafka-bootstrap", "new-kafka-brokers"]
    assert stage.names("networkpolicy", "new") == ["new-network-policy-kafka"]
    assert stage.names("serviceaccount", "new") == ["new-kafka"]
    assert stage.names("secret", "new") == [
        "new-clients-ca",
        "new-clients-ca-cert",
        "new-cluster-ca",
        "new-cluster-ca-cert",
        "new-cluster-operator-certs",
        "new-new-pool-0",
        "new-trustbundle",
    ]
    condition = stage.condition("new")
    assert (condition["type"], condition["status"], condition["reason"]) == ("NotReady", "True", "Creating")
    assert "new-new-pool-0 to be ready" in condition["message"]
    assert stage.get("kafkanodepool", "new-pool")["status"]["nodeIds"] == [0]

    stage.play_ready("new-new-pool-0")
    stage.kafka.away = True
    stage.reconcile("new")
    assert "Kafka does not answer" in stage.condition("new")["message"]
    stage.kafka.away = False
    assert stage.reconcile("new") == 120.0
    status = stage.get("kafka", "new")["status"]
    assert stage.condition("new")["type"] == "Ready"
    assert status["observedGeneration"] == 1
    assert status["listeners"] == [
        {
            "name": "plain",
            "addresses": [{"host": "new-kafka-bootstrap.kafka.svc", "port": 9092}],
            "bootstrapServers": "new-kafka-bootstrap.kafka.svc:9092",
        }
    ]
    assert (status["kafkaVersion"], status["kafkaMetadataVersion"]) == ("4.3.1", "4.3-IV0")
    assert len(status["clusterId"]) == 22
    assert len(stage.warnings("new")) == 2


def test_a_pass_over_a_ready_cluster_changes_nothing(stage: Stage) -> None:
    started(stage, "still")

    def versions() -> list[str]:
        kinds = "kafka,kafkanodepool,pod,service,secret,configmap,networkpolicy,serviceaccount,pdb,role,rolebinding"
        found = json.loads(stage.kubectl("get", kinds, "--output", "json"))["items"]
        return sorted(it["metadata"]["resourceVersion"] for it in found)

    before = versions()
    # One that was started anew has no memory of what it applied.
    stage.operator = stage.new_operator()
    stage.reconcile("still")
    assert versions() == before


def test_a_field_that_the_lab_does_not_honour_is_named_and_the_pods_are_left_alone(stage: Stage) -> None:
    (pod,) = started(stage, "odd")
    before = stage.get("pod", pod)["metadata"]["uid"]
    changed = manifests("odd", config={"num.io.threads": 2})
    changed[1]["spec"]["kafka"]["quotas"] = {"type": "strimzi"}
    stage.make(*changed)
    stage.reconcile("odd")
    condition = stage.condition("odd")
    assert (condition["type"], condition["reason"]) == ("NotReady", "InvalidResourceException")
    assert "spec.kafka.quotas is not supported" in condition["message"]
    assert stage.get("kafka", "odd")["status"]["observedGeneration"] == 2
    assert stage.get("pod", pod)["metadata"]["uid"] == before


def test_a_change_rolls_when_kafka_can_do_without_a_node_and_not_before(stage: Stage) -> None:
    pods = started(stage, "roll", 3)
    revision = "strimzi.io/revision"
    before = {pod: stage.get("pod", pod)["metadata"]["annotations"][revision] for pod in pods}
    stage.make(*manifests("roll", 3, version="4.3.0"))
    stage.kafka.health_ = replace(HEALTHY, under_replicated={"topic-0"})
    stage.reconcile("roll")
    assert {pod: stage.get("pod", pod)["metadata"]["annotations"][revision] for pod in pods} == before
    stage.kafka.health_ = HEALTHY
    for _ in pods:
        stage.reconcile("roll")
        assert len(stage.names("pod", "roll")) == 2
        stage.reconcile("roll")
        (fresh,) = [pod for pod in pods if not stage.get("pod", pod).get("status", {}).get("conditions")]
        stage.reconcile("roll")
        assert len(stage.names("pod", "roll")) == 3
        stage.play_ready(fresh)
    stage.reconcile("roll")
    status = stage.get("kafka", "roll")["status"]
    assert (status["observedGeneration"], status["kafkaVersion"]) == (2, "4.3.0")
    assert all(stage.get("pod", pod)["metadata"]["annotations"][revision] != before[pod] for pod in pods)


def test_a_pod_that_is_gone_is_made_again(stage: Stage) -> None:
    (pod,) = started(stage, "lost")
    stage.kubectl("delete", "pod", pod, "--force")
    stage.reconcile("lost")
    assert stage.names("pod", "lost") == [pod]


def test_a_cluster_that_was_ready_stays_so_for_a_while_and_then_says_what_it_waits_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pod,) = started(stage, "stuck")
    stage.kubectl("delete", "pod", pod, "--force")
    stage.reconcile("stuck")
    stage.reconcile("stuck")
    assert stage.condition("stuck")["type"] == "Ready"
    monkeypatch.setattr(cluster_operator, "_PATIENCE", 0.0)
    stage.reconcile("stuck")
    condition = stage.condition("stuck")
    assert (condition["type"], condition["reason"]) == ("NotReady", "StrimziTimeoutException")
    assert f"{pod} to be ready" in condition["message"]
    stage.play_ready(pod)
    stage.reconcile("stuck")
    assert stage.condition("stuck")["type"] == "Ready"


def test_the_entity_operator_must_be_there_before_the_cluster_is_ready_and_goes_when_it_is_not_asked_for(
    stage: Stage,
) -> None:
    pool, kafka = manifests("with")
    kafka["spec"]["entityOperator"] = {"topicOperator": {}, "userOperator": {}}
    stage.make(pool, kafka)
    stage.reconcile("with")
    stage.play_ready("with-with-pool-0")
    stage.reconcile("with")
    assert "with-entity-operator to be available" in stage.condition("with")["message"]
    for kind in ("deployment", "serviceaccount", "role", "poddisruptionbudget", "networkpolicy"):
        assert "with-entity-operator" in stage.names(kind, "with")
    bindings = ["with-entity-topic-operator-role", "with-entity-user-operator-role", "with-kafka-role"]
    assert stage.names("rolebinding", "with") == bindings
    stage.kubectl("patch", "kafka", "with", "--type=merge", "--patch", '{"spec": {"entityOperator": null}}')
    stage.reconcile("with")
    kinds = "deployment,serviceaccount,role,rolebinding,poddisruptionbudget,networkpolicy,secret,configmap"
    assert not [name for name in stage.names(kinds, "with") if "entity" in name]
    assert stage.condition("with")["type"] == "Ready"


def test_a_broker_with_partitions_stays_whatever_its_pool_says_and_an_event_tells(stage: Stage) -> None:
    pool, kafka = manifests("less", 1)
    brokers = resources.pool("less-brokers", 2, ("broker",))
    brokers["metadata"]["labels"] = {"strimzi.io/cluster": "less"}
    stage.make(pool, brokers, kafka)
    stage.reconcile("less")
    pods = stage.names("pod", "less")
    for pod in pods:
        stage.play_ready(pod)
    stage.reconcile("less")
    before = {pod: stage.get("pod", pod)["metadata"]["uid"] for pod in pods}
    assert len(before) == 3

    stage.kafka.health_ = replace(HEALTHY, hosted={0: 1, 1: 1, 2: 1})
    stage.kubectl("patch", "kafkanodepool", "less-brokers", "--type=merge", "--patch", '{"spec": {"replicas": 1}}')
    stage.reconcile("less")
    undone = "Reverting scale-down of KafkaNodePool less-brokers by changing number of replicas to 2"
    assert undone in stage.warnings("less")
    assert stage.condition("less")["type"] == "Ready"
    stage.reconcile("less")
    assert stage.events("less") == [undone]

    stage.kubectl("delete", "kafkanodepool", "less-brokers")
    stage.reconcile("less")
    message = stage.condition("less")["message"]
    assert "Cannot scale-down Kafka brokers [0, 1] because they have assigned partition-replicas." in message
    assert message in stage.events("less")
    stage.kubectl("patch", "kafkanodepool", "less-pool", "--type=merge", "--patch", '{"spec": {"replicas": 3}}')
    stage.reconcile("less")
    assert "would be controllers instead of 2" in stage.condition("less")["message"]
    assert {pod: stage.get("pod", pod)["metadata"]["uid"] for pod in pods} == before

    stage.make(pool, brokers)
    stage.kafka.health_ = HEALTHY
    stage.reconcile("less")
    assert (stage.condition("less")["type"], undone in stage.warnings("less")) == ("Ready", False)
    stage.kubectl("patch", "kafkanodepool", "less-brokers", "--type=merge", "--patch", '{"spec": {"replicas": 1}}')
    stage.reconcile("less")
    stage.reconcile("less")
    assert len(stage.names("pod", "less")) == 2


def test_a_cluster_on_racks_has_its_cluster_wide_right_as_long_as_it_is_there(stage: Stage) -> None:
    pool, kafka = manifests("racks", rack={"topologyKey": "topology.kubernetes.io/zone"})
    stage.make(pool, kafka)
    stage.reconcile("racks")

    def bindings() -> list[str]:
        return [it for it in stage.names("clusterrolebinding", "racks") if it == "strimzi-kafka-racks-kafka-init"]

    assert bindings()
    stage.kubectl("delete", "kafka", "racks")
    stage.reconcile("racks")
    assert not bindings()


def test_a_certificate_in_its_last_month_is_renewed_and_its_node_rolled(stage: Stage) -> None:
    (pod,) = started(stage, "aged")
    uid = stage.get("pod", pod)["metadata"]["uid"]
    authority = Pair(
        decoded(stage.get("secret", "aged-cluster-ca-cert"), "ca.crt") or b"",
        decoded(stage.get("secret", "aged-cluster-ca"), "ca.key") or b"",
    )
    own = x509.load_pem_x509_certificate(decoded(stage.get("secret", pod), f"{pod}.crt") or b"")
    hosts = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    old = issue(authority, "aged-kafka", hosts, 29)
    data = encoded({f"{pod}.crt": old.certificate, f"{pod}.key": old.key})
    stage.kubectl("patch", "secret", pod, "--patch", json.dumps({"data": data}))
    stage.reconcile("aged")
    assert stage.names("pod", "aged") == []
    stage.reconcile("aged")
    assert stage.get("pod", pod)["metadata"]["uid"] != uid
    kept = decoded(stage.get("secret", pod), f"{pod}.crt")
    assert kept not in (None, old.certificate)
    assert lasts(kept or b"", 360)


def test_a_webhook_that_does_not_answer_is_told_of_and_what_it_kept_back_is_made_once_it_is_gone(stage: Stage) -> None:
    service = {"name": "nobody", "namespace": NAMESPACE}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    webhook = {
        "name": "nobody.example.com",
        "clientConfig": {"service": service},
        "rules": [rule],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "objectSelector": {"matchLabels": {"strimzi.io/cluster": "hooked"}},
    }
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    stage.kubectl("apply", "--filename", "-", given=kind | {"metadata": {"name": "nobody"}, "webhooks": [webhook]})
    stage.make(*manifests("hooked"))

    def refused() -> bool:
        with contextlib.suppress(ApiError):
            stage.reconcile("hooked")
        return "nobody.example.com" in stage.condition("hooked")["message"]

    eventually(refused)
    assert stage.condition("hooked")["reason"] == "KubernetesClientException"
    stage.kubectl("delete", "mutatingwebhookconfiguration", "nobody")

    def made() -> bool:
        with contextlib.suppress(ApiError):
            stage.reconcile("hooked")
        return stage.names("pod", "hooked") == ["hooked-hooked-pool-0"]

    eventually(made, 10)


def test_all_goes_with_the_kafka(stage: Stage) -> None:
    started(stage, "gone")
    stage.kubectl("delete", "kafka", "gone")
    assert stage.reconcile("gone") is None
    kinds = "pod,service,secret,configmap,networkpolicy,serviceaccount"
    eventually(lambda: not stage.names(kinds, "gone"))
