"""One pod on this node, from its network to its end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import shutil
import signal
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final, Protocol

import httpx2
from lightkube import ApiError

from lab.engine import files
from lab.network import Network
from lab.node import bundle, environment, probes, volumes
from lab.node.api import Api
from lab.node.bundle import Mount
from lab.node.environment import MissingError
from lab.node.images import Image, parts
from lab.node.manifest import Manifest, key
from lab.node.runtime import KILLED, Runtime
from lab.node.status import Kind, Record, Running, Terminated, Waiting, conditions, phase, stamp

_log = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 1.0
_REFRESH_SECONDS: Final = 20.0
_BACKOFF_SECONDS: Final = (0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
_FORGIVEN_SECONDS: Final = 600.0
"""A container that ran this long before it ended is started again at once."""


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


@dataclass
class _Objects:
    """The Secrets, ConfigMaps and tokens of a pod."""

    pod: Manifest
    api: Api

    async def data(self, kind: str, name: str) -> Mapping[str, bytes] | None:
        return await self.api.data(self.pod["metadata"]["namespace"], kind, name)

    async def token(self, audience: str, seconds: int) -> str:
        return await self.api.token(self.pod, audience, seconds)


class PodWorker:
    """Runs a pod: its network, its volumes, its containers in their order, its probes, its status and its end."""

    def __init__(self, node: Node, pod: Manifest) -> None:
        """Take the pod's containers up where an agent before this one left them."""
        self.pod = pod
        self.uid: str = pod["metadata"]["uid"]
        self.folder: Path = node.folder / "pods" / self.uid
        self.connected = False
        self.ended = asyncio.Event()
        self._over = False
        self._begun: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._node = node
        self._records = [*self._recorded(pod)]
        self._changed = asyncio.Event()
        self._written: dict[str, Any] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ending: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """Namespace and name."""
        return key(self.pod)

    @property
    def address(self) -> IPv4Address:
        """The pod's address."""
        return self._node.network.pods[self._node.number(self.uid)]

    @property
    def namespace(self) -> str:
        """The name of the pod's network namespace."""
        return self._node.network.namespace(self._node.number(self.uid))

    @property
    def records(self) -> list[Record]:
        """What is known of the pod's containers."""
        return self._records

    def begin(self) -> None:
        """Start to run the pod."""
        self._spawn(self._publish())
        self._spawn(self._live())

    def update(self, pod: Manifest) -> None:
        """Take a newer version of the pod: it may have to end, or have one more container to debug it with."""
        self.pod = pod
        if pod["metadata"].get("deletionTimestamp"):
            grace = pod["metadata"].get("deletionGracePeriodSeconds")
            self.end(30 if grace is None else grace)
            return
        known = {record.name for record in self._records}
        for container in pod["spec"].get("ephemeralContainers") or []:
            if container["name"] not in known:
                record = Record(container, Kind.EPHEMERAL)
                self._records.append(record)
                self._spawn(self._supervise(record))

    def end(self, grace: float) -> None:
        """End the pod's containers, within ``grace`` seconds or by force, and let go of all that it has."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(grace))

    def leave(self) -> None:
        """Stop looking after the pod; its containers go on, for the agent that comes next."""
        for task in [*self._tasks, *([self._ending] if self._ending else [])]:
            task.cancel()

    def attempt_folder(self, record: Record) -> Path:
        """Return the folder of a container's latest attempt to run."""
        return self.folder / "containers" / record.name / str(record.attempt)

    def identifier(self, record: Record) -> str:
        """Return the runtime's name for a container's latest attempt."""
        return f"{self.uid}-{record.name}-{record.attempt}"

    def _spawn(self, work: Awaitable[None]) -> None:
        async def watched() -> None:
            try:
                await work
            except asyncio.CancelledError:
                raise
            except Exception:  # what is wrong with one pod must not end the others
                _log.exception("pod %s", self.name)

        self._tasks.append(asyncio.create_task(watched()))

    def _recorded(self, pod: Manifest) -> list[Record]:
        spec = pod["spec"]
        kinds = (
            (Kind.INIT, spec.get("initContainers") or []),
            (Kind.MAIN, spec["containers"]),
            (Kind.EPHEMERAL, spec.get("ephemeralContainers") or []),
        )
        records = [Record(container, kind) for kind, found in kinds for container in found]
        for record in records:
            attempts = self.folder / "containers" / record.name
            numbers = [int(entry.name) for entry in attempts.iterdir()] if attempts.is_dir() else []
            record.attempt = max(numbers, default=-1)
            record.restarts = max(record.attempt, 0)
        return records

    # The pod's life.

    async def _live(self) -> None:
        await self._until_there(self._prepare, self._records)
        for record in [record for record in self._records if record.kind is Kind.INIT]:
            if record.sidecar:
                self._spawn(self._supervise(record))
                await self._begun[record.name].wait()
            else:
                await self._supervise(record)
                if not record.done:
                    return
        self._spawn(self._refresh())
        later = [record for record in self._records if record.kind is not Kind.INIT]
        async with asyncio.TaskGroup() as group:
            for record in later:
                group.create_task(self._supervise(record))
        # All have ended and none is to be started again: sidecars end with them.
        self._over = True
        for record in reversed(self._records):
            if record.sidecar:
                await self._stop(record, 10)
        self._touch()

    async def _prepare(self) -> None:
        volumes_of = volumes.by_name(self.pod)
        if self.pod["spec"].get("hostNetwork"):
            message = "hostNetwork is true; the lab's pods have networks of their own"
            raise MissingError(message)
        if not self.connected:
            namespace = Path("/run/netns") / self.namespace
            if not (self.folder / "connected").exists() or not namespace.exists():
                number, address = self._node.number(self.uid), self.address
                await asyncio.to_thread(self._node.network.attach, number, address)
                await asyncio.to_thread(self._node.network.configure, number, self._network_settings())
                (self.folder / "connected").touch()
            self.connected = True
            await self._node.connect(self)
            self._touch()
        for volume in volumes_of.values():
            await self._write_volume(volume)

    def _network_settings(self) -> dict[str, str]:
        context = self.pod["spec"].get("securityContext") or {}
        settings = {item["name"]: item["value"] for item in context.get("sysctls") or []}
        others = sorted(name for name in settings if not name.startswith("net."))
        if others:
            message = f"sysctl {', '.join(others)}: the lab's pods have settings of their own for their network alone"
            raise MissingError(message)
        return settings

    async def _write_volume(self, volume: Manifest) -> None:
        group = (self.pod["spec"].get("securityContext") or {}).get("fsGroup")
        kind, folder = volumes.kind(volume), self._volume_folder(volume)
        if kind in volumes.FILES:
            objects = _Objects(self.pod, self._node.api)
            content = await volumes.files(volume, self.pod, self._addresses(), objects)
            volumes.write(folder, content, group)
        elif kind == "hostPath":
            if not folder.exists():
                message = f'volume "{volume["name"]}": hostPath {folder} is not on this machine'
                raise MissingError(message)
        else:
            volumes.make_folder(folder, group)

    def _volume_folder(self, volume: Manifest) -> Path:
        kind = volumes.kind(volume)
        if kind == "hostPath":
            return Path(volume["hostPath"]["path"])
        if kind == "persistentVolumeClaim":
            namespace: str = self.pod["metadata"]["namespace"]
            return self._node.folder / "claims" / namespace / str(volume[kind]["claimName"])
        return self.folder / "volumes" / str(volume["name"])

    async def _refresh(self) -> None:
        """Keep the files of volumes current, tokens among them."""
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            for volume in volumes.by_name(self.pod).values():
                if volumes.kind(volume) in volumes.FILES:
                    with contextlib.suppress(MissingError, ApiError, httpx2.HTTPError):
                        await self._write_volume(volume)

    async def _until_there(self, work: Callable[[], Awaitable[None]], records: list[Record]) -> None:
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
                await self._event("Warning", "Failed", message)
                self._touch()
            await asyncio.sleep(_RETRY_SECONDS)

    # A container's life.

    async def _supervise(self, record: Record) -> None:
        """Run a container, again and again where its pod says so."""
        begun = self._adopt(record)
        failures = 0
        while True:
            if not begun:
                image = await self._image(record)
                await self._until_there(functools.partial(self._start, record, image), [record])
            begun = False
            since = time.monotonic()
            code = await self._attend(record)
            if not self._starts_again(record, code):
                self._touch()
                return
            failures = 0 if time.monotonic() - since > _FORGIVEN_SECONDS else failures + 1
            pause = _BACKOFF_SECONDS[min(failures - 1, len(_BACKOFF_SECONDS) - 1)] if failures else 0.0
            if pause:
                message = f"back-off {pause:.0f}s restarting failed container={record.name} pod={self.name}"
                await self._event("Warning", "BackOff", message)
                record.last = record.state if isinstance(record.state, Terminated) else record.last
                record.state = Waiting("CrashLoopBackOff", message)
                self._touch()
                await asyncio.sleep(pause)

    def _starts_again(self, record: Record, code: int) -> bool:
        if record.kind is Kind.EPHEMERAL:
            return False
        policy = self.pod["spec"].get("restartPolicy", "Always")
        if record.sidecar:
            return not self._over
        if record.kind is Kind.INIT:
            return code != 0 and policy != "Never"
        return policy == "Always" or (policy == "OnFailure" and code != 0)

    def _adopt(self, record: Record) -> bool:
        """Tell whether there is a container to attend to: one that runs since before this agent, or has ended."""
        if record.attempt < 0:
            return False
        folder = self.attempt_folder(record)
        if self._node.runtime.runs(folder):
            return True
        if record.kind is not Kind.MAIN and (folder / "exit").exists():
            return not record.sidecar
        return False

    async def _image(self, record: Record) -> Image:
        reference = record.container["image"]
        name, tag = parts(reference)
        said = False
        while name not in self._node.images:
            message = (
                f'image "{reference}" stands for no command here; lab/node/images.py has'
                f" {', '.join(sorted(self._node.images))}"
            )
            record.state = Waiting("ImagePullBackOff" if said else "ErrImagePull", message)
            if not said:
                await self._event("Warning", "Failed", message)
            said = True
            self._touch()
            await asyncio.sleep(_RETRY_SECONDS * 10)
        image = self._node.images[name]
        await asyncio.to_thread(image.prepare, tag)
        return image

    async def _start(self, record: Record, image: Image) -> None:
        container = record.container
        variables = await self._variables(container, image)
        try:
            runs_as = bundle.user(container, self.pod, image.user)
        except ValueError as error:
            raise MissingError(str(error)) from error
        if isinstance(record.state, Terminated):
            record.last = record.state
        record.attempt += 1
        record.restarts = record.attempt
        record.started = record.ready = False
        folder = self.attempt_folder(record)
        await self._node.runtime.remove(self.identifier(record))
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        root = folder / "rootfs"
        root.mkdir()
        mounts = [*bundle.system(root, image.layer), *image.mounts]
        for name, text in bundle.accounts(runs_as).items():
            (root / "etc" / name).write_text(text, encoding="ascii")
        mounts.append(Mount(self.folder / "etc", bundle.POD_FILES))
        mounts += self._volume_mounts(container)
        configuration = bundle.configuration(
            container=container,
            words=environment.command(container, image.entry_point, variables),
            variables=variables,
            runs_as=runs_as,
            mounts=mounts,
            root=root,
            host=environment.hostname(self.pod),
            network=Path("/run/netns") / self.namespace,
            processes=self._shared_processes(record),
        )
        await asyncio.to_thread(self._node.runtime.start, self.identifier(record), folder, configuration)
        self._drop_old(record)

    def _drop_old(self, record: Record) -> None:
        """Keep the latest attempt and, for its log, the one before it."""
        for entry in (self.folder / "containers" / record.name).iterdir():
            if int(entry.name) < record.attempt - 1:
                shutil.rmtree(entry, ignore_errors=True)

    def _shared_processes(self, record: Record) -> Path | None:
        target = record.container.get("targetContainerName")
        other = next((item for item in self._records if item.name == target), None)
        if other is None or not isinstance(other.state, Running):
            return None
        return Path(f"/proc/{other.state.process}/ns/pid")

    async def _variables(self, container: Manifest, image: Image) -> dict[str, str]:
        namespace = self.pod["metadata"]["namespace"]
        wanted = set()
        for item in [*(container.get("env") or []), *(container.get("envFrom") or [])]:
            source = item.get("valueFrom") or item
            for kind, names in (
                ("secret", ("secretKeyRef", "secretRef")),
                ("configMap", ("configMapKeyRef", "configMapRef")),
            ):
                wanted |= {(kind, source[name]["name"]) for name in names if source.get(name)}
        data: dict[tuple[str, str], dict[str, str] | None] = {}
        for kind, name in wanted:
            found = await self._node.api.data(namespace, kind, name)
            data[(kind, name)] = None if found is None else {k: v.decode(errors="replace") for k, v in found.items()}
        return environment.environment(
            container, self.pod, self._addresses(), image.environment, lambda kind, name: data.get((kind, name))
        )

    def _volume_mounts(self, container: Manifest) -> list[Mount]:
        available = volumes.by_name(self.pod)
        mounts = []
        for item in container.get("volumeMounts") or []:
            folder = self._volume_folder(available[item["name"]])
            if item.get("subPath"):
                folder = (folder / item["subPath"]).resolve()
                if not folder.exists():
                    folder.mkdir(parents=True)
            mounts.append(Mount(folder, item["mountPath"], bool(item.get("readOnly"))))
        return mounts

    async def _attend(self, record: Record) -> int:
        """Be with a container from its start to its end: status, hooks, probes; return its exit code."""
        folder = self.attempt_folder(record)
        process = await self._node.runtime.started(folder)
        begin = datetime.now(UTC)
        watching: list[asyncio.Task[None]] = []
        if process is not None:
            begin = datetime.fromtimestamp((folder / "pid").stat().st_mtime, UTC)
            record.state = Running(begin, process)
            self._touch()
            watching = [asyncio.create_task(self._probe(record))]
            await self._event("Normal", "Started", f"Container started: {record.name}")
        try:
            code = await self._node.runtime.wait(folder)
        finally:
            for task in watching:
                task.cancel()
        message = "" if process is not None else _tail(folder / "log")
        if process is not None and code == KILLED and not (folder / "exit").exists():
            message = "the process that waited for it was killed"
        record.state = Terminated(code, begin, datetime.now(UTC), message)
        record.ready = False
        record.started = record.started and not record.sidecar
        self._touch()
        return code

    async def _probe(self, record: Record) -> None:
        container, found = record.container, probes.of(record.container)
        try:
            await self._hook(record, "postStart")
        except OSError as error:
            await self._event("Warning", "FailedPostStartHook", str(error))
            await self._stop(record, 2)
            return
        address = str(self.address)
        passed = asyncio.Event()

        def execute(words: list[str]) -> Awaitable[tuple[int, str]]:
            return self.execute(record, words)

        async def begun(healthy: bool, message: str) -> None:
            if healthy:
                passed.set()
            else:
                await self._unhealthy(record, "Startup", message, kill=True)

        def readiness(healthy: bool, message: str) -> Awaitable[None] | None:
            record.ready = healthy
            self._touch()
            return None if healthy else self._unhealthy(record, "Readiness", message, kill=False)

        async def liveness(healthy: bool, message: str) -> None:
            if not healthy:
                await self._unhealthy(record, "Liveness", message, kill=True)

        if "startup" in found:
            watching = asyncio.create_task(
                probes.watch(found["startup"], container, address, execute, begun, healthy=False)
            )
            try:
                await passed.wait()
            finally:
                watching.cancel()
        record.started = True
        self._begun[record.name].set()
        record.ready = "readiness" not in found
        self._touch()
        async with asyncio.TaskGroup() as group:
            if "readiness" in found:
                group.create_task(
                    probes.watch(found["readiness"], container, address, execute, readiness, healthy=False)
                )
            if "liveness" in found:
                group.create_task(probes.watch(found["liveness"], container, address, execute, liveness, healthy=True))

    async def _unhealthy(self, record: Record, kind: str, message: str, *, kill: bool) -> None:
        await self._event("Warning", "Unhealthy", f"{kind} probe failed: {message}")
        if kill:
            await self._event("Normal", "Killing", f"Container {record.name} failed its {kind.lower()} probe")
            grace = self.pod["spec"].get("terminationGracePeriodSeconds", 30)
            asyncio.get_running_loop().create_task(self._stop(record, grace))

    async def run(
        self, record: Record, words: list[str], *, terminal: bool = False, **streams: Any
    ) -> asyncio.subprocess.Process:
        """Start a command in a container.

        :param streams: as ``asyncio.create_subprocess_exec`` takes them.
        """
        identifier, folder = self.identifier(record), self.attempt_folder(record)
        return await self._node.runtime.execute(identifier, folder, words, terminal=terminal, **streams)

    async def execute(self, record: Record, words: list[str]) -> tuple[int, str]:
        """Run a command in a container, and return its exit code and what it printed."""
        process = await self.run(
            record,
            words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            raise
        return process.returncode or 0, output.decode(errors="replace")

    async def _hook(self, record: Record, name: str) -> None:
        """Run a lifecycle hook.

        :raises OSError: if it fails.
        """
        hook = (record.container.get("lifecycle") or {}).get(name)
        if not hook:
            return
        if "sleep" in hook:
            await asyncio.sleep(hook["sleep"]["seconds"])
            return

        def execute(words: list[str]) -> Awaitable[tuple[int, str]]:
            return self.execute(record, words)

        outcome = await probes.attempt(hook, record.container, str(self.address), execute, 600)
        if not outcome.ok:
            message = f"{name} hook of container {record.name}: {outcome.message}"
            raise OSError(message)

    # The pod's end.

    async def _end(self, grace: float) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        deadline = time.monotonic() + grace
        running = [record for record in self._records if record.attempt >= 0]
        for record in running:
            if self._node.runtime.runs(self.attempt_folder(record)):
                record.ready = False
        await self._write_status()
        if running and grace:
            await self._event("Normal", "Killing", "Stopping the pod's containers")
        main = [record for record in running if record.kind is not Kind.INIT]
        await asyncio.gather(*(self._stop(record, deadline - time.monotonic()) for record in main))
        for record in reversed([record for record in running if record.kind is Kind.INIT]):
            await self._stop(record, deadline - time.monotonic())
        with contextlib.suppress(ApiError, httpx2.HTTPError):
            await self._write_status()
        await self.clean()
        await self._persistently(self._node.api.delete(self.pod))
        self.ended.set()

    async def _persistently(self, work: Awaitable[None]) -> None:
        try:
            await work
        except (ApiError, httpx2.HTTPError) as error:
            _log.warning("pod %s: %s", self.name, error)

    async def _stop(self, record: Record, grace: float) -> None:
        """End a container: its hook, a signal, and after ``grace`` seconds force."""
        folder = self.attempt_folder(record)
        if record.attempt >= 0 and self._node.runtime.runs(folder):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(grace, 0)):
                    with contextlib.suppress(OSError):
                        await self._hook(record, "preStop")
                    await self._node.runtime.signal(self.identifier(record), signal.SIGTERM)
                    await self._node.runtime.wait(folder)
        await self._node.runtime.remove(self.identifier(record))
        if record.attempt >= 0:
            code = await self._node.runtime.wait(folder)
            if isinstance(record.state, Running):
                record.state = Terminated(code, record.state.started, datetime.now(UTC))

    async def clean(self) -> None:
        """Remove the pod's network and files."""
        self.connected = False
        if (self.folder / "connected").exists():
            await asyncio.to_thread(self._node.network.detach, self._node.number(self.uid))
        self._node.api.forget(self.uid)
        self._node.release(self.uid)
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    # What the pod says.

    def _touch(self) -> None:
        self._changed.set()

    async def _publish(self) -> None:
        self._touch()
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                if not await self._write_status():
                    return
            except (ApiError, httpx2.HTTPError) as error:
                _log.info("status of %s: %s", self.name, error or type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)
                self._touch()

    def status(self) -> dict[str, Any]:
        """Return the pod's status."""
        previous = (self._written or self.pod.get("status") or {}).get("conditions") or []
        status: dict[str, Any] = {
            "phase": phase(self.pod, self._records),
            "conditions": conditions(self.pod, self._records, previous, datetime.now(UTC), sandbox=self.connected),
            "hostIP": str(self._node.network.node),
            "hostIPs": [{"ip": str(self._node.network.node)}],
            "startTime": (self.pod.get("status") or {}).get("startTime")
            or self._written.get("startTime")
            or stamp(datetime.now(UTC)),
        }
        if self.connected:
            status |= {"podIP": str(self.address), "podIPs": [{"ip": str(self.address)}]}
        for kind in Kind:
            found = [record.manifest() for record in self._records if record.kind is kind]
            if found:
                status[kind.value] = found
        return status

    async def _write_status(self) -> bool:
        status = self.status()
        if status == self._written:
            return True
        there = await self._node.api.set_status(self.pod, status)
        self._written = status
        return there

    async def _event(self, kind: str, reason: str, message: str) -> None:
        await self._node.api.event(self.pod, kind, reason, message)

    def _addresses(self) -> dict[str, str]:
        network = self._node.network
        return {"pod": str(self.address), "node": str(network.node), "service": str(network.api_service)}

    def write_hosts(self, text: str) -> None:
        """Bring the pod's hosts file up to date."""
        path = self.folder / "etc" / "hosts"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="ascii") != text:
            files.replace(path, text.encode())
            path.chmod(0o644)


def _tail(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:500] if lines else ""
