"""Each process of the lab is killed while calls go on, and pods come and go by the hundred."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.ids import COUNT
from tests.lab.conftest import System, eventually
from tests.lab.test_control_plane import children
from tests.lab.test_node import NAMESPACE, Pods, container, pod, pods
from tests.lab.test_system import kill
from tests.lab.test_system import pods as pods_of
from tests.lab.traffic import Traffic, arrived, counts_in_order, settled

pytestmark = pytest.mark.lab

__all__ = ["pods"]  # a fixture

PROCESSES = ("etcd", "kube-apiserver", "kube-controller-manager", "lab.node", "lab.outside")
CONTAINERS = (
    ("istio-system", "istiod", "discovery"),
    ("istio-system", "jaeger", "jaeger"),
    ("kafka", "strimzi-cluster-operator", "strimzi-cluster-operator"),
    ("kafka", "demo-app-log-cluster-entity-operator", "topic-operator"),
    ("kafka", "demo-app-log-cluster-entity-operator", "user-operator"),
)


class Calls:
    """How many calls there have been, and how many records before the first."""

    def __init__(self, before: dict[str, int]) -> None:
        self.before = before
        self.count = 0


@pytest.fixture(scope="module")
def calls(system: System) -> Calls:
    return Calls(settled(system))


@contextlib.contextmanager
def all_answered(system: System, calls: Calls) -> Iterator[Traffic]:
    """Call from before to after what is done meanwhile, and assert that no call failed."""
    with Traffic(system) as traffic:
        yield traffic
        traffic.some(40)
    calls.count += len(traffic.answers)
    assert traffic.failed() == []


def works(system: System) -> bool:
    """Tell whether the API server answers, and the node runs commands in pods."""
    words = ("-n", "demo-app", "exec", "deployment/consumer-v1", "--", "true")
    return system.try_kubectl("--request-timeout=5s", *words).returncode == 0


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_of_the_lab_that_is_killed_costs_no_call(system: System, calls: Calls, name: str) -> None:
    processes = (*system.plane.processes(), *system.lab.node(Path()))
    (process,) = (one for one in processes if one.name == name)
    restarts = containers(system)
    with all_answered(system, calls):
        (killed,) = children(process)
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: children(process) not in ([], [killed]))
        eventually(lambda: works(system), 60)
        assert eventually(lambda: system.command("status").returncode == 0)
    assert containers(system) == restarts


def containers(system: System) -> dict[tuple[str, str], int]:
    """Return how often each container of the lab was started again."""
    return {
        (found["metadata"]["uid"], status["name"]): status["restartCount"]
        for found in system.get("pods", "--all-namespaces")["items"]
        for kind in ("initContainerStatuses", "containerStatuses")
        for status in found["status"].get(kind) or []
    }


@pytest.mark.parametrize(("namespace", "workload", "name"), CONTAINERS)
def test_a_part_of_mesh_or_operators_that_is_killed_costs_no_call(
    system: System, calls: Calls, namespace: str, workload: str, name: str
) -> None:
    (found,) = (item for item in pods_of(system, namespace) if item.startswith(workload))

    def status() -> Any:
        statuses = pods_of(system, namespace)[found]["status"]["containerStatuses"]
        return next(item for item in statuses if item["name"] == name)

    restarts = status()["restartCount"]
    with all_answered(system, calls):
        kill(system, found, name, namespace)
        eventually(lambda: status()["restartCount"] > restarts and status()["ready"])


def test_no_record_was_lost_or_doubled_by_what_was_killed(system: System, calls: Calls) -> None:
    counts_in_order(arrived(system, calls.before, calls.count), calls.before)


def left(node: System) -> dict[str, set[str]]:
    """Return what there is of pods on this machine."""
    network, folder = node.lab.network(), node.lab.folder / "node"
    ids = range(network.ids.first, network.ids.first + COUNT)

    def processes() -> Iterator[str]:
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if path.stat().st_uid in ids or str(folder / "pods") in os.readlink(path / "cwd"):
                    yield path.name

    listed: dict[str, Callable[[], Iterator[str]]] = {
        "network namespaces": lambda: iter(network.attachments()),
        "user namespaces": lambda: (path.name for path in Path("/run/userns").glob(f"{network.bridge}-*")),
        "interfaces": lambda: (path.name for path in Path("/sys/class/net").glob(f"{network.bridge}v*")),
        "folders": lambda: (path.name for path in (folder / "pods").glob("*")),
        "containers": lambda: (path.name for path in (folder / "crun").glob("*")),
        "mounts": lambda: (line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line),
        "processes": processes,
    }
    return {what: set(found()) for what, found in listed.items()}


def test_two_hundred_pods_that_come_and_go_leave_nothing_behind(pods: Pods) -> None:
    names = [f"brief-{number}" for number in range(20)]
    before = left(pods.node)
    where = ("-n", NAMESPACE)
    for turn in range(10):
        listed = [pod(name, container("main", "sleep 1000"), labels={"app": "brief"}) for name in names]
        pods.node.kubectl(
            *where, "create", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": listed})
        )
        if turn % 3 == 0:
            # Some of them have got to run; the others are taken away in the middle of their start.
            pods.node.kubectl(*where, "wait", "pod/brief-0", "--for=condition=Ready", "--timeout=60s")
        pods.node.kubectl(*where, "delete", "pod", "-l", "app=brief", "--grace-period=1", "--timeout=120s")

    def nothing() -> bool:
        more = {what: found - before[what] for what, found in left(pods.node).items()}
        assert not any(more.values()), more
        return True

    assert eventually(nothing)
