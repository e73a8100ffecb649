"""The node's requests to the API server."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
from lightkube import ApiError, AsyncClient
from lightkube.core.resource import NamespacedResource
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.authentication_v1 import BoundObjectReference, TokenRequestSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.coordination_v1 import Lease
from lightkube.resources.core_v1 import (
    ConfigMap,
    Event,
    Node,
    NodeStatus,
    Pod,
    PodStatus,
    Secret,
    ServiceAccountToken,
)
from lightkube.types import PatchType

from lab.node.manifest import Manifest

COMPONENT: Final = "lab-node"
# What answers it is a Status, which lightkube's own class for it does not take.
_Binding: Any = create_namespaced_resource("", "v1", "Binding", "bindings")
_RENEW: Final = 0.8
"""The part of a token's life after which a new one is asked for, as a kubelet does."""
_NOT_FOUND: Final = 404
_log = logging.getLogger(__name__)


@dataclass
class Api:
    """The API server, asked as the node."""

    client: AsyncClient
    node: str
    _tokens: dict[tuple[str, str, str], tuple[str, float]] = field(default_factory=dict)

    async def data(self, namespace: str, kind: str, name: str) -> Mapping[str, bytes] | None:
        """Return the data of a ``secret`` or ``configMap``; None if there is none."""
        resource: type[NamespacedResource] = Secret if kind == "secret" else ConfigMap
        try:
            found: Any = await self.client.get(resource, name, namespace=namespace)
        except ApiError as error:
            if error.status.code == _NOT_FOUND:
                return None
            raise
        if kind == "secret":
            return {key: base64.b64decode(value) for key, value in (found.data or {}).items()}
        texts = {key: value.encode() for key, value in (found.data or {}).items()}
        return texts | {key: base64.b64decode(value) for key, value in (found.binaryData or {}).items()}

    async def token(self, pod: Manifest, audience: str, seconds: int) -> str:
        """Return a token of a pod's service account, a new one when the last has lived most of its life."""
        metadata = pod["metadata"]
        account = pod["spec"].get("serviceAccountName") or "default"
        known = self._tokens.get((metadata["uid"], audience, str(seconds)))
        if known and time.time() < known[1]:
            return known[0]
        request: Any = ServiceAccountToken(
            metadata=ObjectMeta(),
            spec=TokenRequestSpec(
                audiences=[audience] if audience else [],
                expirationSeconds=max(seconds, 600),
                boundObjectRef=BoundObjectReference(
                    apiVersion="v1", kind="Pod", name=metadata["name"], uid=metadata["uid"]
                ),
            ),
        )
        made: Any = await self.client.create(request, account, namespace=metadata["namespace"])
        expires = made.status.expirationTimestamp.timestamp()
        now = time.time()
        token = str(made.status.token)
        self._tokens[(metadata["uid"], audience, str(seconds))] = (token, now + _RENEW * (expires - now))
        return token

    def forget(self, uid: str) -> None:
        """Drop the tokens of a pod."""
        for known in [known for known in self._tokens if known[0] == uid]:
            del self._tokens[known]

    async def bind(self, pod: Manifest) -> None:
        """Give a pod to this node; one that is gone or bound meanwhile is left alone."""
        metadata = pod["metadata"]
        binding = _Binding.from_dict(
            {
                "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
                "target": {"apiVersion": "v1", "kind": "Node", "name": self.node},
            }
        )
        try:
            await self.client.create(binding)
        except ApiError as error:
            _log.info("pod %s/%s: not bound: %s", metadata["namespace"], metadata["name"], error)

    async def set_status(self, pod: Manifest, status: Mapping[str, Any]) -> bool:
        """Write a pod's status; tell whether the pod is still there, the same one."""
        metadata = pod["metadata"]
        patch: dict[str, Any] = {"metadata": {"uid": metadata["uid"]}, "status": status}
        try:
            await self.client.patch(
                PodStatus, metadata["name"], patch, namespace=metadata["namespace"], patch_type=PatchType.MERGE
            )
        except ApiError as error:
            if error.status.code in (_NOT_FOUND, 409):
                return False
            raise
        return True

    async def delete(self, pod: Manifest) -> None:
        """Let a pod that has ended go; one of the same name that came after it stays."""
        metadata = pod["metadata"]
        try:
            current: Any = await self.client.get(Pod, metadata["name"], namespace=metadata["namespace"])
            if current.metadata.uid == metadata["uid"]:
                await self.client.delete(Pod, metadata["name"], namespace=metadata["namespace"], grace_period=0)
        except ApiError as error:
            if error.status.code != _NOT_FOUND:
                raise

    async def event(self, pod: Manifest, kind: str, reason: str, message: str) -> None:
        """Tell what happened to a pod, for ``kubectl describe``; that it cannot be told stops nothing."""
        metadata, now = pod["metadata"], datetime.now(UTC)
        event: Any = Event.from_dict(
            {
                "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
                "involvedObject": {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "name": metadata["name"],
                    "namespace": metadata["namespace"],
                    "uid": metadata["uid"],
                },
                "type": kind,
                "reason": reason,
                "message": message[:1000],
                "source": {"component": COMPONENT, "host": self.node},
                "firstTimestamp": now.isoformat(),
                "lastTimestamp": now.isoformat(),
                "count": 1,
            }
        )
        try:
            await self.client.create(event)
        except (ApiError, httpx2.HTTPError) as error:
            _log.info("event %s of %s: %s", reason, metadata["name"], error)

    async def register(self, status: Mapping[str, Any]) -> None:
        """Make the Node where it is not there, and set its status."""
        labels = {
            "kubernetes.io/hostname": self.node,
            "kubernetes.io/os": "linux",
            "topology.kubernetes.io/region": "lab",
            "topology.kubernetes.io/zone": "lab",
        }
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.node, "labels": labels}}
        await self.client.patch(Node, self.node, node, patch_type=PatchType.APPLY, field_manager=COMPONENT, force=True)
        await self.client.patch(NodeStatus, self.node, {"status": status}, patch_type=PatchType.MERGE)

    async def renew(self) -> None:
        """Say that the node is alive."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.node, "namespace": "kube-node-lease"},
            "spec": {"holderIdentity": self.node, "leaseDurationSeconds": 40, "renewTime": now},
        }
        await self.client.patch(
            Lease,
            self.node,
            lease,
            namespace="kube-node-lease",
            patch_type=PatchType.APPLY,
            field_manager=COMPONENT,
            force=True,
        )
