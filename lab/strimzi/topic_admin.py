"""Topics in Kafka, through its admin API."""

from __future__ import annotations

import base64
import uuid
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import for_code

from lab.strimzi.admin import Admin, AdminError
from lab.strimzi.topics import Found, Plan, Wanted

_DEFAULT = -1
"""What Kafka takes for a number that is left to it."""


def find(admin: Admin, name: str) -> Found | None:
    """Return a topic, or None when there is none.

    :raises KafkaUnavailableError: if Kafka does not answer.
    """
    # To ask for one by its name can make it, where Kafka is set so.
    topics = admin.ask(lambda client: client.describe_topics())
    topic = next((it for it in topics if it["name"] == name), None)
    if topic is None:
        return None
    config = admin.ask(lambda client: client.describe_configs([ConfigResource("TOPIC", name)]))["topic"][name]
    return Found(
        id=kafka_id(topic["topic_id"]),
        replicas={it["partition_index"]: len(it["replica_nodes"]) for it in topic["partitions"]},
        config={key: it["value"] for key, it in config.items() if it["config_source"] == "DYNAMIC_TOPIC_CONFIG"},
    )


def kafka_id(identifier: str) -> str:
    """Return a topic's id as Kafka writes it: URL-safe Base64 of its 16 bytes, without padding."""
    return base64.urlsafe_b64encode(uuid.UUID(identifier).bytes).decode().rstrip("=")


def carry_out(admin: Admin, topic: Wanted, plan: Plan) -> str | None:
    """Do what is planned; return the id of a topic that was made.

    :raises AdminError: if Kafka refuses.
    :raises KafkaUnavailableError: if it does not answer.
    """
    if plan.create:
        return _create(admin, topic)
    if plan.partitions:
        count = plan.partitions
        response = admin.ask(lambda client: client.create_partitions({topic.name: count}, raise_errors=False))
        _check(topic.name, response.results[0].error_code, response.results[0].error_message)
    changes = {key: ("SET", value) for key, value in plan.set.items()} | dict.fromkeys(plan.reset, ("DELETE", None))
    if changes:

        def alter(client: KafkaAdminClient) -> Any:
            return client.alter_configs([ConfigResource("TOPIC", topic.name, changes)], raise_on_unknown=False)

        result = admin.ask(alter)["topic"][topic.name]
        if result != "OK":
            raise AdminError(topic.name, result)
    return None


def _create(admin: Admin, topic: Wanted) -> str:
    asked = {
        "num_partitions": topic.partitions or _DEFAULT,
        "replication_factor": topic.replicas or _DEFAULT,
        "configs": dict(topic.config),
    }
    response = admin.ask(lambda client: client.create_topics({topic.name: asked}, raise_errors=False))
    result = response["topics"][0]
    _check(topic.name, result["error_code"], result["error_message"])
    return kafka_id(result["topic_id"])


def delete(admin: Admin, name: str) -> None:
    """Delete a topic if there is one.

    :raises AdminError: if Kafka refuses.
    :raises KafkaUnavailableError: if it does not answer.
    """
    response = admin.ask(lambda client: client.delete_topics([name], raise_errors=False))
    result = response["topics"][0]
    if for_code(result["error_code"]).__name__ != "UnknownTopicOrPartitionError":
        _check(name, result["error_code"], result["error_message"])


def _check(subject: str, code: int, message: str | None) -> None:
    if code:
        raise AdminError(subject, f"{for_code(code).__name__}: {message}")
