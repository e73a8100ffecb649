"""What the tests of this folder share: a control plane without a node, a lab with one, and the program on it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.binaries.build import build
from lab.charts.assemble import assemble
from lab.control_plane import ControlPlane
from lab.errors import LabError
from lab.lab import ROOT, Lab
from lab.ports import free_ports
from lab.pulumi.engine import find
from lab.pulumi.workspace import Workspace


@dataclass(frozen=True)
class Cluster:
    """A running control plane, and the folder of the engine's workspaces on it."""

    plane: ControlPlane
    states: Path

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.plane.kubeconfig

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl as administrator and return what it printed.

        :raises subprocess.CalledProcessError: if it failed.
        """
        result = self.try_kubectl(*arguments, text=text)
        assert result.returncode == 0, f"kubectl {' '.join(arguments)}: {result.stderr}"
        return result.stdout

    def try_kubectl(self, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator."""
        kubectl = Path(sys.executable).parent / "kubectl"
        command = [str(kubectl), "--kubeconfig", str(self.kubeconfig), *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True, input=text, timeout=120)

    def get(self, *arguments: str) -> Any:
        """Return what ``kubectl get`` finds, as JSON."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def engine(self, command: str, *arguments: str, directory: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """Run a command of the Pulumi engine on a program, the components at hand."""
        words = [sys.executable, "-m", "lab.pulumi", command, "--folder", str(self.states), "--cwd", str(directory)]
        return subprocess.run(
            [*words, "--kubeconfig", str(self.kubeconfig), *arguments],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
            timeout=290,
        )

    def changes(self, command: str, *arguments: str, stack: str = "lab", directory: Path = ROOT) -> dict[str, str]:
        """Run a command of the engine and return what it did, by resource name, without components and what stayed."""
        result = self.engine(command, "--stack", stack, "--json", *arguments, directory=directory)
        assert result.returncode == 0, result.stdout + result.stderr
        return {
            step["urn"].rpartition("::")[2]: step["op"]
            for step in json.loads(result.stdout)["steps"]
            if step["op"] in ("create", "update", "delete", "replace")
        }

    def workspace(self, stack: str = "lab") -> Workspace:
        """Return the workspace of the system's program."""
        return Workspace(self.states, ROOT, stack, self.kubeconfig)


@dataclass(frozen=True)
class System(Cluster):
    """A lab with the program's stack on it."""

    lab: Lab

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``python -m lab`` on it."""
        return run_lab(self.lab.name, *arguments)

    def script(self, pod: str, source: str, container: str | None = None) -> str:
        """Run a Python program in a pod of the application, and return what it printed."""
        where = ["-c", container] if container else []
        python = str(ROOT / ".venv" / "bin" / "python")
        return self.kubectl("-n", "demo-app", "exec", "-i", pod, *where, "--", python, "-", text=source)


def run_lab(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m lab`` under a name."""
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments, "--name", name],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=290,
    )


def eventually(check: Callable[[], Any], seconds: float = 30) -> Any:
    """Return what a check finds as soon as that is true; fail with what it found last when it never is."""
    deadline = time.monotonic() + seconds
    while True:
        found: Any = None
        try:
            found = check()
        except AssertionError as error:
            found = error
        if found and not isinstance(found, AssertionError):
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {found}"
        time.sleep(0.1)


def remove(lab: Lab) -> None:
    """Remove a lab and all that belongs to it."""
    if lab.folder.exists():
        lab.remove()
    (ROOT / ".lab" / f"{lab.name}.lock").unlink(missing_ok=True)


def sweep() -> None:
    """Remove what the labs of test runs that were killed have left behind."""
    for folder in (ROOT / ".lab").glob("test-*-*"):
        pid = folder.name.rpartition("-")[2]
        if folder.is_dir() and pid.isdigit() and not Path(f"/proc/{pid}").exists():
            with contextlib.suppress(LabError):
                remove(Lab(folder.name))


@pytest.fixture(scope="session")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built commands; charts are put together too."""
    try:
        assemble(ROOT / ".lab" / "charts")
        find(tmp_path_factory.mktemp("home"), print)
        return build()
    except LabError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, binaries: Path) -> Iterator[Cluster]:
    """A control plane of the test run's own, on free ports; it ends with the run, however that ends."""
    folder = tmp_path_factory.mktemp("cluster")
    plane = ControlPlane(folder / "control-plane", free_ports(), tethered=True)
    try:
        plane.start(binaries)
    except LabError as error:
        pytest.fail(str(error))
    try:
        yield Cluster(plane, folder / "pulumi")
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def node(binaries: Path) -> Iterator[System]:
    """A lab of the test run's own, with a node and nothing on it; or one that is up, by its name in TEST_LAB."""
    if kept := os.environ.get("TEST_LAB"):
        lab = Lab(kept)
        yield System(lab.control_plane(), lab.folder / "pulumi", lab)
        return
    sweep()
    lab = Lab(f"test-node-{os.getpid()}")
    try:
        lab.start(binaries, lambda _: None)
        system = System(lab.control_plane(), lab.folder / "pulumi", lab)
        eventually(lambda: "lab" in system.kubectl("get", "nodes", "-o", "name"))
        yield system
    except LabError as error:
        pytest.fail(str(error))
    finally:
        remove(lab)


@dataclass(frozen=True)
class Before:
    """What there was before the program."""

    names: frozenset[str]


def everything(cluster: Cluster) -> frozenset[str]:
    """Name the namespaces, CRDs, cluster roles and webhooks that there are."""
    kinds = "crd,clusterroles,clusterrolebindings,validatingwebhookconfigurations,mutatingwebhookconfigurations"
    # What another test has just left may still be on its way out.
    active = ("namespaces", "--field-selector", "status.phase=Active")
    return frozenset(
        name for what in ((kinds,), active) for name in cluster.kubectl("get", *what, "-o", "name").split()
    )


@pytest.fixture(scope="session")
def before(node: System) -> Before:
    """What there was before the program."""
    return Before(everything(node))


@pytest.fixture(scope="session")
def system(node: System, before: Before) -> System:
    """The lab with the program's stack up, as `make up` makes it."""
    result = node.command("up")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "customer => preference => recommendation" in result.stdout
    return node
