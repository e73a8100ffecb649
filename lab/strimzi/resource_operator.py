"""Reconciles one custom resource, for the topic and the user operator."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import ClassVar, Final

from lab.strimzi.admin import Admin, AdminError, KafkaUnavailableError
from lab.strimzi.conditions import Condition, RefusedError
from lab.strimzi.environment import EntityOperatorSettings
from lab.strimzi.kubernetes import Kubernetes, Object

_LOG: Final = logging.getLogger(__name__)
_RETRY: Final = 1.0
"""Seconds until a retry after Kafka refused or did not answer."""


class ResourceOperator(ABC):
    """Reconciles custom resources of one kind with one Kafka cluster."""

    KIND: ClassVar[str]

    def __init__(self, kubernetes: Kubernetes, admin: Admin, settings: EntityOperatorSettings) -> None:
        self._kubernetes = kubernetes
        self._admin = admin
        self._settings = settings

    def reconcile(self, name: str) -> float | None:
        """Reconcile one resource; return the seconds until the next time, None if it is deleted.

        :raises AdminError: if Kafka refuses to delete what belonged to a deleted resource.
        :raises ApiError: if the API server refuses.
        """
        try:
            return self._reconcile(name)
        except KafkaUnavailableError as error:
            _LOG.warning("%s: %s", name, error)
            return _RETRY

    def _reconcile(self, name: str) -> float | None:
        resource = self._kubernetes.get(self.KIND, name, self._settings.namespace)
        if resource is None:
            self._gone(name)
            return None
        try:
            return self._apply(resource)
        except RefusedError as error:
            self._kubernetes.set_status(resource, [self._failed(error.reason, str(error))])
            return self._settings.interval
        except AdminError as error:
            self._kubernetes.set_status(resource, [self._failed("KafkaError", str(error))])
            return _RETRY

    @abstractmethod
    def _failed(self, reason: str, message: str) -> Condition:
        """Return the condition of a resource that cannot be reconciled."""

    @abstractmethod
    def _apply(self, resource: Object) -> float | None:
        """Apply a resource and set its status; return the seconds until the next time, None for never.

        :raises RefusedError: if it cannot be done.
        :raises AdminError: if Kafka refuses.
        :raises KafkaUnavailableError: if it does not answer.
        """

    @abstractmethod
    def _gone(self, name: str) -> None:
        """Delete what belonged to a deleted resource.

        :raises AdminError: if Kafka refuses.
        :raises KafkaUnavailableError: if it does not answer.
        """
