"""The status of a pod, from the states of its containers, as a kubelet sets it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from lab.node.manifest import Manifest, is_sidecar

OVER: Final = ("Succeeded", "Failed")
"""The phases of a pod that has ended for good."""


class Kind(Enum):
    """What a container is in its pod; the value is where its status goes."""

    INIT = "initContainerStatuses"
    MAIN = "containerStatuses"
    EPHEMERAL = "ephemeralContainerStatuses"


@dataclass(frozen=True)
class Waiting:
    """A container that does not run yet, or not again."""

    reason: str
    message: str = ""

    def manifest(self) -> dict[str, Any]:
        """Return the state as a ContainerState."""
        return {"waiting": {"reason": self.reason} | ({"message": self.message} if self.message else {})}


@dataclass(frozen=True)
class Running:
    """A container that runs; ``process`` is the process ID of its first process on this machine, 0 if not known."""

    started: datetime
    process: int = 0

    def manifest(self) -> dict[str, Any]:
        """Return the state as a ContainerState."""
        return {"running": {"startedAt": stamp(self.started)}}


@dataclass(frozen=True)
class Terminated:
    """A container that has ended."""

    code: int
    started: datetime
    finished: datetime
    message: str = ""

    def manifest(self) -> dict[str, Any]:
        """Return the state as a ContainerState."""
        return {
            "terminated": {
                "exitCode": self.code,
                "reason": "Completed" if self.code == 0 else "Error",
                "startedAt": stamp(self.started),
                "finishedAt": stamp(self.finished),
            }
            | ({"message": self.message} if self.message else {})
        }


@dataclass
class Record:
    """What is known of a container of a pod."""

    container: Manifest
    kind: Kind
    state: Waiting | Running | Terminated = field(default_factory=lambda: Waiting("PodInitializing"))
    last: Terminated | None = None
    restarts: int = 0
    attempt: int = -1
    started: bool = False
    ready: bool = False

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self.container["name"])

    @property
    def sidecar(self) -> bool:
        """Whether it is an init container that goes on beside those after it."""
        return self.kind is Kind.INIT and is_sidecar(self.container)

    @property
    def done(self) -> bool:
        """Whether the containers after it may start, for one that goes before them."""
        if self.sidecar:
            return self.started
        return isinstance(self.state, Terminated) and self.state.code == 0

    @property
    def identifier(self) -> str:
        """The latest attempt, as the status names it."""
        return f"lab://{self.name}-{self.attempt}"

    def restore(self, pod: Manifest) -> None:
        """Take what the pod's status says of the latest attempt, for a kubelet that resumes after another."""
        found = (pod.get("status") or {}).get(self.kind.value) or []
        status: Mapping[str, Any] = next((item for item in found if item["name"] == self.name), {})
        if self.attempt < 0 or status.get("containerID") != self.identifier:
            return
        self.state = _state(status["state"]) or self.state
        last = _state(status.get("lastState") or {})
        self.last = last if isinstance(last, Terminated) else None
        self.started, self.ready = bool(status.get("started")), bool(status.get("ready"))

    def manifest(self) -> dict[str, Any]:
        """Return the ContainerStatus."""
        ready = self.done if self.kind is Kind.INIT and not self.sidecar else self.ready
        return {
            "name": self.name,
            "image": self.container["image"],
            "imageID": f"lab://{self.container['image']}",
            "ready": ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state.manifest(),
            "lastState": self.last.manifest() if self.last else {},
        } | ({"containerID": self.identifier} if self.attempt >= 0 else {})


def stamp(moment: datetime) -> str:
    """Return a moment as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _state(manifest: Mapping[str, Any]) -> Waiting | Running | Terminated | None:
    """Return what a ContainerState says; None if nothing."""
    if "running" in manifest:
        return Running(datetime.fromisoformat(manifest["running"]["startedAt"]))
    if "terminated" in manifest:
        found = manifest["terminated"]
        started, finished = (datetime.fromisoformat(found[name]) for name in ("startedAt", "finishedAt"))
        return Terminated(found["exitCode"], started, finished, found.get("message") or "")
    if "waiting" in manifest:
        found = manifest["waiting"]
        return Waiting(found["reason"], found.get("message") or "")
    return None


def phase(pod: Manifest, records: Iterable[Record]) -> str:
    """Return the pod's phase."""
    records = list(records)
    policy = pod["spec"].get("restartPolicy", "Always")
    main = [r for r in records if r.kind is Kind.MAIN]
    begun = any(r.attempt >= 0 for r in main)
    if not begun and any(not r.done for r in records if r.kind is Kind.INIT):
        failed = [r for r in records if r.kind is Kind.INIT and isinstance(r.state, Terminated) and r.state.code]
        return "Failed" if policy == "Never" and any(not r.sidecar for r in failed) else "Pending"
    if all(isinstance(r.state, Terminated) for r in main) and policy != "Always":
        codes = [r.state.code for r in main if isinstance(r.state, Terminated)]
        if not any(codes):
            return "Succeeded"
        if policy == "Never":
            return "Failed"
    return "Running" if begun else "Pending"


def conditions(
    pod: Manifest, records: Iterable[Record], previous: Sequence[Mapping[str, Any]], now: datetime, *, sandbox: bool
) -> list[dict[str, Any]]:
    """Return the pod's conditions; one that has not changed keeps its time.

    :param sandbox: whether the pod's network is there.
    """
    records = list(records)
    serving = [r for r in records if r.kind is Kind.MAIN or r.sidecar]
    waiting = [r.name for r in serving if not r.ready]
    over = phase(pod, records) in OVER
    initial = [r.name for r in records if r.kind is Kind.INIT and not r.done]
    reason = "PodCompleted" if over else "ContainersNotReady"
    unready = (f"containers with unready status: [{' '.join(waiting)}]", reason)
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or []]
    held = [gate for gate in gates if not any(c["type"] == gate and c["status"] == "True" for c in previous)]
    facts: list[tuple[str, bool, str, str]] = [
        ("PodReadyToStartContainers", sandbox, "", ""),
        (
            "Initialized",
            not initial,
            "ContainersNotInitialized",
            f"containers with incomplete status: [{' '.join(initial)}]",
        ),
        ("ContainersReady", not waiting and not over, unready[1], unready[0]),
        (
            "Ready",
            not waiting and not over and not held,
            unready[1] if waiting or over else "ReadinessGatesNotReady",
            unready[0] if waiting or over else f"readiness gates not true: [{' '.join(held)}]",
        ),
        ("PodScheduled", True, "", ""),
    ]
    before = {item["type"]: item for item in previous}
    result = [_condition(*fact, before, now) for fact in facts]
    ours = {fact[0] for fact in facts}
    return [*result, *(dict(item) for item in previous if item["type"] not in ours)]


def _condition(
    name: str, true: bool, reason: str, message: str, before: Mapping[str, Mapping[str, Any]], now: datetime
) -> dict[str, Any]:
    status = "True" if true else "False"
    old = before.get(name)
    since = old["lastTransitionTime"] if old and old["status"] == status else stamp(now)
    why = {} if true or not reason else {"reason": reason, "message": message}
    return {"type": name, "status": status, "lastTransitionTime": since} | why
