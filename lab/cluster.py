"""Requests to the lab's cluster, as its administrator."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import orjson

from lab.errors import LabError


@dataclass(frozen=True)
class Cluster:
    """A cluster, accessed with kubectl and its kubeconfig."""

    kubeconfig: Path

    def apply(self, manifests: Path) -> None:
        """Apply a file of manifests.

        :raises LabError: if it is refused.
        """
        self._kubectl("apply", "--server-side", "-f", str(manifests))

    def service_address(self, namespace: str, name: str) -> str:
        """Return a Service's address.

        :raises LabError: if there is no such Service.
        """
        return self._kubectl("-n", namespace, "get", "service", name, "-o", "jsonpath={.spec.clusterIP}")

    def pods(self) -> list[tuple[str, str, str]]:
        """Return each pod's namespace and name, ``yes`` or the reason why it is not ready, and its address."""
        found = orjson.loads(self._kubectl("get", "pods", "--all-namespaces", "-o", "json"))["items"]
        return [_row(pod) for pod in found]

    def find(self, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the object with the identity of a manifest, with its managed fields; None if it does not exist.

        :param inputs: a manifest: ``apiVersion``, ``kind`` and ``metadata`` are read.
        :raises LabError: if the cluster cannot be reached.
        """
        names = {key: inputs["metadata"][key] for key in ("name", "namespace") if key in inputs["metadata"]}
        identity = {"apiVersion": inputs["apiVersion"], "kind": inputs["kind"], "metadata": names}
        arguments = ("get", "--ignore-not-found", "--show-managed-fields", "-o", "json", "-f", "-")
        try:
            text = self._kubectl(*arguments, text=orjson.dumps(identity).decode())
        except LabError as error:
            if "no matches for kind" in str(error) or "ensure CRDs are installed first" in str(error):
                return None
            raise
        found = orjson.loads(text) if text else {"items": []}
        return next(iter(found.get("items", [found])), None)

    def show(self, arguments: list[str]) -> int:
        """Run kubectl with its output on the terminal, and return its exit code."""
        return subprocess.run(self.command(*arguments), check=False).returncode  # noqa: S603

    def show_lines(self, arguments: list[str], pattern: re.Pattern[str]) -> int:
        """Print the lines of kubectl's output that match completely, and return its exit code."""
        with subprocess.Popen(self.command(*arguments), stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
            for line in process.stdout or ():
                if pattern.fullmatch(line):
                    click.echo(line, nl=False)
        return process.returncode

    def command(self, *arguments: str) -> list[str]:
        """Return a kubectl command line."""
        kubectl = Path(sys.executable).parent / "kubectl"
        return [str(kubectl), "--kubeconfig", str(self.kubeconfig), *arguments]

    def _kubectl(self, *arguments: str, text: str | None = None) -> str:
        result = subprocess.run(  # noqa: S603
            self.command(*arguments), input=text, capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise LabError((result.stderr.strip().splitlines() or ["kubectl failed"])[-1].removeprefix("error: "))
        return result.stdout


def _row(pod: dict[str, Any]) -> tuple[str, str, str]:
    status = pod.get("status") or {}
    conditions = {item["type"]: item["status"] for item in status.get("conditions") or []}
    statuses = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    waiting = [item["state"]["waiting"]["reason"] for item in statuses if "waiting" in (item.get("state") or {})]
    ready = "yes" if conditions.get("Ready") == "True" else (waiting or [status.get("phase", "no")])[0]
    metadata = pod["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}", ready, status.get("podIP") or ""
