"""What the topic and the user operator have in common: a pass over one custom resource."""

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
"""Seconds until Kafka is asked again that refused, or did not answer."""


class ResourceOperator(ABC):
    """Makes in one cluster's Kafka what custom resources of one kind say."""

    KIND: ClassVar[str]

    def __init__(self, kubernetes: Kubernetes, admin: Admin, settings: EntityOperatorSettings) -> None:
        self._kubernetes = kubernetes
        self._admin = admin
        self._settings = settings

    def look(self, name: str) -> float | None:
        """Make what one resource is about as specified; return the seconds until the next look, None if it is gone.

        :raises AdminError: if Kafka keeps what a resource was about that is gone.
        :raises ApiError: if the API server refuses.
        """
        try:
            return self._look(name)
        except KafkaUnavailableError as error:
            _LOG.warning("%s: %s", name, error)
            return _RETRY

    def _look(self, name: str) -> float | None:
        resource = self._kubernetes.get(self.KIND, name, self._settings.namespace)
        if resource is None:
            self._gone(name)
            return None
        try:
            return self._reconcile(resource)
        except RefusedError as error:
            self._kubernetes.set_status(resource, [self._failed(error.reason, str(error))])
            return self._settings.interval
        except AdminError as error:
            self._kubernetes.set_status(resource, [self._failed("KafkaError", str(error))])
            return _RETRY

    @abstractmethod
    def _failed(self, reason: str, message: str) -> Condition:
        """Return the condition of a resource that is not as specified."""

    @abstractmethod
    def _reconcile(self, resource: Object) -> float | None:
        """Make what a resource says, and set its status; return the seconds until the next look, None for none.

        :raises RefusedError: if it cannot be done.
        :raises AdminError: if Kafka refuses.
        :raises KafkaUnavailableError: if it does not answer.
        """

    @abstractmethod
    def _gone(self, name: str) -> None:
        """Take away what a resource was about that is gone.

        :raises AdminError: if Kafka refuses.
        :raises KafkaUnavailableError: if it does not answer.
        """
