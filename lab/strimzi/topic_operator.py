"""The topic operator: reconciles KafkaTopic resources."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from lab.strimzi import environment, identity, names, reconciler, topic_admin, topics
from lab.strimzi.admin import Admin
from lab.strimzi.conditions import Condition, RefusedError, failed, ready
from lab.strimzi.entity_operator import PORTS
from lab.strimzi.environment import EntityOperatorSettings
from lab.strimzi.kubernetes import Kubernetes, Object
from lab.strimzi.resource_operator import ResourceOperator

_LOG: Final = logging.getLogger(__name__)
FINALIZER: Final = "strimzi.io/topic-operator"
_MANAGED: Final = "strimzi.io/managed"


class TopicOperator(ResourceOperator):
    """Makes the topics of one cluster as their KafkaTopics say; topics that have none are left alone."""

    KIND = "KafkaTopic"

    def __init__(self, kubernetes: Kubernetes, admin: Admin, settings: EntityOperatorSettings) -> None:
        super().__init__(kubernetes, admin, settings)
        self._held: dict[str, str] = {}
        """Names of topics by the names of the KafkaTopics that hold them."""

    def _failed(self, reason: str, message: str) -> Condition:
        return failed(reason, message)

    def _gone(self, name: str) -> None:
        held = self._held.pop(name, None)
        if held is not None:
            self._delete(held)

    def _apply(self, resource: Object) -> float | None:
        if resource["metadata"].get("deletionTimestamp"):
            self._let_go(resource)
            return None
        name, wanted_name = resource["metadata"]["name"], topics.topic_name(resource)
        if _unmanaged(resource):
            self._held.pop(name, None)
            self._kubernetes.set_status(resource, [{"type": "Unmanaged", "status": "True"}])
            return self._settings.interval
        self._refuse_conflict(resource, wanted_name)
        wanted = topics.wanted(resource)
        self._finalizer(resource, wanted=self._settings.finalizers)
        found = topic_admin.find(self._admin, wanted.name)
        plan = topics.plan(wanted, found)
        made = topic_admin.carry_out(self._admin, wanted, plan)
        self._held[name] = wanted.name
        if plan.refused:
            raise plan.refused
        self._kubernetes.set_status(resource, [ready()], topicName=wanted.name, topicId=found.id if found else made)
        return self._settings.interval

    def _refuse_conflict(self, resource: Object, topic: str) -> None:
        others = self._kubernetes.find(self.KIND, self._settings.namespace, self._selector)
        holder = topics.holder([resource, *others], topic)["metadata"]
        if holder["name"] != resource["metadata"]["name"]:
            message = f"Managed by Ref{{namespace='{holder['namespace']}', name='{holder['name']}'}}"
            raise RefusedError("ResourceConflict", message)

    @property
    def _selector(self) -> dict[str, str]:
        return {names.CLUSTER_LABEL: self._settings.cluster}

    def _finalizer(self, resource: Object, *, wanted: bool) -> None:
        finalizers = resource["metadata"].get("finalizers") or []
        if (FINALIZER in finalizers) == wanted:
            return
        kept = [it for it in finalizers if it != FINALIZER]
        self._kubernetes.set_finalizers(resource, [*kept, FINALIZER] if wanted else kept)

    def _let_go(self, resource: Object) -> None:
        """Delete the topic of a KafkaTopic that waits for this operator before it goes."""
        name = resource["metadata"]["name"]
        if FINALIZER not in (resource["metadata"].get("finalizers") or []):
            return
        held = self._held.pop(name, None) or (resource.get("status") or {}).get("topicName")
        if held and not _unmanaged(resource):
            self._delete(held)
        self._finalizer(resource, wanted=False)

    def _delete(self, topic: str) -> None:
        _LOG.info("topic %s: deleted", topic)
        topic_admin.delete(self._admin, topic)


def _unmanaged(resource: Mapping[str, Any]) -> bool:
    return (resource["metadata"].get("annotations") or {}).get(_MANAGED) == "false"


def main(variables: Mapping[str, str]) -> None:
    """Run the topic operator.

    :raises LabError: if its environment is wrong.
    """
    settings = environment.topic_operator(variables)
    kubernetes = Kubernetes("strimzi-topic-operator")
    watch = reconciler.Watch(
        "KafkaTopic", {names.CLUSTER_LABEL: settings.cluster}, lambda resource: [resource["metadata"]["name"]]
    )
    topic_operator = TopicOperator(kubernetes, identity.admin(kubernetes, settings), settings)
    reconciler.run(kubernetes, [watch], topic_operator.reconcile, [settings.namespace], PORTS["entity-topic-operator"])
