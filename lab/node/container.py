"""One container of a pod, from its first start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final, Protocol

from lab.ids import Ids
from lab.node import bundle, environment, probes
from lab.node.api import Api
from lab.node.bundle import Mount
from lab.node.environment import MissingError
from lab.node.images import Image, parts
from lab.node.manifest import Manifest
from lab.node.runtime import KILLED, ROOT, Runtime
from lab.node.status import Kind, Record, Running, Terminated, Waiting
from lab.node.volume_manager import VolumeManager

_IMAGE_SECONDS: Final = 10.0
_BACKOFF_SECONDS: Final = (0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
_FORGIVEN_SECONDS: Final = 600.0
"""A container that ran this long before it ended is started again at once."""


class Pod(Protocol):
    """What a container needs of its pod."""

    manifest: Manifest
    uid: str
    folder: Path
    volumes: VolumeManager
    over: bool
    """Whether all but its sidecars have ended for good."""

    @property
    def name(self) -> str:
        """Namespace and name."""

    @property
    def address(self) -> IPv4Address:
        """The pod's address."""

    @property
    def addresses(self) -> dict[str, str]:
        """Its own address as ``pod``, the node's as ``node``, and as ``service`` that of the API server's Service."""

    @property
    def namespace(self) -> str:
        """The name of the pod's network namespace."""

    @property
    def users(self) -> Path:
        """The pod's user namespace."""

    @property
    def ids(self) -> Ids:
        """The ids of the machine that are the pod's."""

    @property
    def records(self) -> list[Record]:
        """What is known of the pod's containers."""

    def touch(self) -> None:
        """Have the pod's status written anew."""

    async def event(self, kind: str, reason: str, message: str) -> None:
        """Tell what happened to the pod."""

    async def until_there(self, work: Callable[[], Awaitable[None]], records: list[Record]) -> None:
        """Try something until all that it refers to is there; meanwhile the containers' status says what is not."""


class Container:
    """Runs a container: its starts, its hooks and probes, and its end."""

    def __init__(self, pod: Pod, record: Record, api: Api, runtime: Runtime, images: Mapping[str, Image]) -> None:
        """Resume a container of a previous kubelet."""
        self.record = record
        self.folder = pod.folder / "containers" / record.name
        """A folder for each attempt to run, by its number."""
        self._starting: asyncio.Task[None] | None = None
        self.begun = asyncio.Event()
        """Set once it has started, and its startup probe has passed."""
        self._pod = pod
        self._api = api
        self._runtime = runtime
        self._images = images
        numbers = [int(entry.name) for entry in self.folder.iterdir()] if self.folder.is_dir() else []
        record.attempt = max(numbers, default=-1)
        record.restarts = max(record.attempt, 0)
        record.restore(pod.manifest)

    @property
    def runs(self) -> bool:
        """Whether its latest attempt runs."""
        return self._runtime.runs(self._attempt_folder)

    @property
    def _attempt_folder(self) -> Path:
        """The folder of the latest attempt to run."""
        return self.folder / str(self.record.attempt)

    @property
    def _identifier(self) -> str:
        """The runtime's name for the latest attempt."""
        return f"{self._pod.uid}-{self.record.name}-{self.record.attempt}"

    async def supervise(self) -> None:
        """Run the container, again and again where its pod says so."""
        record, pod = self.record, self._pod
        # A container of a previous kubelet, or one that has ended, is handled first.
        adopted = record.attempt >= 0 and self._runtime.was_started(self._attempt_folder)
        failures = 0
        while True:
            if not adopted:
                image = await self._image()
                await pod.until_there(functools.partial(self._start, image), [record])
            since = time.monotonic()
            code = await self._attend(adopted=adopted)
            adopted = False
            if not self._starts_again(code):
                pod.touch()
                return
            failures = 0 if time.monotonic() - since > _FORGIVEN_SECONDS else failures + 1
            pause = _BACKOFF_SECONDS[min(failures - 1, len(_BACKOFF_SECONDS) - 1)] if failures else 0.0
            if pause:
                message = f"back-off {pause:.0f}s restarting failed container={record.name} pod={pod.name}"
                await pod.event("Warning", "BackOff", message)
                record.last = record.state if isinstance(record.state, Terminated) else record.last
                record.state = Waiting("CrashLoopBackOff", message)
                pod.touch()
                await asyncio.sleep(pause)

    async def run(self, words: list[str], *, terminal: bool = False, **streams: Any) -> asyncio.subprocess.Process:
        """Start a command in the container.

        :param streams: as ``asyncio.create_subprocess_exec`` takes them.
        """
        return await self._runtime.execute(self._identifier, self._attempt_folder, words, terminal=terminal, **streams)

    async def stop(self, grace: float) -> None:
        """End the container: its hook, a signal, and after ``grace`` seconds force."""
        record, folder = self.record, self._attempt_folder
        if self._starting is not None:
            await asyncio.wait([self._starting])
            await self._runtime.started(folder)
        if record.attempt >= 0 and self.runs:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(grace, 0)):
                    with contextlib.suppress(OSError):
                        await self._hook("preStop")
                    await self._runtime.signal(self._identifier, signal.SIGTERM)
                    await self._runtime.wait(folder)
        await self._runtime.remove(self._identifier)
        if record.attempt >= 0:
            code = await self._runtime.wait(folder)
            if isinstance(record.state, Running):
                record.state = Terminated(code, record.state.started, datetime.now(UTC))

    # Whether and when it is started.

    def _starts_again(self, code: int) -> bool:
        record = self.record
        if record.kind is Kind.EPHEMERAL:
            return False
        policy = self._pod.manifest["spec"].get("restartPolicy", "Always")
        if record.sidecar:
            return not self._pod.over
        if record.kind is Kind.INIT:
            return code != 0 and policy != "Never"
        return policy == "Always" or (policy == "OnFailure" and code != 0)

    # Its start.

    async def _image(self) -> Image:
        reference = self.record.container["image"]
        name, tag = parts(reference)
        said = False
        while name not in self._images:
            message = (
                f'image "{reference}" is not available in the lab; lab/node/images.py lists'
                f" {', '.join(sorted(self._images))}"
            )
            self.record.state = Waiting("ImagePullBackOff" if said else "ErrImagePull", message)
            if not said:
                await self._pod.event("Warning", "Failed", message)
            said = True
            self._pod.touch()
            await asyncio.sleep(_IMAGE_SECONDS)
        image = self._images[name]
        await asyncio.to_thread(image.prepare, tag)
        return image

    async def _start(self, image: Image) -> None:
        record, pod, container = self.record, self._pod, self.record.container
        variables = await self._variables(image)
        try:
            runs_as = bundle.user(container, pod.manifest, image.user)
            for number in (runs_as.user, runs_as.group, *runs_as.groups):
                pod.ids.of(number)
        except ValueError as error:
            raise MissingError(str(error)) from error
        volumes = pod.volumes.mounts(pod.manifest, container)
        if isinstance(record.state, Terminated):
            record.last = record.state
        record.attempt += 1
        record.restarts = record.attempt
        record.started = record.ready = False
        folder = self._attempt_folder
        await self._runtime.remove(self._identifier)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        root = folder / "rootfs"
        root.mkdir()
        mounts = [*bundle.system(root), *image.mounts]
        for name, text in bundle.accounts(runs_as).items():
            (root / "etc" / name).write_text(text, encoding="ascii")
        _give(root, pod.ids.of(0))
        mounts.append(Mount(pod.folder / "etc", bundle.POD_FILES))
        mounts += volumes
        configuration = bundle.configuration(
            container=container,
            words=environment.command(container, image.entry_point, variables),
            variables=variables,
            runs_as=runs_as,
            mounts=mounts,
            root=ROOT,
            host=environment.hostname(pod.manifest),
            network=Path("/run/netns") / pod.namespace,
            users=pod.users,
            processes=self._shared_processes(),
        )
        # A thread goes on when the pod has to end meanwhile; its end waits for that.
        start = asyncio.to_thread(self._runtime.start, self._identifier, folder, configuration)
        self._starting = asyncio.create_task(start)
        await asyncio.shield(self._starting)
        self._drop_old()

    def _drop_old(self) -> None:
        """Keep the latest attempt and, for its log, the one before it."""
        for entry in self.folder.iterdir():
            if int(entry.name) < self.record.attempt - 1:
                shutil.rmtree(entry, ignore_errors=True)

    def _shared_processes(self) -> Path | None:
        target = self.record.container.get("targetContainerName")
        other = next((item for item in self._pod.records if item.name == target), None)
        if other is None or not isinstance(other.state, Running):
            return None
        return Path(f"/proc/{other.state.process}/ns/pid")

    async def _variables(self, image: Image) -> dict[str, str]:
        container, pod = self.record.container, self._pod.manifest
        namespace = pod["metadata"]["namespace"]
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
            found = await self._api.data(namespace, kind, name)
            data[(kind, name)] = None if found is None else {k: v.decode(errors="replace") for k, v in found.items()}
        return environment.environment(
            container, pod, self._pod.addresses, image.environment, lambda kind, name: data.get((kind, name))
        )

    # From a start to an end.

    async def _attend(self, *, adopted: bool) -> int:
        """Be with the container from its start to its end: status, hooks, probes; return its exit code.

        :param adopted: whether a previous kubelet started it.
        """
        record, pod, folder = self.record, self._pod, self._attempt_folder
        process = await self._runtime.started(folder)
        begin = datetime.now(UTC)
        watching: list[asyncio.Task[None]] = []
        if process is not None:
            begin = datetime.fromtimestamp((folder / "pid").stat().st_mtime, UTC)
        if process is not None and (self.runs or not adopted):
            known = adopted and isinstance(record.state, Running)
            record.state = Running(begin, process)
            pod.touch()
            watching = [asyncio.create_task(self._probe(known=known))]
            if not known:
                await pod.event("Normal", "Started", f"Container started: {record.name}")
        try:
            code = await self._runtime.wait(folder)
        finally:
            for task in watching:
                task.cancel()
        message = "" if process is not None else _tail(folder / "log")
        if process is not None and code == KILLED and not (folder / "exit").exists():
            message = "the process that waited for the container was killed"
        record.state = Terminated(code, begin, self._runtime.ended_at(folder), message)
        record.ready = False
        record.started = record.started and not record.sidecar
        pod.touch()
        return code

    async def _probe(self, *, known: bool) -> None:
        """Run the hook for the start, and probe from then on.

        :param known: whether a previous kubelet reported the start; what it found last holds until probes say
            otherwise.
        """
        record, pod = self.record, self._pod
        container, found = record.container, probes.of(record.container)
        try:
            if not known:
                await self._hook("postStart")
        except OSError as error:
            await pod.event("Warning", "FailedPostStartHook", str(error))
            await self.stop(2)
            return
        address = str(pod.address)
        passed = asyncio.Event()

        async def begun(healthy: bool, message: str) -> None:
            if healthy:
                passed.set()
            else:
                await self._unhealthy("Startup", message, kill=True)

        def readiness(healthy: bool, message: str) -> Awaitable[None] | None:
            record.ready = healthy
            pod.touch()
            return None if healthy else self._unhealthy("Readiness", message, kill=False)

        async def liveness(healthy: bool, message: str) -> None:
            if not healthy:
                await self._unhealthy("Liveness", message, kill=True)

        if "startup" in found and not record.started:
            watching = asyncio.create_task(
                probes.watch(found["startup"], container, address, self._execute, begun, healthy=False)
            )
            try:
                await passed.wait()
            finally:
                watching.cancel()
        record.started = True
        self.begun.set()
        record.ready = record.ready or "readiness" not in found
        pod.touch()
        async with asyncio.TaskGroup() as group:
            if "readiness" in found:
                group.create_task(
                    probes.watch(found["readiness"], container, address, self._execute, readiness, healthy=record.ready)
                )
            if "liveness" in found:
                group.create_task(
                    probes.watch(found["liveness"], container, address, self._execute, liveness, healthy=True)
                )

    async def _unhealthy(self, kind: str, message: str, *, kill: bool) -> None:
        await self._pod.event("Warning", "Unhealthy", f"{kind} probe failed: {message}")
        if kill:
            name = self.record.name
            await self._pod.event("Normal", "Killing", f"Container {name} failed its {kind.lower()} probe")
            grace = self._pod.manifest["spec"].get("terminationGracePeriodSeconds", 30)
            asyncio.get_running_loop().create_task(self.stop(grace))

    async def _hook(self, name: str) -> None:
        """Run a lifecycle hook.

        :raises OSError: if it fails.
        """
        container = self.record.container
        hook = (container.get("lifecycle") or {}).get(name)
        if not hook:
            return
        if "sleep" in hook:
            await asyncio.sleep(hook["sleep"]["seconds"])
            return
        outcome = await probes.attempt(hook, container, str(self._pod.address), self._execute, 600)
        if not outcome.ok:
            message = f"{name} hook of container {self.record.name}: {outcome.message}"
            raise OSError(message)

    async def _execute(self, words: list[str]) -> tuple[int, str]:
        """Run a command in the container, and return its exit code and what it printed."""
        process = await self.run(
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


def _give(root: Path, owner: int) -> None:
    """Give a container's root folder, and all in it, to the container's root."""
    for folder, _, names in os.walk(root):
        for path in (folder, *(os.path.join(folder, name) for name in names)):  # noqa: PTH118 as os.walk has them
            os.chown(path, owner, owner, follow_symlinks=False)


def _tail(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:500] if lines else ""
