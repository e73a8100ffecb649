"""The pods that the payloads run in: those of the workloads, and probe pods made for the session."""

from __future__ import annotations

import contextlib
import inspect
import secrets
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec

from kafka_on_istio.access.model import AccessModel
from verify import pods
from verify.cases import Kind, Source, Way, sources
from verify.cluster import Cluster, Place
from verify.errors import VerifyError
from verify.inside import connections as inside
from verify.pods import Manifest

_AT_ONCE = 8
_PROXY = "istio-proxy"
_LOG_LINES = 20_000
_END = "import os, signal; os.kill(1, signal.SIGTERM)"


@dataclass
class ProbeTarget:
    """A pod of a source, and the containers in it that payloads run in."""

    source: Source
    namespace: str
    pod: str
    address: str
    ports: frozenset[int]
    """The container ports that the pod declares."""
    logs: bool
    ipv6: tuple[str, ...] = ()
    """The IPv6 addresses in the pod's status."""
    containers: dict[str, Place] = field(default_factory=dict)


def at_once(work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """Run a function for several items in parallel, and return the results in order."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(work, items))


class ProbeSession:
    """The probe targets of one run. Leaving the session removes everything that it created."""

    def __init__(self, cluster: Cluster, model: AccessModel, image: str | None) -> None:
        """:param image: the image of the payloads' containers, by default the services'."""
        self.cluster = cluster
        self.model = model
        self.targets: dict[str, ProbeTarget] = {}
        """The pod that sends the connections of each source."""
        self.pods: dict[str, list[ProbeTarget]] = {}
        """All pods of each source, the one that sends first."""
        self.owners: dict[str, str] = {}
        """The workload of each pod address."""
        self.sidecars: dict[tuple[str, str], bool] = {}
        """Whether a pod has a sidecar, by workload and pod."""
        self._image = image
        self._run = secrets.token_hex(3)
        self._made: list[Manifest] = []
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state that another process needs to use the same pods."""
        return {**self.__dict__, "_locks": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state from another process."""
        self.__dict__ |= {**state, "_locks": defaultdict(threading.Lock)}

    def __enter__(self) -> Self:
        """Find the workloads' pods.

        :raises VerifyError: if a workload has no running pod.
        """
        self.cluster.sweep()
        found = at_once(lambda it: self.cluster.pods(it.namespace, it.labels), self.model.workloads)
        for workload, running in zip(self.model.workloads, found, strict=True):
            own = [pod for pod in running if pods.LABEL not in pod["metadata"]["labels"]]
            if not own:
                raise VerifyError(f"workload {workload.id}: no pod is running; run pulumi up first")
            self.owners |= {pod["status"]["podIP"]: workload.id for pod in own}
            self.sidecars |= {(workload.id, pod["metadata"]["name"]): _has_sidecar(pod) for pod in own}
            self._image = self._image or self._services_image(workload.id, own[0])
            source = Source(workload.id, Kind.WORKLOAD, workload.namespace, workload)
            self._add(workload.id, [_probe_target(source, pod) for pod in own])
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the containers, and remove the probe pods."""
        at_once(self._end, [target for targets in self.pods.values() for target in targets])
        for manifest in reversed(self._made):
            with contextlib.suppress(VerifyError):
                self.cluster.remove(manifest)

    def send_probes(self) -> None:
        """Create the probe pods, and wait until they run.

        :raises VerifyError: if a pod does not start.
        """
        if any(target.source.kind is not Kind.WORKLOAD for target in self.targets.values()):
            return
        probes = [source for source in sources(self.model) if source.kind is not Kind.WORKLOAD]
        spaces = {source.id: self._space(source) for source in probes}
        if any(source.kind is Kind.ELSEWHERE for source in probes):
            self._make(pods.namespace(self._run))
        for space in dict.fromkeys(spaces.values()):
            self._make(pods.account(self._run, space))

        def send(source: Source) -> ProbeTarget:
            manifest = pods.probe(self._run, source, spaces[source.id], str(self._image))
            self._make(manifest)
            place = Place(spaces[source.id], manifest["metadata"]["name"], pods.CONTAINER)
            target = _probe_target(source, self.cluster.until_runs(place))
            target.containers["probe"] = place
            return target

        for target in at_once(send, probes):
            self._add(target.source.id, [target])

    def place(self, source: str, way: Way) -> Place:
        """Return the container whose connections take a way out of a source."""
        target = self.targets[source]
        gateway = self.model.gateway
        # The gateway's pod does not redirect connections to Envoy, so those of any user bypass it.
        alone = target.source.kind is Kind.PLAIN or not target.source.like.sidecar or gateway == target.source.like
        if way is Way.AROUND and not (alone and target.source.kind in (Kind.WORKLOAD, Kind.PLAIN)):
            return self._container(target, "around", pods.AROUND)
        if "probe" in target.containers:
            return target.containers["probe"]
        return self._container(target, "worker", pods.WORKER)

    def ipv6(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Return the IPv6 addresses of the workloads' pods: those in their status, and those of their interfaces."""
        targets = [(it.id, target) for it in self.model.workloads for target in self.pods[it.id]]
        found = at_once(lambda item: self._ipv6(item[1]), targets)
        result: dict[str, dict[str, tuple[str, ...]]] = {}
        for (identifier, target), addresses in zip(targets, found, strict=True):
            result.setdefault(identifier, {})[target.pod] = addresses
        return result

    def _ipv6(self, target: ProbeTarget) -> tuple[str, ...]:
        program = f"{inspect.getsource(inside)}\nimport json\nprint(json.dumps(ipv6_addresses()))\n"
        own = msgspec.json.decode(self.cluster.run(self._container(target, "around", pods.AROUND), program, 30))
        return tuple(dict.fromkeys([*target.ipv6, *own]))

    def address(self, identifier: str, port: int) -> str:
        """Return the address of a pod of a source: one that declares the port, because Kafka's pools differ."""
        targets = self.pods[identifier]
        return next((target.address for target in targets if port in target.ports), targets[0].address)

    def listener(self, target: ProbeTarget) -> Place:
        """Return the container that captures a pod's packets."""
        return self._container(target, "listener", pods.LISTENER)

    def log(self, identifier: str) -> list[str]:
        """Return the last log lines of the sidecars of a source's pods."""
        found = [
            self.cluster.log(target.namespace, target.pod, _PROXY, _LOG_LINES)
            for target in self.pods[identifier]
            if target.logs
        ]
        return [line for lines in found for line in lines]

    def _container(self, target: ProbeTarget, name: str, context: Manifest) -> Place:
        with self._locks[target.pod]:
            if name not in target.containers:
                place = Place(target.namespace, target.pod, f"{self._prefix}{name}")
                self.cluster.attach(place, pods.ephemeral(place.container, str(self._image), context))
                target.containers[name] = place
                self.cluster.until_runs(place)
            return target.containers[name]

    def _make(self, manifest: Manifest) -> None:
        self._made.append(manifest)
        self.cluster.make(manifest)

    def _add(self, identifier: str, targets: list[ProbeTarget]) -> None:
        self.targets[identifier], self.pods[identifier] = targets[0], targets

    def _end(self, target: ProbeTarget) -> None:
        """Stop the session's containers in a pod, those of a crashed part included."""
        with contextlib.suppress(VerifyError):
            for name in self.cluster.ephemeral(target.namespace, target.pod):
                if name.startswith(self._prefix):
                    self.cluster.run(Place(target.namespace, target.pod, name), _END, 10)

    @property
    def _prefix(self) -> str:
        return f"verify-{self._run}-"

    def _space(self, source: Source) -> str:
        return f"verify-{self._run}" if source.kind is Kind.ELSEWHERE else source.namespace

    def _services_image(self, workload: str, pod: Manifest) -> str | None:
        user = next((user for user in self.model.users if workload in user.workloads), None)
        containers = pod["spec"]["containers"]
        return next((it["image"] for it in containers if user and it["name"] == user.service), None)


def _probe_target(source: Source, pod: Manifest) -> ProbeTarget:
    metadata = pod["metadata"]
    ports = frozenset(port["containerPort"] for it in _containers(pod) for port in it.get("ports") or [])
    status = pod["status"]
    ipv6 = tuple(item["ip"] for item in status.get("podIPs") or [] if ":" in item["ip"])
    return ProbeTarget(source, metadata["namespace"], metadata["name"], status["podIP"], ports, _has_sidecar(pod), ipv6)


def _has_sidecar(pod: Manifest) -> bool:
    return any(container["name"] == _PROXY for container in _containers(pod))


def _containers(pod: Manifest) -> list[Manifest]:
    return [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or [])]
