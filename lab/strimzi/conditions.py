"""Conditions of Strimzi's resources: Ready or NotReady; KafkaTopics fail with Ready=False.

Source: StatusUtils and BatchingTopicController in strimzi/strimzi-kafka-operator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Condition = dict[str, Any]
Status = dict[str, Any]


class RefusedError(Exception):
    """A resource asks for what cannot be; ``reason`` is one word, the message says what and where."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def ready() -> Condition:
    """All is as specified."""
    return {"type": "Ready", "status": "True"}


def not_ready(reason: str, message: str) -> Condition:
    """Something is not, or not yet, as specified."""
    return {"type": "NotReady", "status": "True", "reason": reason, "message": message}


def failed(reason: str, message: str) -> Condition:
    """A KafkaTopic is not as specified."""
    return {"type": "Ready", "status": "False", "reason": reason, "message": message}


def warning(reason: str, message: str) -> Condition:
    """Something is as specified, but perhaps not as meant."""
    return {"type": "Warning", "status": "True", "reason": reason, "message": message}


def status(
    resource: Mapping[str, Any], conditions: Iterable[Condition], now: str, fields: Mapping[str, Any]
) -> Status | None:
    """Return the status that a resource should have, or None if it has it already.

    :param resource: the resource as the API server gave it; the generation that is spoken about is its own.
    :param conditions: without times; one that was there before keeps its time.
    :param now: the time of a new condition, RFC 3339.
    :param fields: further fields of the status; one that is None is taken away, others that are there stay.
    """
    before: Mapping[str, Any] = resource.get("status") or {}
    times = {
        _content(condition): condition.get("lastTransitionTime", now) for condition in before.get("conditions") or []
    }
    dated = [{**condition, "lastTransitionTime": times.get(_content(condition), now)} for condition in conditions]
    changed = {**fields, "observedGeneration": resource["metadata"]["generation"], "conditions": dated}
    if all(before.get(key) == value for key, value in changed.items()):
        return None
    return changed


def _content(condition: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(condition.get(key) for key in ("type", "status", "reason", "message"))
