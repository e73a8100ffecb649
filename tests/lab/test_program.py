"""The program on a real API server, with Istio's own charts and Strimzi's own CRDs.

The tests go on from each other's stack, in the order in which they stand; each leaves the stack as it found it.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml

from lab.lab import ROOT
from lab.pulumi.display import masked
from tests.lab.conftest import System

pytestmark = pytest.mark.lab

SERVICES = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]["services"]["default"]
AUDIT = {
    "name": "audit",
    "versions": [{"name": "v1"}],
    "program": "customer",
    "calls": [{"service": "customer", "method": "GET", "path": "/"}],
    "writes": "demo-application-log-audit",
}


def recorded(stack: System) -> dict[str, Any]:
    """Return the inputs of each resource in the state, by URN, but for secrets, which each run encrypts anew."""
    return {item["urn"]: masked(item.get("inputs")) for item in stack.workspace().resources()}


@pytest.fixture(scope="module")
def stack(system: System) -> System:
    """The lab with the program's stack up."""
    return system


def test_crds_of_kafka_are_kept_where_its_data_is(stack: System) -> None:
    pool = {
        "name": "combined",
        "roles": ["controller", "broker"],
        "replicas": 1,
        "storage": {"type": "persistent-claim", "size": "1Gi", "deleteClaim": False},
    }
    settings = {"kafkaData": "protected", "kafkaNodePools": json.dumps([pool])}
    words = [word for key, value in settings.items() for word in ("--config", f"{key}={value}")]
    result = stack.engine("preview", "--stack", "lab", "--json", *words)
    assert result.returncode == 0, result.stdout + result.stderr
    crds = [step for step in json.loads(result.stdout)["steps"] if step["urn"].endswith(".kafka.strimzi.io")]
    assert len(crds) >= 4
    assert [step["urn"] for step in crds if not (step["protect"] and step["retainOnDelete"])] == []


def test_up_makes_kafka_its_topics_and_its_users(stack: Any) -> None:
    assert stack.kubectl("-n", "kafka", "get", "kafka", "-o", "name").split() == [
        "kafka.kafka.strimzi.io/demo-app-log-cluster"
    ]
    topics = stack.kubectl("-n", "kafka", "get", "kafkatopic", "-o", "name").split()
    assert {topic.rpartition("-")[2] for topic in topics} == {
        "customer", "preference", "recommendation", "aggregated"
    }  # fmt: skip
    users = stack.kubectl("-n", "kafka", "get", "kafkauser", "-o", "name").split()
    assert {user.rpartition("/")[2] for user in users} == {
        "customer-writer", "preference-writer", "recommendation-writer", "consumer-reader-writer"
    }  # fmt: skip


def test_a_second_up_changes_nothing(stack: Any) -> None:
    result = stack.engine("up", "--stack", "lab", "--expect-no-changes")
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_preview_after_up_shows_nothing(stack: Any) -> None:
    assert stack.changes("preview") == {}


def test_one_setting_changes_one_resource(stack: Any) -> None:
    assert stack.changes("preview", "--config", "tracingSampling=50") == {"observability-telemetry": "update"}


def test_expect_no_changes_fails_where_there_are_some(stack: Any) -> None:
    result = stack.engine("preview", "--stack", "lab", "--expect-no-changes", "--config", "tracingSampling=50")
    assert result.returncode == 1
    assert "no changes were expected for preview but changes were proposed" in result.stderr


def test_both_secrets_of_a_user_hold_the_same_password_which_is_nowhere_in_the_clear(stack: Any) -> None:
    user = json.loads(stack.kubectl("-n", "kafka", "get", "kafkauser", "customer-writer", "-o", "json"))
    reference = user["spec"]["authentication"]["password"]["valueFrom"]["secretKeyRef"]
    deployment = json.loads(stack.kubectl("-n", "demo-app", "get", "deployment", "customer-v1", "-o", "json"))
    environment = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    used = next(item for item in environment if item["name"] == "KAFKA_PASSWORD")["valueFrom"]["secretKeyRef"]
    passwords = []
    for namespace, key in (("kafka", reference), ("demo-app", used)):
        secret = json.loads(stack.kubectl("-n", namespace, "get", "secret", key["name"], "-o", "json"))
        assert secret["immutable"] is True
        passwords.append(base64.b64decode(secret["data"][key["key"]]).decode())
    assert passwords[0] == passwords[1]
    assert len(passwords[0]) == 32
    assert stack.states.parent.stat().st_mode & 0o077 == 0
    for path in (stack.states / "backend").rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert passwords[0] not in text
            assert base64.b64encode(passwords[0].encode()).decode() not in text


def test_a_service_is_added_and_removed_by_config_alone(stack: Any) -> None:
    setting = f"services={json.dumps([*SERVICES, AUDIT])}"
    added = stack.changes("up", "--config", setting)
    assert {"demo-application-log-audit-topic", "audit-writer-user", "demo-audit-audit-v1"} <= set(added)
    stack.kubectl("-n", "kafka", "get", "kafkatopic", "demo-application-log-audit")
    stack.kubectl("-n", "demo-app", "get", "deployment,serviceaccount", "audit-v1")
    policy = json.loads(stack.kubectl("-n", "demo-app", "get", "authorizationpolicy", "customer", "-o", "json"))
    callers = [
        principal
        for rule in policy["spec"]["rules"]
        for source in rule["from"]
        for principal in source["source"]["principals"]
    ]
    assert any(principal.endswith("/ns/demo-app/sa/audit-v1") for principal in callers)
    removed = stack.changes("up")
    assert {name for name, step in removed.items() if step == "delete"} == {
        name for name, step in added.items() if step == "create"
    }


def test_rotating_one_users_password_changes_that_user_and_its_clients_alone(stack: Any) -> None:
    changed = stack.changes("preview", "--config", 'userPasswordRotation={"customer-writer": 2}')
    assert changed == {
        "customer-writer-password": "replace",
        "customer-writer-secret": "replace",
        "customer-writer-user": "update",
        "customer-writer-credentials-secret": "replace",
        "demo-customer-customer-v1": "update",
    }


def test_rotating_all_passwords_rolls_every_client(stack: Any) -> None:
    before = stack.kubectl("-n", "demo-app", "get", "secrets", "-o", "name").split()
    changed = stack.changes("up", "--config", "passwordRotation=2")
    assert len([name for name, step in changed.items() if step == "replace" and name.endswith("-password")]) == 4
    assert {name for name in changed if name.startswith("demo-")} == {
        "demo-customer-customer-v1",
        "demo-preference-preference-v1",
        "demo-recommendation-recommendation-v1",
        "demo-recommendation-recommendation-v2",
        "demo-recommendation-recommendation-v3",
        "demo-consumer-consumer-v1",
    }
    after = stack.kubectl("-n", "demo-app", "get", "secrets", "-o", "name").split()
    assert len(after) == len(before)
    assert not set(after) & set(before)
    stack.changes("up")


def test_refresh_shows_a_change_by_hand_and_up_repairs_it(stack: Any) -> None:
    topic = ("-n", "kafka", "kafkatopic", "demo-application-log-customer")
    patch = '{"spec": {"config": {"retention.ms": 3600000}}}'
    stack.kubectl(topic[0], topic[1], "patch", *topic[2:], "--type", "merge", "-p", patch)
    result = stack.engine("refresh", "--stack", "lab")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "! spec.config[retention.ms]: 604800000 => 3600000" in result.stdout
    assert stack.changes("up") == {"demo-application-log-customer-topic": "update"}
    retention = stack.kubectl(topic[0], topic[1], "get", *topic[2:], "-o", r"jsonpath={.spec.config.retention\.ms}")
    assert retention == "604800000"


def test_an_object_deleted_by_hand_is_made_again(stack: Any) -> None:
    stack.kubectl("-n", "demo-app", "delete", "service", "customer")
    assert stack.changes("refresh") == {"demo-customer-service": "delete"}
    assert stack.changes("up") == {"demo-customer-service": "create"}


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("brokers=3", "kafka-on-istio:brokers = '3': unknown key"),
        ("topicPartitions=many", "configuration key 'topicPartitions' must be of type 'integer'"),
        ("topicPartitions=0", "kafka-on-istio:topicPartitions = '0': must be from 1"),
        ("kafkaCluster=Demo_Cluster", "kafka-on-istio:kafkaCluster = 'Demo_Cluster': must be lower-case"),
        ("replicationFactor=3", "kafka-on-istio:replicationFactor"),
        (f"services={json.dumps([*SERVICES, SERVICES[0]])}", "'customer'"),
        (f"services={json.dumps([*SERVICES, {**AUDIT, 'calls': [{**AUDIT['calls'][0], 'service': 'nobody'}]}])}", "nobody"),
    ],
)  # fmt: skip
def test_bad_settings_are_named_and_nothing_is_touched(stack: Any, setting: str, complaint: str) -> None:
    before = recorded(stack)
    result = stack.engine("up", "--stack", "lab", "--config", setting)
    assert result.returncode == 1
    assert complaint in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert recorded(stack) == before
