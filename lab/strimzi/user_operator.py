"""The user operator: reconciles KafkaUser resources into SCRAM credentials, ACLs, quotas and Secrets."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from typing import Any, Final

from lab.strimzi import environment, identity, names, reconciler, user_admin, users
from lab.strimzi.admin import Admin
from lab.strimzi.conditions import Condition, not_ready, ready
from lab.strimzi.entity_operator import PORTS
from lab.strimzi.environment import EntityOperatorSettings
from lab.strimzi.kubernetes import Kubernetes, Object
from lab.strimzi.resource_operator import ResourceOperator

_LOG: Final = logging.getLogger(__name__)

EVERY: Final = "all users"
"""Key under which users are looked for whose KafkaUser is gone; no KafkaUser can have such a name."""


class UserOperator(ResourceOperator):
    """Makes the users of one cluster as their KafkaUsers say, and takes those away that have none."""

    KIND = "KafkaUser"

    def __init__(self, kubernetes: Kubernetes, admin: Admin, settings: EntityOperatorSettings) -> None:
        super().__init__(kubernetes, admin, settings)
        self._set: dict[str, bytes] = {}
        """Digests of the passwords that were set, by user: what Kafka has of them cannot be compared."""

    def _reconcile(self, name: str) -> float | None:
        if name == EVERY:
            self._sweep()
            return self._settings.interval
        return super()._reconcile(name)

    def _failed(self, reason: str, message: str) -> Condition:
        return not_ready(reason, message)

    def _gone(self, name: str) -> None:
        self._delete(name)

    def _apply(self, resource: Object) -> float:
        namespace, prefix = self._settings.namespace, self._settings.secret_prefix
        wanted = users.wanted(resource, acls_supported=self._settings.acls)
        own = None
        if wanted.scram:
            own = self._kubernetes.get("Secret", users.secret_name(resource, prefix), namespace)
            source = users.source(resource)
            given = source and self._kubernetes.get("Secret", source[0], namespace)
            password = users.password(resource, given, own, prefix)
            secret = users.secret(resource, self._settings.cluster, prefix, password)
            if users.source(resource) is None:
                # A password that was made up must not be lost once it is in use.
                self._kubernetes.apply(secret)
            self._set_password(wanted.name, password)
            self._kubernetes.apply(secret)
        elif wanted.name in user_admin.scram_users(self._admin):
            user_admin.delete_password(self._admin, wanted.name)
        if wanted.acls is not None:
            user_admin.set_acls(self._admin, wanted.name, wanted.acls)
        user_admin.set_quotas(self._admin, wanted.name, wanted.quotas)
        self._kubernetes.set_status(
            resource,
            [ready()],
            username=wanted.name,
            secret=users.secret_name(resource, prefix) if wanted.scram else None,
        )
        return self._settings.interval

    def _set_password(self, user: str, password: str) -> None:
        digest = hashlib.sha256(password.encode()).digest()
        if self._set.get(user) == digest and user in user_admin.scram_users(self._admin):
            return
        user_admin.set_password(self._admin, user, password)
        self._set[user] = digest

    def _sweep(self) -> None:
        # In this order, or a user made in between would be taken away.
        known = user_admin.known(self._admin, acls_supported=self._settings.acls)
        labels = {names.CLUSTER_LABEL: self._settings.cluster}
        resources = self._kubernetes.find(self.KIND, self._settings.namespace, labels)
        for user in sorted(known - {resource["metadata"]["name"] for resource in resources}):
            self._delete(user)

    def _delete(self, user: str) -> None:
        _LOG.info("user %s: deleted", user)
        self._set.pop(user, None)
        user_admin.delete(self._admin, user, acls_supported=self._settings.acls)


def _user_of(secret: Mapping[str, Any], prefix: str) -> list[str]:
    """Return the user whose own Secret it is, so that it is made again when it goes."""
    return [str(secret["metadata"]["name"]).removeprefix(prefix)]


def main(variables: Mapping[str, str]) -> None:
    """Run the user operator.

    :raises LabError: if its environment is wrong.
    """
    settings = environment.user_operator(variables)
    kubernetes = Kubernetes("strimzi-user-operator")
    labels = {names.CLUSTER_LABEL: settings.cluster}
    watches = [
        reconciler.Watch("KafkaUser", labels, lambda resource: [resource["metadata"]["name"]]),
        reconciler.Watch(
            "Secret",
            {**labels, "strimzi.io/kind": "KafkaUser"},
            lambda secret: _user_of(secret, settings.secret_prefix),
        ),
    ]
    user_operator = UserOperator(kubernetes, identity.admin(kubernetes, settings), settings)
    port = PORTS["entity-user-operator"]
    reconciler.run(kubernetes, watches, user_operator.reconcile, [settings.namespace], port, always=[EVERY])
