"""The topic of a KafkaTopic, and the changes in Kafka that it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.strimzi.conditions import RefusedError
from lab.strimzi.specification import TopicSpecification, decode


@dataclass(frozen=True)
class Wanted:
    """A topic as specified; what is None is left to Kafka's defaults."""

    name: str
    partitions: int | None
    replicas: int | None
    config: Mapping[str, str]


@dataclass(frozen=True)
class Found:
    """A topic as it is in Kafka; ``config`` has what was set for this topic, ``replicas`` the number by partition."""

    id: str
    replicas: Mapping[int, int]
    config: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """What has to be done, and what is not possible."""

    create: bool = False
    partitions: int | None = None
    """The new number of partitions."""
    set: Mapping[str, str] = field(default_factory=dict)
    reset: tuple[str, ...] = ()
    refused: RefusedError | None = None


def wanted(resource: Mapping[str, Any]) -> Wanted:
    """Return what a KafkaTopic asks for.

    :raises RefusedError: if it asks for what the lab does not honour, or for another name than before.
    """
    specification = decode(resource, TopicSpecification)
    name = topic_name(resource)
    before = (resource.get("status") or {}).get("topicName")
    if before not in (None, name):
        raise RefusedError("NotSupported", "Changing spec.topicName is not supported")
    return Wanted(
        name=name,
        partitions=specification.partitions,
        replicas=specification.replicas,
        config={key: _text(value) for key, value in specification.config.items()},
    )


def topic_name(resource: Mapping[str, Any]) -> str:
    """Return the name that a KafkaTopic has in Kafka."""
    return str((resource.get("spec") or {}).get("topicName") or resource["metadata"]["name"])


def holder(resources: Iterable[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """Return the one of several KafkaTopics that has a topic: the oldest."""

    def age(resource: Mapping[str, Any]) -> tuple[str, str]:
        return resource["metadata"]["creationTimestamp"], resource["metadata"]["name"]

    return min((it for it in resources if topic_name(it) == name), key=age)


def _text(value: str | float | bool | list[str]) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)


def plan(topic: Wanted, found: Found | None) -> Plan:
    """Return what has to be done; the configuration is made right even where partitions or replicas cannot be.

    Source of the words: BatchingTopicController in strimzi/strimzi-kafka-operator.
    """
    if found is None:
        return Plan(create=True)
    change = {key: value for key, value in topic.config.items() if found.config.get(key) != value}
    reset = tuple(sorted(set(found.config) - set(topic.config)))
    partitions, refused = None, None
    current = len(found.replicas)
    if topic.partitions is not None and topic.partitions < current:
        refused = RefusedError("NotSupported", f"Decreasing partitions not supported ({current} to {topic.partitions})")
    elif topic.partitions is not None and topic.partitions > current:
        partitions = topic.partitions
    others = sorted(key for key, count in found.replicas.items() if topic.replicas not in (None, count))
    if others and refused is None:
        refused = RefusedError(
            "NotSupported", f"Replication factor change not supported, but required for partitions {others}"
        )
    return Plan(partitions=partitions, set=change, reset=reset, refused=refused)
