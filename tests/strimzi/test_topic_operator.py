"""KafkaTopics on a real broker."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any, cast

import pytest

from lab.strimzi import topic_admin, topics
from lab.strimzi.admin import Admin
from lab.strimzi.environment import EntityOperatorSettings
from lab.strimzi.kubernetes import Kubernetes
from lab.strimzi.topic_operator import FINALIZER, TopicOperator
from tests.strimzi import resources
from tests.strimzi.conftest import Memory, eventually

pytestmark = pytest.mark.lab


@pytest.fixture
def operator(memory: Memory, admin: Admin, settings: EntityOperatorSettings) -> TopicOperator:
    return TopicOperator(cast("Kubernetes", memory), admin, settings)


def see(memory: Memory, operator: TopicOperator, name: str, **spec: Any) -> dict[str, Any]:
    memory.put(resources.topic(name, **spec))
    operator.reconcile(name)
    return memory.status("KafkaTopic", name)


def partitions(admin: Admin, name: str) -> int | None:
    found = topic_admin.find(admin, name)
    return found and len(found.replicas)


def config(admin: Admin, name: str) -> dict[str, str] | None:
    found = topic_admin.find(admin, name)
    return found and dict(found.config)


def delete(memory: Memory, operator: TopicOperator, name: str) -> None:
    memory.objects["KafkaTopic", name]["metadata"]["deletionTimestamp"] = "now"
    operator.reconcile(name)


def test_a_topic_is_made_grown_and_configured_as_its_resource_says(
    memory: Memory, operator: TopicOperator, admin: Admin
) -> None:
    wanted = {"retention.ms": 604_800_000, "cleanup.policy": ["compact", "delete"], "preallocate": True}
    status = see(memory, operator, "res", topicName="made", partitions=2, replicas=1, config=wanted)
    eventually(lambda: partitions(admin, "made"), 2)
    found = topic_admin.find(admin, "made")
    assert found is not None
    assert (status["topicName"], status["topicId"], status["observedGeneration"]) == ("made", found.id, 1)
    assert status["Ready"]["status"] == "True"
    assert found.config == {"retention.ms": "604800000", "cleanup.policy": "compact,delete", "preallocate": "true"}

    status = see(memory, operator, "res", topicName="made", partitions=5, config={"retention.ms": 7})
    eventually(lambda: partitions(admin, "made"), 5)
    eventually(lambda: config(admin, "made"), {"retention.ms": "7"})
    assert (status["observedGeneration"], status["Ready"]["status"]) == (2, "True")


def test_drift_in_kafka_is_put_right_at_the_interval(memory: Memory, operator: TopicOperator, admin: Admin) -> None:
    see(memory, operator, "drift", partitions=1, config={"retention.ms": 7})
    eventually(lambda: partitions(admin, "drift"), 1)
    drift = {"retention.ms": "8", "segment.ms": "9999"}
    topic_admin.carry_out(admin, topics.Wanted("drift", 1, 1, {}), topics.Plan(set=drift))
    eventually(lambda: config(admin, "drift"), drift)
    assert operator.reconcile("drift") == 90.0
    eventually(lambda: config(admin, "drift"), {"retention.ms": "7"})
    topic_admin.delete(admin, "drift")
    eventually(lambda: partitions(admin, "drift"), None)
    operator.reconcile("drift")
    eventually(lambda: partitions(admin, "drift"), 1)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"partitions": 2}, "Decreasing partitions not supported (3 to 2)"),
        ({"partitions": 3, "replicas": 2}, "Replication factor change not supported"),
        ({"topicName": "other", "partitions": 3}, "Changing spec.topicName is not supported"),
    ],
)
def test_what_kafka_cannot_do_is_not_ready(
    memory: Memory, operator: TopicOperator, admin: Admin, spec: dict[str, Any], message: str, request: Any
) -> None:
    name = f"refused-{abs(hash(request.node.name))}"
    see(memory, operator, name, partitions=3, replicas=1)
    eventually(lambda: partitions(admin, name), 3)
    status = see(memory, operator, name, **spec)
    assert status["Ready"]["reason"] == "NotSupported"
    assert message in status["Ready"]["message"]
    assert (status["observedGeneration"], status["Ready"]["status"]) == (2, "False")
    assert partitions(admin, name) == 3


def test_what_kafka_refuses_is_told_in_its_words_and_tried_again(memory: Memory, operator: TopicOperator) -> None:
    memory.put(resources.topic("refused", partitions=1, replicas=3))
    again = operator.reconcile("refused")
    condition = memory.status("KafkaTopic", "refused")["Ready"]
    assert condition["reason"] == "KafkaError"
    assert "only 1 broker(s) are registered" in condition["message"]
    assert again is not None
    assert again < 10
    status = see(memory, operator, "refused", partitions=1, replicas=1, config={"no.such": "x"})
    assert "Unknown topic config name: no.such" in status["Ready"]["message"]


def test_deletion_waits_for_the_operator_and_takes_the_topic_along(
    memory: Memory, operator: TopicOperator, admin: Admin
) -> None:
    see(memory, operator, "gone", partitions=1)
    eventually(lambda: partitions(admin, "gone"), 1)
    assert memory.objects["KafkaTopic", "gone"]["metadata"]["finalizers"] == [FINALIZER]
    delete(memory, operator, "gone")
    assert ("KafkaTopic", "gone") not in memory.objects
    eventually(lambda: partitions(admin, "gone"), None)


def test_without_finalizers_a_topic_goes_when_its_resource_has_gone(
    memory: Memory, admin: Admin, settings: EntityOperatorSettings
) -> None:
    operator = TopicOperator(cast("Kubernetes", memory), admin, replace(settings, finalizers=False))
    see(memory, operator, "free", topicName="freed", partitions=1)
    eventually(lambda: partitions(admin, "freed"), 1)
    assert not memory.objects["KafkaTopic", "free"]["metadata"].get("finalizers")
    del memory.objects["KafkaTopic", "free"]
    assert operator.reconcile("free") is None
    eventually(lambda: partitions(admin, "freed"), None)


def test_an_unmanaged_topic_is_let_go_and_stays(memory: Memory, operator: TopicOperator, admin: Admin) -> None:
    see(memory, operator, "left", partitions=1)
    eventually(lambda: partitions(admin, "left"), 1)
    memory.objects["KafkaTopic", "left"]["metadata"]["annotations"] = {"strimzi.io/managed": "false"}
    operator.reconcile("left")
    assert memory.status("KafkaTopic", "left")["Unmanaged"]["status"] == "True"
    delete(memory, operator, "left")
    assert ("KafkaTopic", "left") not in memory.objects
    assert partitions(admin, "left") == 1


def test_of_two_resources_the_older_has_the_topic(memory: Memory, operator: TopicOperator, admin: Admin) -> None:
    see(memory, operator, "first", topicName="shared", partitions=1)
    later = resources.topic("second", topicName="shared", partitions=4)
    later["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z"
    memory.put(later)
    operator.reconcile("second")
    condition = memory.status("KafkaTopic", "second")["Ready"]
    assert condition["reason"] == "ResourceConflict"
    assert condition["message"] == "Managed by Ref{namespace='kafka', name='first'}"
    del memory.objects["KafkaTopic", "second"]
    operator.reconcile("second")
    assert partitions(admin, "shared") == 1


def test_a_field_that_the_lab_does_not_honour_is_refused(memory: Memory, operator: TopicOperator) -> None:
    status = see(memory, operator, "odd", partitions=1, color="red")
    assert "spec.color is not supported" in status["Ready"]["message"]


def test_while_kafka_is_away_the_operator_tries_again_and_piles_nothing_up(
    memory: Memory, settings: EntityOperatorSettings
) -> None:
    threads = threading.active_count()
    memory.put(resources.topic("waiting", partitions=1))
    away = Admin(lambda: {"bootstrap_servers": "kafka.invalid:9091"})
    again = TopicOperator(cast("Kubernetes", memory), away, settings).reconcile("waiting")
    assert again is not None
    assert again < 10
    assert threading.active_count() == threads
