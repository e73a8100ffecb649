"""The operators' requests to the Kubernetes API; objects are dictionaries, as the server returns them."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import httpx2
from lightkube import ApiError, Client, KubeConfig
from lightkube.generic_resource import create_global_resource, create_namespaced_resource
from lightkube.types import PatchType

from lab.strimzi import names
from lab.strimzi.conditions import Condition, status

Object = dict[str, Any]

_PLURALS: Final = {"NetworkPolicy": "networkpolicies"}
_CORE: Final = ("Pod", "Service", "Secret", "ConfigMap", "ServiceAccount", "PersistentVolumeClaim", "Event", "Node")
_RIGHTS: Final = ("Role", "RoleBinding", "ClusterRoleBinding")
_GLOBAL: Final = ("Node", "ClusterRoleBinding")
"""Kinds of no namespace."""
_VERSIONS: Final = {
    **dict.fromkeys(_CORE, "v1"),
    "Deployment": "apps/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    **dict.fromkeys(_RIGHTS, "rbac.authorization.k8s.io/v1"),
    **dict.fromkeys(("Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser"), names.API),
}
_TOKEN_SECONDS: Final = 600.0
"""For how long a client is used: a service account's token is read once by it, and replaced every now and then."""


def address(kind: str) -> tuple[str, str, str]:
    """Return a kind's group (empty for the core), version and plural."""
    group, _, version = _VERSIONS[kind].rpartition("/")
    return group, version, _PLURALS.get(kind, f"{kind.lower()}s")


@cache
def _resource(kind: str) -> type[Any]:
    group, version, plural = address(kind)
    create = create_global_resource if kind in _GLOBAL else create_namespaced_resource
    # What the library's generated classes call themselves is of no interest here.
    return create(group, version, kind, plural)


class Kubernetes:
    """The API server, asked as the Pod's service account, or as a kubeconfig says outside of a Pod."""

    def __init__(self, field_manager: str) -> None:
        self._manager = field_manager
        self._client: Client | None = None
        self._until = 0.0

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self) -> Client:
        if self._client is None or time.monotonic() > self._until:
            self.close()
            self._client = Client(KubeConfig.from_env(), field_manager=self._manager)
            self._until = time.monotonic() + _TOKEN_SECONDS
        return self._client

    def refused(self, kind: str, namespace: str) -> str:
        """Return why the objects of a kind cannot be listed; nothing if they can.

        :param namespace: ``*`` for all.
        """
        try:
            next(iter(self._connected().list(_resource(kind), namespace=namespace, chunk_size=1)), None)
            discovered = self._discovers(kind)
        except (ApiError, httpx2.HTTPError, OSError) as error:
            return str(error) or type(error).__name__
        return "" if discovered else "the API server does not yet list it among its resources"

    def _discovers(self, kind: str) -> bool:
        """Tell whether discovery names a kind. For a new CRD that comes later than its objects are served."""
        group, version, plural = address(kind)
        if not group:
            return True
        client = self._connected()._client._client  # noqa: SLF001 lightkube does not ask for discovery
        groups = client.get("/apis").json()["groups"]
        if group not in {item["name"] for item in groups}:
            return False
        response = client.get(f"/apis/{group}/{version}")
        return response.is_success and plural in {item["name"] for item in response.json()["resources"]}

    def get(self, kind: str, name: str, namespace: str | None) -> Object | None:
        """Return an object, or None when there is none.

        :param namespace: None for what is of no namespace.
        :raises ApiError: if the server refuses.
        """
        try:
            return dict(self._connected().get(_resource(kind), name, namespace=namespace))
        except ApiError as error:
            if error.status.code == HTTPStatus.NOT_FOUND:
                return None
            raise

    def find(self, kind: str, namespace: str, labels: Mapping[str, str]) -> list[Object]:
        """Return the objects that have the labels.

        :raises ApiError: if the server refuses.
        """
        found = self._connected().list(_resource(kind), namespace=namespace, labels=dict(labels))
        # The server leaves both out of the items of a list.
        return [{"apiVersion": _VERSIONS[kind], "kind": kind, **dict(item)} for item in found]

    def apply(self, manifest: Object) -> None:
        """Make an object, or make it as specified.

        :raises ApiError: if the server refuses.
        """
        resource = _resource(manifest["kind"])
        self._connected().apply(resource.from_dict(manifest), force=True)

    def create(self, manifest: Object) -> None:
        """Make an object unless there is one.

        :raises ApiError: if the server refuses.
        """
        try:
            self._connected().create(_resource(manifest["kind"]).from_dict(manifest))
        except ApiError as error:
            if error.status.code != HTTPStatus.CONFLICT:
                raise

    def delete(self, kind: str, name: str, namespace: str | None) -> None:
        """Delete an object if there is one.

        :param namespace: None for what is of no namespace.
        :raises ApiError: if the server refuses.
        """
        try:
            self._connected().delete(_resource(kind), name, namespace=namespace)
        except ApiError as error:
            if error.status.code != HTTPStatus.NOT_FOUND:
                raise

    def warn(self, resource: Object, reason: str, message: str) -> None:
        """Leave a warning as an event of a custom resource.

        :raises ApiError: if the server refuses.
        """
        metadata, now = resource["metadata"], _now()
        about = {key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion")}
        self.create(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
                "involvedObject": {"apiVersion": resource["apiVersion"], "kind": resource["kind"], **about},
                "type": "Warning",
                "reason": reason,
                "message": message,
                "source": {"component": self._manager},
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
            }
        )

    def set_finalizers(self, resource: Object, finalizers: list[str]) -> None:
        """Say who has to clean up before an object may go; nothing happens when it has gone.

        :raises ApiError: if it has changed meanwhile, or the server refuses.
        """
        metadata = resource["metadata"]
        change = {"metadata": {"finalizers": finalizers, "resourceVersion": metadata["resourceVersion"]}}
        self._patch(resource, change, status=False)

    def set_status(self, resource: Object, conditions: list[Condition], **fields: Any) -> None:
        """Set a custom resource's status, unless it is so already.

        :param fields: further fields of it.
        :raises ApiError: if the server refuses.
        """
        changed = status(resource, conditions, _now(), fields)
        if changed is not None:
            self._patch(resource, {"status": changed}, status=True)

    def _patch(self, resource: Object, change: Object, *, status: bool) -> None:
        kind = _resource(resource["kind"])
        metadata = resource["metadata"]
        try:
            self._connected().patch(
                kind.Status if status else kind,
                metadata["name"],
                change,
                namespace=metadata["namespace"],
                patch_type=PatchType.MERGE,
            )
        except ApiError as error:
            if error.status.code != HTTPStatus.NOT_FOUND:
                raise


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def quiet() -> None:
    """Keep the libraries' own remarks out of the log: what failed is said once, by the operators."""
    for name in ("httpx", "httpx2", "httpcore", "httpcore2", "kafka", "aiohttp.access"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
