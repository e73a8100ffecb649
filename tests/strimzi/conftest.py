"""An operator's surroundings: Kubernetes in memory, and Kafka as it is."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from lab.kafka.broker import ADMIN, Broker
from lab.strimzi import conditions
from lab.strimzi.admin import Admin
from lab.strimzi.environment import EntityOperatorSettings
from tests.strimzi import resources

Object = dict[str, Any]


class Memory:
    """What the operators use of lab.strimzi.kubernetes.Kubernetes, without an API server."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}

    def put(self, manifest: Object) -> Object:
        """Make or change an object as a user would: a change of the specification is another generation."""
        key = manifest["kind"], manifest["metadata"]["name"]
        before = self.objects.get(key)
        stored = copy.deepcopy(manifest)
        if before:
            stored["metadata"] = {**before["metadata"], **stored["metadata"]}
            changed = before.get("spec") != stored.get("spec")
            stored["metadata"]["generation"] = before["metadata"].get("generation", 1) + changed
            stored.setdefault("status", before.get("status"))
        self.objects[key] = stored
        return stored

    def secret(self, name: str, data: Mapping[str, str]) -> None:
        """Make or change a Secret; ``data`` is Base64."""
        self.put({"kind": "Secret", "metadata": {"name": name}, "data": dict(data)})

    def status(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object's status with its conditions by type."""
        status = dict(self.objects[kind, name]["status"])
        return status | {it["type"]: it for it in status["conditions"]}

    def get(self, kind: str, name: str, namespace: str) -> Object | None:
        assert namespace == resources.NAMESPACE
        return copy.deepcopy(self.objects.get((kind, name)))

    def find(self, kind: str, namespace: str, labels: Mapping[str, str]) -> list[Object]:
        assert labels == {"strimzi.io/cluster": resources.CLUSTER}
        return [copy.deepcopy(it) for (of, _), it in self.objects.items() if of == kind]

    def apply(self, manifest: Object) -> None:
        self.put(manifest)

    def set_status(self, resource: Object, conditions_: list[conditions.Condition], **fields: Any) -> None:
        changed = conditions.status(resource, conditions_, "now", fields)
        stored = self.objects[resource["kind"], resource["metadata"]["name"]]
        stored["status"] = (stored.get("status") or {}) | (changed or {})

    def set_finalizers(self, resource: Object, finalizers: list[str]) -> None:
        key = resource["kind"], resource["metadata"]["name"]
        self.objects[key]["metadata"]["finalizers"] = finalizers
        if not finalizers and self.objects[key]["metadata"].get("deletionTimestamp"):
            del self.objects[key]


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def admin(shared_broker: Broker) -> Iterator[Admin]:
    made = Admin(
        lambda: {
            "bootstrap_servers": shared_broker.bootstrap,
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": ADMIN,
            "sasl_plain_password": shared_broker.admin_password,
        }
    )
    yield made
    made.close()


@pytest.fixture
def settings() -> EntityOperatorSettings:
    return EntityOperatorSettings(
        namespace=resources.NAMESPACE,
        cluster=resources.CLUSTER,
        bootstrap="",
        identity="",
        trusted="",
        interval=90.0,
        finalizers=True,
        acls=True,
        secret_prefix="",
    )


def eventually(value: Callable[[], object], expected: object) -> None:
    """Wait until a value is as expected: a broker learns of a change only after the controller has said yes to it.

    :raises AssertionError: if it is not after 10 seconds.
    """
    deadline = time.monotonic() + 10
    while (found := value()) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found == expected
