"""One pod on this node, from its network to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final, Protocol

import httpx2
from lightkube import ApiError

from lab import files
from lab.ids import Ids
from lab.network import Network
from lab.node.api import Api
from lab.node.container import Container
from lab.node.environment import MissingError
from lab.node.images import Image
from lab.node.manifest import Manifest, key
from lab.node.runtime import Runtime
from lab.node.status import OVER, Kind, Record, Waiting, conditions, phase, stamp
from lab.node.volume_manager import VolumeManager

_log = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 1.0
_REFRESH_SECONDS: Final = 20.0


class Node(Protocol):
    """What a pod needs of its node."""

    api: Api
    runtime: Runtime
    network: Network
    images: Mapping[str, Image]
    folder: Path

    def number(self, uid: str) -> int:
        """Return the number of a pod's attachment to the network, the same one whenever asked."""

    def release(self, uid: str) -> None:
        """Give the number back."""

    async def connect(self, pod: PodWorker) -> None:
        """Bring names and rules of a pod's network up to date."""


class PodWorker:
    """Runs a pod: its network, its volumes, its containers in their order, its status and its end."""

    def __init__(self, node: Node, pod: Manifest) -> None:
        """Resume the pod's containers of a previous kubelet."""
        self.manifest = pod
        self.uid: str = pod["metadata"]["uid"]
        self._node = node
        self.folder: Path = node.folder / "pods" / self.uid
        self.volumes = VolumeManager(node.api, self.folder / "volumes", node.folder / "claims", node.network.ids)
        self.connected = (self.folder / "connected").exists() and self._network_namespace.exists()
        self._attaching: asyncio.Task[None] | None = None
        self._prepared = asyncio.Event()
        self.over = False
        """Whether all but the sidecars have ended for good."""
        self.ended = asyncio.Event()
        spec = pod["spec"]
        kinds = (
            (Kind.INIT, spec.get("initContainers") or []),
            (Kind.MAIN, spec["containers"]),
            (Kind.EPHEMERAL, spec.get("ephemeralContainers") or []),
        )
        self.containers = [self._container(container, kind) for kind, found in kinds for container in found]
        self._changed = asyncio.Event()
        self._written: dict[str, Any] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ending: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """Namespace and name."""
        return key(self.manifest)

    @property
    def address(self) -> IPv4Address:
        """The pod's address."""
        return self._node.network.pods[self._node.number(self.uid)]

    @property
    def addresses(self) -> dict[str, str]:
        """The pod's address as ``pod``, the node's as ``node``, and as ``service`` that of the API server's Service."""
        network = self._node.network
        return {"pod": str(self.address), "node": str(network.node), "service": str(network.api_service)}

    @property
    def namespace(self) -> str:
        """The name of the pod's network namespace."""
        return self._node.network.namespace(self._node.number(self.uid))

    @property
    def _network_namespace(self) -> Path:
        return Path("/run/netns") / self.namespace

    @property
    def users(self) -> Path:
        """The pod's user namespace."""
        return self._node.network.users(self._node.number(self.uid))

    @property
    def ids(self) -> Ids:
        """The ids of the machine that are the pod's."""
        return self._node.network.ids

    @property
    def records(self) -> list[Record]:
        """What is known of the pod's containers."""
        return [container.record for container in self.containers]

    def begin(self) -> None:
        """Start to run the pod; one that is over by its status is no more than put away."""
        self._spawn(self._publish())
        if (self.manifest.get("status") or {}).get("phase") in OVER:
            self._spawn(self._finish())
        else:
            self._spawn(self._live())

    def update(self, pod: Manifest) -> None:
        """Take a newer version of the pod: it may have to end, or have one more container to debug it with."""
        self.manifest = pod
        if pod["metadata"].get("deletionTimestamp"):
            grace = pod["metadata"].get("deletionGracePeriodSeconds")
            self.end(30 if grace is None else grace)
            return
        known = {record.name for record in self.records}
        for manifest in pod["spec"].get("ephemeralContainers") or []:
            if manifest["name"] not in known:
                container = self._container(manifest, Kind.EPHEMERAL)
                self.containers.append(container)
                self._spawn(self._join(container))

    def end(self, grace: float) -> None:
        """End the pod's containers, within ``grace`` seconds or by force, and let go of all that it has."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(grace))

    def leave(self) -> None:
        """Stop managing the pod; its containers go on, for the next kubelet."""
        for task in [*self._tasks, *([self._ending] if self._ending else [])]:
            task.cancel()

    def _container(self, manifest: Manifest, kind: Kind) -> Container:
        return Container(self, Record(manifest, kind), self._node.api, self._node.runtime, self._node.images)

    def _spawn(self, work: Awaitable[None]) -> None:
        async def watched() -> None:
            try:
                await work
            except asyncio.CancelledError:
                raise
            except Exception:  # what is wrong with one pod must not end the others
                _log.exception("pod %s", self.name)

        self._tasks.append(asyncio.create_task(watched()))

    # The pod's life.

    async def _join(self, container: Container) -> None:
        await self._prepared.wait()
        await container.supervise()

    async def _live(self) -> None:
        # Those that come later join by themselves.
        later = [container for container in self.containers if container.record.kind is not Kind.INIT]
        await self.until_there(self._prepare, self.records)
        self._prepared.set()
        for container in [container for container in self.containers if container.record.kind is Kind.INIT]:
            if container.record.sidecar:
                self._spawn(container.supervise())
                await container.begun.wait()
            else:
                await container.supervise()
                if not container.record.done:
                    return
        self._spawn(self._refresh())
        async with asyncio.TaskGroup() as group:
            for container in later:
                group.create_task(container.supervise())
        await self._finish()

    async def _finish(self) -> None:
        """End the sidecars: all others have ended, and none is to be started again."""
        self.over = True
        for container in reversed(self.containers):
            if container.record.sidecar:
                await container.stop(10)
        self.touch()

    async def _prepare(self) -> None:
        if not self.connected:
            # A thread goes on when the pod has to end meanwhile; its end waits for that.
            self._attaching = asyncio.create_task(asyncio.to_thread(self._attach, self._network_settings()))
            await asyncio.shield(self._attaching)
            self.connected = True
            self.touch()
        await self._node.connect(self)
        await self.volumes.write(self.manifest, self.addresses)

    def _attach(self, settings: Mapping[str, str]) -> None:
        number = self._node.number(self.uid)
        self._node.network.attach(number, self.address)
        self._node.network.configure(number, settings)
        (self.folder / "connected").touch()

    def _network_settings(self) -> dict[str, str]:
        context = self.manifest["spec"].get("securityContext") or {}
        settings = {item["name"]: item["value"] for item in context.get("sysctls") or []}
        others = sorted(name for name in settings if not name.startswith("net."))
        if others:
            message = f"sysctl {', '.join(others)}: the lab supports sysctls of the pod's network only"
            raise MissingError(message)
        return settings

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            await self.volumes.refresh(self.manifest, self.addresses)

    async def until_there(self, work: Callable[[], Awaitable[None]], records: list[Record]) -> None:
        """Try something until all that it refers to is there; meanwhile the containers' status says what is not."""
        said = ""
        while True:
            try:
                await work()
            except (MissingError, ApiError, httpx2.HTTPError) as error:
                message = str(error) or type(error).__name__
            else:
                return
            for record in records:
                if isinstance(record.state, Waiting):
                    record.state = Waiting("CreateContainerConfigError", message)
            if message != said:
                said = message
                await self.event("Warning", "Failed", message)
                self.touch()
            await asyncio.sleep(_RETRY_SECONDS)

    # The pod's end.

    async def _end(self, grace: float) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        deadline = time.monotonic() + grace
        running = [container for container in self.containers if container.record.attempt >= 0]
        for container in running:
            if container.runs:
                container.record.ready = False
        await self._write_status()
        if running and grace:
            await self.event("Normal", "Killing", "Stopping the pod's containers")
        main = [container for container in running if container.record.kind is not Kind.INIT]
        await asyncio.gather(*(container.stop(deadline - time.monotonic()) for container in main))
        for container in reversed([container for container in running if container.record.kind is Kind.INIT]):
            await container.stop(deadline - time.monotonic())
        with contextlib.suppress(ApiError, httpx2.HTTPError):
            await self._write_status()
        await self.clean()
        await self._persistently(self._node.api.delete(self.manifest))
        self.ended.set()

    async def _persistently(self, work: Awaitable[None]) -> None:
        try:
            await work
        except (ApiError, httpx2.HTTPError) as error:
            _log.warning("pod %s: %s", self.name, error)

    async def clean(self) -> None:
        """Remove the pod's network and files."""
        self.connected = False
        if self._attaching is not None:
            await asyncio.wait([self._attaching])
        if self._attaching is not None or (self.folder / "connected").exists():
            await asyncio.to_thread(self._node.network.detach, self._node.number(self.uid))
        self._node.api.forget(self.uid)
        self._node.release(self.uid)
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    # What the pod says.

    def touch(self) -> None:
        """Have the pod's status written anew."""
        self._changed.set()

    async def _publish(self) -> None:
        self.touch()
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                if not await self._write_status():
                    return
            except (ApiError, httpx2.HTTPError) as error:
                _log.info("status of %s: %s", self.name, error or type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)
                self.touch()

    def status(self) -> dict[str, Any]:
        """Return the pod's status."""
        previous = (self._written or self.manifest.get("status") or {}).get("conditions") or []
        status: dict[str, Any] = {
            "phase": phase(self.manifest, self.records),
            "conditions": conditions(self.manifest, self.records, previous, datetime.now(UTC), sandbox=self.connected),
            "hostIP": str(self._node.network.node),
            "hostIPs": [{"ip": str(self._node.network.node)}],
            "startTime": (self.manifest.get("status") or {}).get("startTime")
            or self._written.get("startTime")
            or stamp(datetime.now(UTC)),
        }
        if self.connected:
            status |= {"podIP": str(self.address), "podIPs": [{"ip": str(self.address)}]}
        for kind in Kind:
            found = [record.manifest() for record in self.records if record.kind is kind]
            if found:
                status[kind.value] = found
        return status

    async def _write_status(self) -> bool:
        status = self.status()
        if status == self._written:
            return True
        there = await self._node.api.set_status(self.manifest, status)
        self._written = status
        return there

    async def event(self, kind: str, reason: str, message: str) -> None:
        """Tell what happened to the pod."""
        await self._node.api.event(self.manifest, kind, reason, message)

    def write_hosts(self, text: str) -> None:
        """Bring the pod's hosts file up to date."""
        path = self.folder / "etc" / "hosts"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="ascii") != text:
            files.replace(path, text.encode())
            path.chmod(0o644)
