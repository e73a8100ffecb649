"""The operator's chart on a cluster, and kubectl for the tests of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import helm_python
import yaml

from tests.strimzi.resources import NAMESPACE


@dataclass
class Kubectl:
    """The administrator's kubectl, in the namespace of Kafka."""

    kubeconfig: Path

    def command(self, *arguments: str) -> list[str]:
        kubectl = Path(sys.executable).parent / "kubectl"
        return [str(kubectl), "--kubeconfig", str(self.kubeconfig), "--namespace", NAMESPACE, *arguments]

    def __call__(self, *arguments: str, given: object = None) -> str:
        """Run it and return what it printed; ``given`` is handed to it as a document.

        :raises subprocess.CalledProcessError: if it failed.
        """
        document = None if given is None else yaml.safe_dump(given)
        command = self.command(*arguments)
        return subprocess.run(command, check=True, capture_output=True, text=True, input=document).stdout

    def make(self, *manifests: dict[str, Any]) -> None:
        """Apply what a user would, without the metadata that the server gives."""
        for manifest in manifests:
            metadata = {key: manifest["metadata"][key] for key in ("name", "namespace", "labels")}
            self("apply", "--filename", "-", given={**manifest, "metadata": metadata})

    def get(self, kind: str, name: str) -> dict[str, Any]:
        return dict(json.loads(self("get", kind, name, "--output", "json")))

    def names(self, kind: str, cluster: str) -> list[str]:
        """Return the names of a cluster's objects of some kinds."""
        found = self("get", kind, "--selector", f"strimzi.io/cluster={cluster}", "--output", "name")
        return sorted(line.partition("/")[2] for line in found.splitlines())

    def install(self, chart: Path) -> None:
        """Install the operator's chart."""
        self("create", "namespace", NAMESPACE)
        self("apply", "--server-side", "--filename", str(chart / "crds"))
        eventually(lambda: self.serves("kafkas,kafkanodepools,kafkatopics,kafkausers"))
        for document in rendered(chart):
            self("apply", "--filename", "-", given=document)

    def serves(self, kinds: str) -> bool:
        try:
            self("get", kinds)
        except subprocess.CalledProcessError:
            return False
        return True


def rendered(chart: Path) -> list[dict[str, Any]]:
    """Return the objects of the operator's chart but for its CRDs."""
    with helm_python.Chart.load(chart) as loaded:
        values = {"labels": {"sidecar.istio.io/inject": "false"}}
        texts = loaded.render(values, name="strimzi", namespace=NAMESPACE).values()
    return [document for text in texts for document in yaml.safe_load_all(text) if document]


def eventually(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so.

    :raises AssertionError: if it is not in time.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)
