"""Strimzi's resources as tests start from them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

NAMESPACE = "kafka"
CLUSTER = "log"
UID = "4d1c7f6e-9a77-4b5c-8f58-1b8f8f2ad001"

Resource = dict[str, Any]


def resource(kind: str, name: str, spec: Mapping[str, Any], **metadata: Any) -> Resource:
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": UID,
            "generation": 1,
            "resourceVersion": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"strimzi.io/cluster": CLUSTER},
            **metadata,
        },
        "spec": copy.deepcopy(dict(spec)),
    }


def kafka(**part: Any) -> Resource:
    """Return a Kafka with one SCRAM listener; ``part`` is laid over ``spec.kafka``."""
    listener = {
        "name": "plain",
        "port": 9092,
        "type": "internal",
        "tls": False,
        "authentication": {"type": "scram-sha-512"},
        "networkPolicyPeers": [{"podSelector": {"matchLabels": {"app": "client"}}}],
    }
    base = {"version": "4.3.1", "listeners": [listener], "authorization": {"type": "simple"}}
    operators: dict[str, Any] = {"topicOperator": {}, "userOperator": {}}
    return resource("Kafka", CLUSTER, {"kafka": base | part, "entityOperator": operators})


def pool(
    name: str = "combined", replicas: int = 1, roles: tuple[str, ...] = ("controller", "broker"), **spec: Any
) -> Resource:
    return resource(
        "KafkaNodePool",
        name,
        {"replicas": replicas, "roles": list(roles), "storage": {"type": "ephemeral"}} | spec,
    )


def topic(name: str, **spec: Any) -> Resource:
    return resource("KafkaTopic", name, spec)


def user(name: str, **spec: Any) -> Resource:
    return resource("KafkaUser", name, {"authentication": {"type": "scram-sha-512"}} | spec)


def password_from(secret: str, key: str = "password") -> dict[str, Any]:
    reference = {"secretKeyRef": {"name": secret, "key": key}}
    return {"type": "scram-sha-512", "password": {"valueFrom": reference}}
