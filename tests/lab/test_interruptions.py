"""Runs of the engine that are interrupted, on a real API server: the next one picks up, and nothing is left."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.lab import ROOT
from lab.pulumi.workspace import Workspace
from tests.lab.conftest import Cluster

pytestmark = pytest.mark.lab

MAPS = [f"map-{number}" for number in range(6)]
FEWER = ("--config", "count=2", "--config", "value=second")
"""Settings that change two objects, and have no place for the others."""


class Run:
    """A run of the engine that can be killed at a moment of its choice."""

    def __init__(self, cluster: Cluster, program: Path, *arguments: str) -> None:
        self.workspace = Workspace(cluster.states, program, "interrupted", cluster.kubeconfig)
        words = [sys.executable, "-m", "lab.pulumi", *arguments, "--stack", "interrupted", "--cwd", str(program)]
        self.log = program.parent / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*words, "--folder", str(cluster.states), "--kubeconfig", str(cluster.kubeconfig)],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def processes(self) -> dict[str, int]:
        """Return the run's processes: the command, the program that it serves, and the engine with its plugins."""
        found = {"command": self.process.pid}
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_text().split("\0")
                environment = (path.parent / "environ").read_text()
                if f"PULUMI_BACKEND_URL=file://{self.workspace.folder}" not in environment:
                    continue
                if "lab.pulumi.run" in words:
                    found["program"] = int(path.parent.name)
                elif Path(words[0]).name == "pulumi" and ({"up", "destroy"} & set(words)):
                    found["engine"] = int(path.parent.name)
                elif any("pulumi-resource-" in word or "random_provider" in word for word in words):
                    found[f"plugin {path.parent.name}"] = int(path.parent.name)
        return found

    def wait_for(self, moment: str) -> None:
        """Wait until the state says that the creation, update or deletion of a resource has begun."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(ValueError):
                for operation in self.workspace.checkpoint().get("pending_operations") or []:
                    if f"{operation['type']} {operation['resource']['urn'].rpartition('::')[2]}" == moment:
                        return
            time.sleep(0.001)
        pytest.fail(f"never seen: {moment}\n{self.log.read_text()}")

    def end(self) -> None:
        """Wait until the run and everything that it has started is gone."""
        self.process.wait(60)
        deadline = time.monotonic() + 30
        while left := {name: pid for name, pid in self.processes().items() if Path(f"/proc/{pid}").exists()}:
            assert time.monotonic() < deadline, left
            time.sleep(0.1)


@pytest.fixture
def program(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    """The program in a folder of its own; what a test leaves in the cluster is removed."""
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: interrupted\nruntime: python\n")
    shutil.copy(Path(__file__).parent / "interrupted.py", folder / "__main__.py")
    yield folder
    cluster.kubectl("delete", "namespace", "shop", "--ignore-not-found")
    shutil.rmtree(cluster.states / "backend", ignore_errors=True)


def run(cluster: Cluster, program: Path, command: str, *arguments: str) -> str:
    """Run the engine to its end."""
    result = cluster.engine(command, "--stack", "interrupted", *arguments, directory=program)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def maps(cluster: Cluster) -> dict[str, str]:
    """Return the value of each ConfigMap of the program."""
    found = cluster.get("-n", "shop", "configmaps")["items"]
    return {item["metadata"]["name"]: item["data"]["value"] for item in found if "value" in item.get("data", {})}


def field_managers(cluster: Cluster) -> dict[str, int]:
    """Return how many field managers of the engine each ConfigMap has: with two, a later change is a conflict."""
    found = cluster.get("-n", "shop", "configmaps", "--show-managed-fields")["items"]
    names = {
        item["metadata"]["name"]: {entry["manager"] for entry in item["metadata"]["managedFields"]} for item in found
    }
    return {name: sum(manager.startswith("pulumi-") for manager in managers) for name, managers in names.items()}


def recorded(cluster: Cluster, program: Path) -> list[str]:
    """Return the names of the program's objects in the state."""
    resources = Workspace(cluster.states, program, "interrupted", cluster.kubeconfig).resources()
    names = [item["urn"].rpartition("::")[2] for item in resources if item["type"].startswith("kubernetes:")]
    return sorted(names)


@pytest.mark.parametrize("victim", ["engine", "program", "command"])
@pytest.mark.parametrize("moment", ["creating shop", "creating secret", "creating map-3"])
def test_up_after_a_kill_at_any_moment_makes_everything_once(
    cluster: Cluster, program: Path, victim: str, moment: str
) -> None:
    first = Run(cluster, program, "up")
    first.wait_for(moment)
    os.kill(first.processes()[victim], signal.SIGKILL)
    first.end()
    run(cluster, program, "up")
    assert maps(cluster) == dict.fromkeys(MAPS, "first")
    assert recorded(cluster, program) == sorted(["shop", "secret", *MAPS])
    assert set(field_managers(cluster).values()) <= {0, 1}
    assert "no changes" in run(cluster, program, "up", "--expect-no-changes")


@pytest.mark.parametrize("moment", ["creating map-2", "creating map-4"])
def test_what_the_program_no_longer_declares_is_deleted_after_a_kill(
    cluster: Cluster, program: Path, moment: str
) -> None:
    first = Run(cluster, program, "up")
    first.wait_for(moment)
    os.kill(first.processes()["engine"], signal.SIGKILL)
    first.end()
    run(cluster, program, "up", *FEWER)
    assert maps(cluster) == {"map-0": "second", "map-1": "second"}
    run(cluster, program, "destroy")
    assert "shop" not in cluster.kubectl("get", "namespaces", "-o", "name")


@pytest.mark.parametrize("moment", ["creating secret", "creating map-1", "deleting map-3"])
def test_destroy_after_a_kill_leaves_nothing(cluster: Cluster, program: Path, moment: str) -> None:
    if moment.startswith("deleting"):
        run(cluster, program, "up")
    first = Run(cluster, program, "destroy" if moment.startswith("deleting") else "up")
    first.wait_for(moment)
    for pid in first.processes().values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    first.end()
    run(cluster, program, "destroy")
    assert "namespace/shop" not in cluster.kubectl("get", "namespaces", "-o", "name").split()
    assert recorded(cluster, program) == []


def test_ctrl_c_lets_the_engine_finish_its_step(cluster: Cluster, program: Path) -> None:
    many = ("--config", "count=60")
    first = Run(cluster, program, "up", *many)
    first.wait_for("creating map-1")
    os.kill(first.process.pid, signal.SIGINT)
    first.process.wait(60)
    said = first.log.read_text()
    assert "interrupted: waiting for the engine to finish its steps" in said
    assert "Traceback" not in said
    assert first.process.returncode != 0
    first.end()
    state: dict[str, Any] = json.loads(first.workspace.state_file.read_bytes())["checkpoint"]["latest"]
    assert not state.get("pending_operations")
    assert not list(first.workspace.locks.glob("*.json"))
    assert len(maps(cluster)) < 60
    run(cluster, program, "up", *many)
    assert len(maps(cluster)) == 60


def test_a_run_that_works_is_not_disturbed(cluster: Cluster, program: Path) -> None:
    many = ("--config", "count=200")
    first = Run(cluster, program, "up", *many)
    first.wait_for("creating map-0")
    assert "waiting for process" in run(cluster, program, "up", *many)
    assert first.process.wait(60) == 0
    assert len(maps(cluster)) == 200
