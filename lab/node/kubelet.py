"""The kubelet of the lab's node, which is also its kube-proxy, scheduler and network plug-in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import shutil
import signal
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx2
import orjson
from lightkube import ApiError, AsyncClient, KubeConfig
from lightkube.resources.core_v1 import Namespace, Pod, Service
from lightkube.resources.discovery_v1 import EndpointSlice
from lightkube.resources.networking_v1 import NetworkPolicy

from lab import network as networks
from lab.binaries.build import KUBERNETES_VERSION
from lab.errors import LabError
from lab.network import Network
from lab.node import environment, kubelet_api, names, rules
from lab.node.api import Api
from lab.node.claims import Provisioner
from lab.node.images import Image
from lab.node.informer import Informer
from lab.node.manifest import Manifest
from lab.node.pod import PodWorker
from lab.node.rules import Cluster
from lab.node.runtime import Runtime
from lab.node.status import OVER, stamp

NODE: Final = "lab"
_OUTSIDE_SECONDS: Final = 0.5
"""Seconds between two looks at the names of what is outside."""

_HEARTBEAT_SECONDS: Final = 10.0
_SETTLE_SECONDS: Final = 0.1
_FIRST: Final = 2
"""The first number of a pod: 0 is the range's own, 1 the node's."""
_NUMBERS: Final = 32_000
_log = logging.getLogger(__name__)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def _attempts(pod: Path) -> list[Path]:
    return sorted(pod.glob("containers/*/*"))


class Kubelet:
    """Runs the pods of the node."""

    def __init__(self, folder: Path, kubeconfig: Path, network: Network, images: Mapping[str, Image]) -> None:
        """:param folder: where pods have their files (mode 700)."""
        client = AsyncClient(KubeConfig.from_file(str(kubeconfig)), namespace="default", trust_env=False)
        self.api = Api(client, NODE)
        self.runtime = Runtime(folder / "crun")
        self.network = network
        self.images = images
        self.folder = folder
        self._workers: dict[str, PodWorker] = {}
        self._numbers: dict[str, int] = {}
        self._last = 0
        self._rules: dict[str, str] = {}
        self._outside: dict[str, str] = {}
        self._dirty = asyncio.Event()
        self._pods = Informer(client, Pod, self._pod_changed)
        self._informers = {
            kind: Informer(client, resource, lambda *_: self._dirty.set())
            for kind, resource in (
                ("namespaces", Namespace),
                ("services", Service),
                ("slices", EndpointSlice),
                ("policies", NetworkPolicy),
            )
        }
        self._provisioner = Provisioner(client, folder / "claims")
        self._background: set[asyncio.Task[None]] = set()
        self._recovered = False

    async def run(self, certificates: Path) -> None:
        """Run until told to stop by SIGTERM or SIGINT; pods go on.

        :param certificates: the folder with the kubelet's certificate and key.
        :raises LabError: if its port is taken.
        """
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        (self.folder / "pods").mkdir(parents=True, exist_ok=True, mode=0o700)
        self._read_numbers()
        try:
            server = await kubelet_api.serve(self._find, str(self.network.node), certificates)
        except OSError as error:
            message = f"{self.network.node}:{kubelet_api.PORT}: {os.strerror(error.errno or 0)}"
            raise LabError(message) from error
        works = (
            self._pods.run(),
            *(informer.run() for informer in self._informers.values()),
            self._provisioner.run(),
            self._heartbeat(),
            self._follow_network(),
            self._follow_outside(),
            self._recover(),
        )
        try:
            # If one fails, the kubelet ends; it is restarted and resumes its pods.
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(work) for work in works]
                await stopped.wait()
                for task in tasks:
                    task.cancel()
        finally:
            for worker in self._workers.values():
                worker.leave()
            for later in self._background:
                later.cancel()
            await server.cleanup()

    # What pods need of their node.

    def number(self, uid: str) -> int:
        """Return the number of a pod's attachment to the network, the same one whenever asked."""
        if uid not in self._numbers:
            # An address that was just given back is not given at once: others may know it as the old pod's.
            taken = set(self._numbers.values())
            number = self._last % _NUMBERS + 1
            while number in taken or number < _FIRST:
                number = number % _NUMBERS + 1
            self._last = number
            folder = self.folder / "pods" / uid
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "number").write_text(str(number), encoding="ascii")
            self._numbers[uid] = number
        return self._numbers[uid]

    def release(self, uid: str) -> None:
        """Give the number back."""
        self._numbers.pop(uid, None)
        self._rules.pop(uid, None)

    async def connect(self, pod: PodWorker) -> None:
        """Bring names and rules of a pod's network up to date."""
        await self._apply(pod, self._cluster())
        self._dirty.set()

    # Pods that come and go.

    def _find(self, namespace: str, name: str) -> PodWorker | None:
        return next((worker for worker in self._workers.values() if worker.name == f"{namespace}/{name}"), None)

    def _pod_changed(self, name: str, pod: Manifest | None) -> None:
        self._dirty.set()
        if not self._recovered:
            return
        uid = pod["metadata"]["uid"] if pod else None
        for other in self._workers.values():
            if other.name == name and other.uid != uid:
                other.end(0)
        if pod is None:
            return
        if not pod["spec"].get("nodeName"):
            if not pod["metadata"].get("deletionTimestamp"):
                self._later(self.api.bind(pod))
        elif pod["spec"]["nodeName"] == NODE:
            self._look_after(pod)

    def _look_after(self, pod: Manifest) -> None:
        metadata = pod["metadata"]
        known = self._workers.get(metadata["uid"])
        if known is not None:
            known.update(pod)
            return
        if (pod.get("status") or {}).get("phase") in OVER and not (self.folder / "pods" / metadata["uid"]).exists():
            if metadata.get("deletionTimestamp"):
                self._later(self.api.delete(pod))
            return
        worker = self._workers[metadata["uid"]] = PodWorker(self, pod)
        if metadata.get("deletionTimestamp"):
            worker.update(pod)
        else:
            worker.begin()
        self._later(self._forget_at_end(worker))

    async def _forget_at_end(self, worker: PodWorker) -> None:
        await worker.ended.wait()
        self._workers.pop(worker.uid, None)
        self._dirty.set()

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _recover(self) -> None:
        """Resume the pods of a previous kubelet; remove those that were deleted meanwhile."""
        await self._pods.synced.wait()
        for informer in self._informers.values():
            await informer.synced.wait()
        uids = {pod["metadata"]["uid"] for pod in self._pods.items.values()}
        for entry in await asyncio.to_thread(_entries, self.folder / "pods"):
            if entry.name not in uids:
                _log.info("pod %s is deleted: removing its files", entry.name)
                await self._remove(entry)
        self._recovered = True
        for name, pod in list(self._pods.items.items()):
            self._pod_changed(name, pod)

    async def _remove(self, folder: Path) -> None:
        for attempt in await asyncio.to_thread(_attempts, folder):
            await self.runtime.remove(f"{folder.name}-{attempt.parent.name}-{attempt.name}")
        if folder.name in self._numbers:
            await asyncio.to_thread(self.network.detach, self._numbers[folder.name])
        self.release(folder.name)
        shutil.rmtree(folder, ignore_errors=True)

    def _read_numbers(self) -> None:
        for path in (self.folder / "pods").glob("*/number"):
            with contextlib.suppress(ValueError):
                self._numbers[path.parent.name] = int(path.read_text(encoding="ascii"))
        self._last = max(self._numbers.values(), default=0)

    # The network.

    async def _follow_network(self) -> None:
        # Rules out of half of what there is would close what is open.
        for informer in (self._pods, *self._informers.values()):
            await informer.synced.wait()
        bridge = self.network.bridge
        people = rules.people_chain(bridge, self.network.people)
        while True:
            await self._dirty.wait()
            await asyncio.sleep(_SETTLE_SECONDS)
            self._dirty.clear()
            cluster = self._cluster()
            await self._give("", rules.table(bridge, [*rules.service_chains(cluster), people]), None)
            for worker in list(self._workers.values()):
                if worker.connected:
                    await self._apply(worker, cluster)

    async def _follow_outside(self) -> None:
        while True:
            with contextlib.suppress(FileNotFoundError):
                found = orjson.loads(await asyncio.to_thread((self.folder / networks.OUTSIDE_NAMES).read_bytes))
                if found != self._outside:
                    self._outside = found
                    self._dirty.set()
            await asyncio.sleep(_OUTSIDE_SECONDS)

    def _cluster(self) -> Cluster:
        pods = []
        for pod in self._pods.items.values():
            worker = self._workers.get(pod["metadata"]["uid"])
            status = pod.get("status") or {}
            if worker and worker.connected:
                status = {**status, "podIP": str(worker.address)}
            if status.get("phase") not in OVER:
                pods.append({**pod, "status": status})
        rest = {kind: tuple(informer.items.values()) for kind, informer in self._informers.items()}
        return replace(Cluster((), (), (), (), ()), pods=tuple(pods), **rest)

    async def _apply(self, worker: PodWorker, cluster: Cluster) -> None:
        pod, address = worker.manifest, str(worker.address)
        host = environment.hostname(pod)
        subdomain = pod["spec"].get("subdomain")
        namespace = pod["metadata"]["namespace"]
        full = f"{host}.{subdomain}.{namespace}.svc.cluster.local {host}" if subdomain else host
        worker.write_hosts(names.hosts(namespace, {full: address}, cluster.services, cluster.slices, self._outside))
        chains = [*rules.service_chains(cluster), *rules.policy_chains(pod, cluster, self.network.node)]
        await self._give(worker.uid, rules.table("kubernetes", chains), worker.namespace)

    async def _give(self, owner: str, text: str, namespace: str | None) -> None:
        if self._rules.get(owner) == text:
            return
        try:
            await asyncio.to_thread(networks.nft, text, namespace)
        except LabError as error:
            _log.warning("%s: %s", namespace or "node", error)
            self._later(self._again())
            return
        self._rules[owner] = text

    async def _again(self) -> None:
        await asyncio.sleep(1)
        self._dirty.set()

    # The node itself.

    async def _heartbeat(self) -> None:
        registered = False
        while True:
            try:
                if not registered:
                    await self.api.register(self._status())
                    registered = True
                await self.api.renew()
            except (ApiError, httpx2.HTTPError) as error:
                _log.info("heartbeat: %s", error or type(error).__name__)
                await asyncio.sleep(1)
                continue
            await asyncio.sleep(_HEARTBEAT_SECONDS)

    def _status(self) -> dict[str, Any]:
        now = stamp(datetime.now(UTC))
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        capacity = {"cpu": str(os.cpu_count() or 1), "memory": f"{memory >> 10}Ki", "pods": "1000"}
        healthy = {
            "Ready": ("True", "KubeletReady", "the lab's node runs pods"),
            "MemoryPressure": ("False", "KubeletHasSufficientMemory", "not watched"),
            "DiskPressure": ("False", "KubeletHasNoDiskPressure", "not watched"),
            "PIDPressure": ("False", "KubeletHasSufficientPID", "not watched"),
        }
        return {
            "capacity": capacity,
            "allocatable": capacity,
            "addresses": [
                {"type": "InternalIP", "address": str(self.network.node)},
                {"type": "Hostname", "address": NODE},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet_api.PORT}},
            # So that the API server hands a WebSocket on as it is, where it would make SPDY of it otherwise.
            "declaredFeatures": ["ExtendWebSocketsToKubelet"],
            "conditions": [
                {
                    "type": name,
                    "status": status,
                    "reason": reason,
                    "message": message,
                    "lastHeartbeatTime": now,
                    "lastTransitionTime": now,
                }
                for name, (status, reason, message) in healthy.items()
            ],
            "nodeInfo": {
                "machineID": "lab",
                "systemUUID": "lab",
                "bootID": "lab",
                "kernelVersion": platform.release(),
                "osImage": "this machine",
                "containerRuntimeVersion": "crun://lab",
                "kubeletVersion": f"{KUBERNETES_VERSION}-lab",
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
            },
        }
