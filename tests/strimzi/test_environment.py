"""What an operator is told, and what it says when that is wrong."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lab.errors import LabError
from lab.strimzi import environment

pytestmark = pytest.mark.unit

ENTITY = {"STRIMZI_NAMESPACE": "kafka", "STRIMZI_KAFKA_BOOTSTRAP_SERVERS": "log-kafka-bootstrap:9091"}
TOPICS = ENTITY | {
    "STRIMZI_RESOURCE_LABELS": "strimzi.io/cluster=log",
    "STRIMZI_TLS_SECRET_NAME": "log-entity-topic-operator-certs",
    "STRIMZI_TLS_TRUSTED_CERTS_SECRET_NAME": "log-cluster-ca-cert",
}
USERS = ENTITY | {
    "STRIMZI_LABELS": "strimzi.io/cluster=log",
    "STRIMZI_EO_KEY_SECRET_NAME": "log-entity-user-operator-certs",
    "STRIMZI_CLUSTER_CA_CERT_SECRET_NAME": "log-cluster-ca-cert",
}


def test_an_entity_operator_is_told_by_strimzis_variables() -> None:
    told = environment.topic_operator(
        TOPICS | {"STRIMZI_FULL_RECONCILIATION_INTERVAL_MS": "90000", "STRIMZI_USE_FINALIZERS": "false"}
    )
    assert (told.cluster, told.interval, told.finalizers, told.acls) == ("log", 90.0, False, True)
    assert (told.identity, told.trusted) == ("log-entity-topic-operator-certs", "log-cluster-ca-cert")
    assert environment.user_operator(USERS).identity == "log-entity-user-operator-certs"


def test_the_cluster_operator_watches_every_namespace_that_is_named() -> None:
    own = {"STRIMZI_NAMESPACE": "a, b", "STRIMZI_OPERATOR_NAMESPACE": "own"}
    told = environment.cluster_operator(own | {"STRIMZI_NETWORK_POLICY_GENERATION": "false"})
    assert (told.namespaces, told.network_policies, told.domain) == (("a", "b"), False, "cluster.local")
    assert (told.namespace, told.restricted) == ("own", False)


@pytest.mark.parametrize(
    "provider", ["restricted", "io.strimzi.plugin.security.profiles.impl.RestrictedPodSecurityProvider"]
)
def test_the_cluster_operator_knows_strimzis_pod_security_providers_and_no_others(provider: str) -> None:
    name, own = "STRIMZI_POD_SECURITY_PROVIDER_CLASS", {"STRIMZI_NAMESPACE": "a", "STRIMZI_OPERATOR_NAMESPACE": "a"}
    assert environment.cluster_operator(own | {name: provider}).restricted
    with pytest.raises(LabError, match="must be baseline or restricted"):
        environment.cluster_operator(own | {name: "com.example.Own"})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"STRIMZI_NAMESPACE": ""}, "STRIMZI_NAMESPACE is not set"),
        ({"STRIMZI_RESOURCE_LABELS": "a=b"}, "STRIMZI_RESOURCE_LABELS=a=b: must be strimzi.io/cluster=NAME"),
        ({"STRIMZI_USE_FINALIZERS": "no"}, "STRIMZI_USE_FINALIZERS=no: must be true or false"),
        ({"STRIMZI_FULL_RECONCILIATION_INTERVAL_MS": "0"}, "must be a whole number above 0"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(changed: dict[str, str], message: str) -> None:
    with pytest.raises(LabError) as wrong:
        environment.topic_operator(TOPICS | changed)
    assert message in str(wrong.value)


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "message"),
    [
        (["no-operator"], {}, 2, "must be one of /opt/strimzi/bin/cluster_operator_run.sh"),
        (["/opt/strimzi/bin/topic_operator_run.sh"], {}, 1, "STRIMZI_RESOURCE_LABELS is not set"),
        (["/opt/strimzi/bin/user_operator_run.sh"], USERS | {"KUBECONFIG": "/none"}, 1, "run it in a Pod, or set"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(
    arguments: list[str], variables: dict[str, str], code: int, message: str
) -> None:
    command = [sys.executable, "-m", "lab.strimzi", *arguments]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("STRIMZI")}
    ended = subprocess.run(command, env=inherited | variables, capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith("error: ")
    assert message in ended.stderr
