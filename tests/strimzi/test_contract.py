"""What the stand-in makes is what Strimzi's own operators make, but for the differences that are listed here."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from lab.strimzi import entity_operator, network_policies, pods, secret_manifests, services
from lab.strimzi.cluster import cluster
from tests.strimzi import resources
from tests.strimzi.facts import Facts, by_name, differences

pytestmark = pytest.mark.unit

CONTRACT = Path(__file__).parent / "contract"
CLUSTER = "demo-app-log-cluster"


class Difference(NamedTuple):
    """Paths of facts that are not Strimzi's, in which comparisons, and why."""

    stacks: str
    path: str
    reason: str


IMAGES = "an image here is a command of this machine: it has no scripts to probe by, and does not know its tag"
SETS = "there is no controller of StrimziPodSets; Pods belong to the Kafka, so that they stay when their pool goes"
LOGGING = "the lab's processes have one way to log"
NO_PKCS12 = "nothing in the lab reads PKCS #12"
REPORTER = "release 0.2.0, the last of which Maven Central has the jar, has other names for its classes"
NOT_READY = "not recorded: this Kafka never was ready, after which Strimzi makes the entity operator"
SLOW = "a process of the lab starts slowly where many start at once"
LEADER = "there is one operator, which needs no election"
_OPERATOR = "Deployment strimzi-cluster-operator > template > containers > strimzi-cluster-operator"
NOT_RECORDED = "not recorded, but for one Pod of each pool"

DIFFERENCES = (
    Difference("dev prod lab", "StrimziPodSet *", SETS),
    Difference("dev prod lab", "ConfigMap *-? > owners", SETS),
    Difference("dev prod lab", "Pod * > owners", SETS),
    Difference("dev prod lab", "Pod * > labels > strimzi.io/controller", SETS),
    Difference("dev prod lab", "Pod * > labels > strimzi.io/controller-name", SETS),
    Difference("dev prod lab", "Pod * > annotations > strimzi.io/node-id", "the operator knows its Pods by it"),
    Difference("dev prod lab", "Pod * > annotations > strimzi.io/resource-revision", "no Pod is resized in place"),
    Difference("dev prod lab", "Pod * > containers > kafka > probes > *", IMAGES),
    Difference("dev prod lab", "Pod * > containers > kafka > env > KAFKA_VERSION", IMAGES),
    Difference("dev prod lab", "ConfigMap *-? > keys > log4j2.properties", LOGGING),
    Difference("dev prod lab", "Secret *-ca-cert > keys > ca.p12", NO_PKCS12),
    Difference("dev prod lab", "Secret *-ca-cert > keys > ca.password", NO_PKCS12),
    Difference("prod", "ConfigMap * > settings > metric.reporters", REPORTER),
    Difference("prod", "ConfigMap * > settings > kafka.metrics.reporters", REPORTER),
    Difference("lab entity", "* > user-operator > probes > startupProbe", SLOW),
    Difference("lab", "* > strimzi-cluster-operator > probes > startupProbe", SLOW),
    Difference("lab", "Deployment strimzi-cluster-operator > strategy", LEADER),
    Difference("lab", "RoleBinding strimzi-cluster-operator-leader-election", LEADER),
    Difference("lab", f"{_OPERATOR} > env > STRIMZI_LEADER_ELECTION_*", LEADER),
    Difference("lab", f"{_OPERATOR} > env > STRIMZI_DEFAULT_*", "images are those of the lab"),
    Difference("lab", f"{_OPERATOR} > env > STRIMZI_KAFKA_*IMAGES", "images are those of the lab"),
    Difference("lab", f"{_OPERATOR} > env > STRIMZI_FEATURE_GATES", "there are none"),
    Difference("lab", f"{_OPERATOR} > env > STRIMZI_OPERATION_TIMEOUT_MS", "the lab's operator waits for a minute"),
    Difference("lab", "ConfigMap strimzi-cluster-operator", LOGGING),
    Difference("lab", f"{_OPERATOR} > mounts > /opt/strimzi/custom-config", LOGGING),
    Difference("lab", "Deployment strimzi-cluster-operator > template > volumes > co-config-volume", LOGGING),
    Difference("dev prod", "* demo-app-log-cluster-entity-*", NOT_READY),
    Difference("prod", "Pod *-[1245]", NOT_RECORDED),
    Difference("prod", "PersistentVolumeClaim *", NOT_RECORDED),
    Difference("prod", "ClusterRoleBinding *", NOT_RECORDED),
)


def contract(stack: str) -> dict[str, Any]:
    return dict(yaml.safe_load((CONTRACT / f"{stack}.yaml").read_text()))


def made(recorded: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return what the cluster operator makes of a recording's Kafka and pools."""
    namespace = recorded["namespace"]
    kafka = resources.resource("Kafka", CLUSTER, recorded["kafka"], namespace=namespace)
    pools = [resources.resource("KafkaNodePool", key, spec) for key, spec in recorded["pools"].items()]
    one = cluster(kafka, pools, "cluster.local", restricted=recorded["restricted"])
    certificates = secret_manifests.certificates(one, {})
    yield from secret_manifests.manifests(one, certificates)
    yield from services.manifests(one)
    yield from network_policies.manifests(one, namespace)
    yield from (pods.config_map(one, node) for node in one.nodes)
    yield from (pods.pod(one, node, certificates) for node in one.nodes)
    yield from entity_operator.manifests(one, certificates)


def judge(stack: str, expected: dict[str, Facts], found: dict[str, Facts]) -> None:
    """Fail on a difference that is not listed, and on one that is listed and not there."""
    there = differences(expected, found)
    listed = [it for it in DIFFERENCES if stack in it.stacks.split()]
    unlisted = {path: it for path, it in there.items() if not any(fnmatchcase(path, one.path) for one in listed)}
    lines = [f"{path}: Strimzi's is {one}, the lab's {other}" for path, (one, other) in unlisted.items()]
    assert not unlisted, "not listed: " + "\n".join(lines)
    past = [one.path for one in listed if not any(fnmatchcase(path, one.path) for path in there)]
    assert not past, f"listed, but not there any more: {past}"


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_cluster_is_made_of_what_strimzi_makes(stack: str) -> None:
    recorded = contract(stack)
    judge(stack, recorded["objects"], by_name(made(recorded)))


def test_the_entity_operator_is_made_of_what_strimzi_makes() -> None:
    recorded = contract("lab")

    def entity(objects: dict[str, Facts]) -> dict[str, Facts]:
        return {key: value for key, value in objects.items() if f" {CLUSTER}-entity-" in key}

    judge("entity", entity(recorded["objects"]), entity(by_name(made(recorded))))
