"""The cluster that the tests of this folder share, and the program on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.binaries.build import build
from lab.charts.assemble import assemble
from lab.control_plane import ControlPlane, free_ports
from lab.errors import LabError
from lab.lab import ROOT


@dataclass(frozen=True)
class Cluster:
    """A running control plane, and a folder for stacks' states."""

    plane: ControlPlane
    states: Path

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.plane.kubeconfig

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the engine finds cluster and states."""
        return {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "PULUMI_BACKEND_URL": f"file://{self.states}",
            "PULUMI_CONFIG_PASSPHRASE": "only for tests",
        }

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl as administrator and return what it printed.

        :raises subprocess.CalledProcessError: if it failed.
        """
        kubectl = Path(sys.executable).parent / "kubectl"
        command = [str(kubectl), "--kubeconfig", str(self.kubeconfig), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def engine(self, *arguments: str, directory: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """Run the engine's command line in a project's folder."""
        command = [sys.executable, "-m", "lab.engine", *arguments, "--cwd", str(directory)]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, check=False, capture_output=True, text=True, timeout=280
        )


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane of the test run's own, on free ports; it ends with the run, however that ends."""
    folder = tmp_path_factory.mktemp("cluster")
    try:
        assemble(ROOT / ".lab" / "charts")
        plane = ControlPlane(folder / "control-plane", free_ports(), tethered=True)
        plane.start(build())
    except LabError as error:
        pytest.fail(str(error))
    try:
        yield Cluster(plane, folder / "states")
    finally:
        plane.stop()
