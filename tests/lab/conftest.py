"""The cluster that the tests of this folder share."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.binaries.build import build
from lab.control_plane import ControlPlane, ControlPlaneError


@dataclass(frozen=True)
class Cluster:
    """A running control plane."""

    kubeconfig: Path

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl as administrator and return what it printed.

        :raises subprocess.CalledProcessError: if it failed.
        """
        kubectl = Path(sys.executable).parent / "kubectl"
        command = [str(kubectl), "--kubeconfig", str(self.kubeconfig), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane of the test run's own, on free ports."""
    folder = tmp_path_factory.mktemp("cluster")
    plane = ControlPlane(folder, build())
    try:
        plane.start()
        yield Cluster(plane.kubeconfig)
    except ControlPlaneError as error:
        pytest.fail(str(error))
    finally:
        plane.stop()
        shutil.rmtree(folder, ignore_errors=True)
