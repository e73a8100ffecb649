"""What an operator is told, and what it says when that is wrong."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lab.errors import LabError
from lab.strimzi import environment

pytestmark = pytest.mark.unit

ENTITY = {
    "STRIMZI_NAMESPACE": "kafka",
    "STRIMZI_RESOURCE_LABELS": "strimzi.io/cluster=log",
    "STRIMZI_KAFKA_BOOTSTRAP_SERVERS": "log-kafka-bootstrap:9091",
}


def test_an_entity_operator_is_told_by_strimzis_variables() -> None:
    told = environment.entity_operator(
        ENTITY | {"STRIMZI_FULL_RECONCILIATION_INTERVAL_MS": "90000", "STRIMZI_USE_FINALIZERS": "false"}
    )
    assert (told.cluster, told.interval, told.finalizers, told.acls) == ("log", 90.0, False, True)


def test_the_cluster_operator_watches_every_namespace_that_is_named() -> None:
    told = environment.cluster_operator({"STRIMZI_NAMESPACE": "a, b", "STRIMZI_NETWORK_POLICY_GENERATION": "false"})
    assert (told.namespaces, told.network_policies, told.domain) == (("a", "b"), False, "cluster.local")


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
        environment.entity_operator(ENTITY | changed)
    assert message in str(wrong.value)


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "message"),
    [
        (["no-operator"], {}, 2, "must be one of cluster-operator, topic-operator, user-operator"),
        (["topic-operator"], {}, 1, "STRIMZI_RESOURCE_LABELS is not set"),
        (["user-operator"], ENTITY | {"KUBECONFIG": "/none"}, 1, "run it in a Pod, or set KUBECONFIG"),
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
