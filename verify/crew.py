"""Where the proof's programs run: in the workloads' own pods, and in those of the probes made for the occasion."""

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
class Post:
    """A source's pod, and the containers in it that programs run in."""

    source: Source
    namespace: str
    pod: str
    address: str
    ports: frozenset[int]
    """What its containers say they listen on."""
    logs: bool
    ipv6: tuple[str, ...] = ()
    """Its addresses of IPv6, as Kubernetes knows them."""
    containers: dict[str, Place] = field(default_factory=dict)


def at_once(work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """Do something for several items at once; return what came of each."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(work, items))


class Crew:
    """All posts of a proof; what was made for it is removed when it is left, whatever happens."""

    def __init__(self, cluster: Cluster, model: AccessModel, image: str | None) -> None:
        """:param image: that of the programs' containers; the services' own without one."""
        self.cluster = cluster
        self.model = model
        self.posts: dict[str, Post] = {}
        """Where each source's connections come from."""
        self.pods: dict[str, list[Post]] = {}
        """All pods of a source, the one of its post first."""
        self.owners: dict[str, str] = {}
        """Workloads by the addresses of their pods."""
        self.sidecars: dict[tuple[str, str], bool] = {}
        """Whether a pod has a sidecar, by workload and pod."""
        self._image = image
        self._run = secrets.token_hex(3)
        self._made: list[Manifest] = []
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs to work with the same pods."""
        return {**self.__dict__, "_locks": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Be what another process was."""
        self.__dict__ |= {**state, "_locks": defaultdict(threading.Lock)}

    def __enter__(self) -> Self:
        """Find the workloads' pods.

        :raises VerifyError: if one has none that runs.
        """
        self.cluster.sweep()
        found = at_once(lambda it: self.cluster.pods(it.namespace, it.labels), self.model.workloads)
        for workload, running in zip(self.model.workloads, found, strict=True):
            own = [pod for pod in running if pods.LABEL not in pod["metadata"]["labels"]]
            if not own:
                raise VerifyError(f"workload {workload.id}: no pod runs; is the stack up?")
            self.owners |= {pod["status"]["podIP"]: workload.id for pod in own}
            self.sidecars |= {(workload.id, pod["metadata"]["name"]): _has_sidecar(pod) for pod in own}
            self._image = self._image or self._services_image(workload.id, own[0])
            source = Source(workload.id, Kind.WORKLOAD, workload.namespace, workload)
            self._station(workload.id, [_post(source, pod) for pod in own])
        return self

    def __exit__(self, *_: object) -> None:
        """End the containers, and remove the probes."""
        at_once(self._end, [post for posts in self.pods.values() for post in posts])
        for manifest in reversed(self._made):
            with contextlib.suppress(VerifyError):
                self.cluster.remove(manifest)

    def send_probes(self) -> None:
        """Make the probes' pods, and wait until they run.

        :raises VerifyError: if one does not.
        """
        if any(post.source.kind is not Kind.WORKLOAD for post in self.posts.values()):
            return
        probes = [source for source in sources(self.model) if source.kind is not Kind.WORKLOAD]
        spaces = {source.id: self._space(source) for source in probes}
        if any(source.kind is Kind.ELSEWHERE for source in probes):
            self._make(pods.namespace(self._run))
        for space in dict.fromkeys(spaces.values()):
            self._make(pods.account(self._run, space))

        def send(source: Source) -> Post:
            manifest = pods.probe(self._run, source, spaces[source.id], str(self._image))
            self._make(manifest)
            place = Place(spaces[source.id], manifest["metadata"]["name"], pods.CONTAINER)
            post = _post(source, self.cluster.until_runs(place))
            post.containers["probe"] = place
            return post

        for post in at_once(send, probes):
            self._station(post.source.id, [post])

    def place(self, source: str, way: Way) -> Place:
        """Return where a program's connections leave a source that way."""
        post = self.posts[source]
        gateway = self.model.gateway
        # In the gateway's pod nothing leads connections through Envoy, so that any user's go around it.
        alone = post.source.kind is Kind.PLAIN or not post.source.like.sidecar or gateway == post.source.like
        if way is Way.AROUND and not (alone and post.source.kind in (Kind.WORKLOAD, Kind.PLAIN)):
            return self._container(post, "around", pods.AROUND)
        if "probe" in post.containers:
            return post.containers["probe"]
        return self._container(post, "worker", pods.WORKER)

    def ipv6(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Return the IPv6 addresses of the workloads' pods: those in their status, and those of their interfaces."""
        posts = [(it.id, post) for it in self.model.workloads for post in self.pods[it.id]]
        found = at_once(lambda item: self._ipv6(item[1]), posts)
        result: dict[str, dict[str, tuple[str, ...]]] = {}
        for (identifier, post), addresses in zip(posts, found, strict=True):
            result.setdefault(identifier, {})[post.pod] = addresses
        return result

    def _ipv6(self, post: Post) -> tuple[str, ...]:
        program = f"{inspect.getsource(inside)}\nimport json\nprint(json.dumps(ipv6_addresses()))\n"
        own = msgspec.json.decode(self.cluster.run(self._container(post, "around", pods.AROUND), program, 30))
        return tuple(dict.fromkeys([*post.ipv6, *own]))

    def address(self, identifier: str, port: int) -> str:
        """Return the address of a source's pod: of one that listens on the port, for Kafka's pools are not alike."""
        posts = self.pods[identifier]
        return next((post.address for post in posts if port in post.ports), posts[0].address)

    def listener(self, post: Post) -> Place:
        """Return where a pod's packets can be seen."""
        return self._container(post, "listener", pods.LISTENER)

    def log(self, identifier: str) -> list[str]:
        """Return what the sidecars of a source's or workload's pods said last; nothing where they have none."""
        found = [
            self.cluster.log(post.namespace, post.pod, _PROXY, _LOG_LINES)
            for post in self.pods[identifier]
            if post.logs
        ]
        return [line for lines in found for line in lines]

    def _container(self, post: Post, name: str, context: Manifest) -> Place:
        with self._locks[post.pod]:
            if name not in post.containers:
                place = Place(post.namespace, post.pod, f"{self._prefix}{name}")
                self.cluster.attach(place, pods.ephemeral(place.container, str(self._image), context))
                post.containers[name] = place
                self.cluster.until_runs(place)
            return post.containers[name]

    def _make(self, manifest: Manifest) -> None:
        self._made.append(manifest)
        self.cluster.make(manifest)

    def _station(self, identifier: str, posts: list[Post]) -> None:
        self.posts[identifier], self.pods[identifier] = posts[0], posts

    def _end(self, post: Post) -> None:
        """End what containers a pod was given, also by a part that died."""
        with contextlib.suppress(VerifyError):
            for name in self.cluster.ephemeral(post.namespace, post.pod):
                if name.startswith(self._prefix):
                    self.cluster.run(Place(post.namespace, post.pod, name), _END, 10)

    @property
    def _prefix(self) -> str:
        return f"verify-{self._run}-"

    def _space(self, source: Source) -> str:
        return f"verify-{self._run}" if source.kind is Kind.ELSEWHERE else source.namespace

    def _services_image(self, workload: str, pod: Manifest) -> str | None:
        user = next((user for user in self.model.users if workload in user.workloads), None)
        containers = pod["spec"]["containers"]
        return next((it["image"] for it in containers if user and it["name"] == user.service), None)


def _post(source: Source, pod: Manifest) -> Post:
    metadata = pod["metadata"]
    ports = frozenset(port["containerPort"] for it in _containers(pod) for port in it.get("ports") or [])
    status = pod["status"]
    ipv6 = tuple(item["ip"] for item in status.get("podIPs") or [] if ":" in item["ip"])
    return Post(source, metadata["namespace"], metadata["name"], status["podIP"], ports, _has_sidecar(pod), ipv6)


def _has_sidecar(pod: Manifest) -> bool:
    return any(container["name"] == _PROXY for container in _containers(pod))


def _containers(pod: Manifest) -> list[Manifest]:
    return [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or [])]
