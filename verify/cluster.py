"""The proof's requests to a cluster: with lightkube, and with kubectl for programs in pods."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from lightkube import ApiError, Client, KubeConfig
from lightkube.core.exceptions import ConfigError
from lightkube.models.meta_v1 import ObjectMeta, Status
from lightkube.resources.core_v1 import (
    ConfigMap,
    Namespace,
    Pod,
    PodEphemeralcontainers,
    Secret,
    ServiceAccount,
)
from lightkube.types import CascadeType, PatchType

from verify.death import cause
from verify.errors import VerifyError
from verify.pods import LABEL, Manifest

_POLL_SECONDS = 0.2
_START_SECONDS = 90.0
_NOT_FOUND = 404
_RESOURCES: dict[str, Any] = {"Namespace": Namespace, "ServiceAccount": ServiceAccount, "Pod": Pod}
READ: tuple[Any, ...] = (*_RESOURCES.values(), PodEphemeralcontainers, Secret, ConfigMap, Status)
"""What answers of the API server are decoded to."""


@dataclass(frozen=True)
class Place:
    """A container of a pod."""

    namespace: str
    pod: str
    container: str


class Cluster:
    """A cluster, accessed with its kubeconfig; errors are VerifyErrors."""

    def __init__(self, kubeconfig: str, context: str | None) -> None:
        """Connect to the cluster.

        :raises VerifyError: if the kubeconfig is invalid.
        """
        self._way = (kubeconfig, context)
        self._listing = threading.Lock()
        resolve()
        try:
            config = KubeConfig.from_file(kubeconfig)
            chosen = config.get(context)
            if chosen is None:
                raise VerifyError(f"--kubeconfig {kubeconfig}: it has no current context; name one with --context")
            self._client = Client(chosen, timeout=httpx2.Timeout(30))
        except (ConfigError, OSError) as error:
            named = f" --context {context}" if context else ""
            raise VerifyError(f"--kubeconfig {kubeconfig}{named}: {error}") from error
        found = Path(sys.executable).parent / "kubectl"
        kubectl = str(found) if found.exists() else shutil.which("kubectl")
        if kubectl is None:
            raise VerifyError("kubectl is not on PATH; it runs the programs in pods: install it")
        self._kubectl = [kubectl, "--kubeconfig", kubeconfig, *(["--context", context] if context else [])]

    def __reduce__(self) -> tuple[type[Cluster], tuple[str, str | None]]:
        """Pickle the kubeconfig, because a connection belongs to its process."""
        return Cluster, self._way

    def pods(self, namespace: str, labels: dict[str, str]) -> list[Manifest]:
        """Return the running pods with these labels that are not being deleted, ready ones first."""
        found = self._list(Pod, namespace=namespace, labels=dict(labels))
        plain = [pod.to_dict() for pod in found]
        running = [
            pod
            for pod in plain
            if pod.get("status", {}).get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
        ]
        return sorted(running, key=lambda pod: not _is_ready(pod))

    def secret(self, namespace: str, name: str) -> dict[str, str]:
        """Return the data of a Secret, in base64."""
        return dict(self._ask(lambda: self._client.get(Secret, name, namespace=namespace)).data or {})

    def config_map(self, namespace: str, name: str) -> dict[str, str]:
        """Return the data of a ConfigMap."""
        return dict(self._ask(lambda: self._client.get(ConfigMap, name, namespace=namespace)).data or {})

    def make(self, manifest: Manifest) -> None:
        """Create an object."""
        resource = _RESOURCES[manifest["kind"]]
        self._ask(lambda: self._client.create(resource.from_dict(manifest), namespace=_where(manifest)))

    def remove(self, manifest: Manifest) -> None:
        """Delete an object if it exists."""
        resource = _RESOURCES[manifest["kind"]]
        name = manifest["metadata"]["name"]
        self._ask(
            lambda: self._client.delete(
                resource, name, namespace=_where(manifest), cascade=CascadeType.BACKGROUND, grace_period=1
            ),
            missing=None,
        )

    def sweep(self) -> None:
        """Delete what killed runs left behind."""
        for kind, resource in _RESOURCES.items():
            everywhere: Any = {} if kind == "Namespace" else {"namespace": "*"}
            found = self._list(resource, labels={LABEL: None}, **everywhere)
            for item in found:
                metadata: ObjectMeta = item.metadata
                self.remove({"kind": kind, "metadata": {"name": metadata.name, "namespace": metadata.namespace}})

    def attach(self, place: Place, container: Manifest) -> None:
        """Add an ephemeral container to a pod, unless it has it."""
        patch = {"spec": {"ephemeralContainers": [container]}}
        self._ask(
            lambda: self._client.patch(
                PodEphemeralcontainers,
                place.pod,
                patch,
                namespace=place.namespace,
                patch_type=PatchType.STRATEGIC,
            )
        )

    def ephemeral(self, namespace: str, pod: str) -> list[str]:
        """Return the names of a pod's running ephemeral containers; none if the pod does not exist."""
        found = self._ask(lambda: self._client.get(Pod, pod, namespace=namespace), missing=None)
        states = (found.to_dict().get("status", {}).get("ephemeralContainerStatuses") or []) if found else []
        return [item["name"] for item in states if "running" in (item.get("state") or {})]

    def until_runs(self, place: Place) -> Manifest:
        """Wait until a container runs, and its pod's sidecar if it has one; return the pod.

        :raises VerifyError: if it does not run within 90 seconds.
        """
        deadline = time.monotonic() + _START_SECONDS
        while True:
            pod: Manifest = self._ask(lambda: self._client.get(Pod, place.pod, namespace=place.namespace)).to_dict()
            status = pod.get("status", {})
            states = {
                item["name"]: item
                for kind in ("containerStatuses", "ephemeralContainerStatuses", "initContainerStatuses")
                for item in status.get(kind) or []
            }
            own, sidecar = states.get(place.container, {}), states.get("istio-proxy", {"ready": True})
            if "running" in (own.get("state") or {}) and sidecar.get("ready"):
                return pod
            if time.monotonic() > deadline:
                where = f"pod {place.namespace}/{place.pod}, container {place.container}"
                raise VerifyError(f"{where}: does not run: {json.dumps(own.get('state') or status.get('phase'))}")
            time.sleep(_POLL_SECONDS)

    def run(self, place: Place, program: str, seconds: float) -> bytes:
        """Run a Python program, passed on standard input, in a container; return its output.

        :raises VerifyError: if it failed.
        """
        where = f"pod {place.namespace}/{place.pod}"
        words = [
            "-n",
            place.namespace,
            "exec",
            "-i",
            place.pod,
            "-c",
            place.container,
            "--",
            "python3",
            "-X",
            "faulthandler",
            "-",
        ]
        try:
            result = subprocess.run(  # noqa: S603 the user's own kubectl
                [*self._kubectl, *words], input=program.encode(), capture_output=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise VerifyError(f"{where}: a program was silent for {seconds:.0f} s") from error
        if result.returncode:
            text = result.stderr.decode(errors="replace")
            if died := cause(result.returncode, text):
                raise VerifyError(f"{where}: a program was {died}")
            said = text.strip().splitlines()
            # kubectl ends with the exit code; what the program said is before that.
            told = [line for line in said if not line.startswith("command terminated")]
            raise VerifyError(f"{where}: {told[-1] if told else 'a program failed'}")
        return result.stdout

    def log(self, namespace: str, pod: str, container: str, lines: int) -> list[str]:
        """Return the last lines of a container's log."""
        read = functools.partial(self._client.log, pod, namespace=namespace, container=container, tail_lines=lines)
        found: list[str] = self._ask(lambda: [line.rstrip("\n") for line in read()])
        return found

    def _list(self, resource: Any, **which: Any) -> list[Any]:
        # lightkube makes a type for a list when it is first asked for; see ``resolve``.
        with self._listing:
            found: list[Any] = self._ask(lambda: [*self._client.list(resource, **which)])
            return found

    def _ask(self, question: Callable[[], Any], **instead: Any) -> Any:
        try:
            return question()
        except ApiError as error:
            if error.status.code == _NOT_FOUND and "missing" in instead:
                return instead["missing"]
            raise VerifyError(f"the API server: {error}") from error
        except httpx2.HTTPError as error:
            raise VerifyError(f"the API server: {error or type(error).__name__}") from error


def resolve() -> None:
    """Let msgspec inspect all decoded types before several threads decode at once.

    It inspects a type at its first use; a second thread that uses the type meanwhile reads incomplete data, and the
    process ends with SIGSEGV (seen with msgspec 0.22.0: nine of ten runs of eight threads).
    """
    for resource in READ:
        msgspec.json.Decoder(resource)


def _is_ready(pod: Manifest) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(it["type"] == "Ready" and it["status"] == "True" for it in conditions)


def _where(manifest: Manifest) -> str | None:
    namespace = manifest["metadata"].get("namespace")
    return str(namespace) if namespace else None
