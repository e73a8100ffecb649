"""Cleans up after an interrupted run: locks of processes that have ended, and resources that were not recorded.

The engine would forget a resource whose creation was interrupted. It may exist, and then nothing would ever delete it.
So each one that the cluster has is recorded before the next run, under the field manager that created it: another one
could not change its fields (https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts).
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from lab.errors import LabError

INTERRUPTED: Final = "kafka-on-istio/interrupted"
"""An annotation in the recorded inputs only. The next ``up`` sees a difference and awaits the resource again."""

_PATIENCE: Final = 30.0
"""Seconds that the engine of a run that was killed gets to finish its step."""

Live = Callable[[Mapping[str, Any]], dict[str, Any] | None]
"""Returns the object in the cluster with the identity that a resource's inputs have, with its managed fields."""


def holder(locks: Path, is_alive: Callable[[int], bool] = lambda pid: Path(f"/proc/{pid}").exists()) -> int | None:
    """Return the process that holds a lock of the backend; None without a lock, or if its holder has ended.

    :param locks: the backend's folder for the stack's locks.
    """
    for lock in sorted(locks.glob("*.json")):
        try:
            pid = int(json.loads(lock.read_bytes())["pid"])
        except (FileNotFoundError, ValueError, KeyError):
            continue
        if is_alive(pid):
            return pid
    return None


def wait_for_locks(locks: Path, say: Callable[[str], None]) -> bool:
    """Wait for the holders of locks to end, and tell whether locks of ended processes are left.

    :raises LabError: if a holder does not end within 30 seconds.
    """
    deadline = time.monotonic() + _PATIENCE
    said = False
    while (pid := holder(locks)) is not None:
        if not said:
            say(f"waiting for process {pid}, of an interrupted command, to finish its step")
            said = True
        if time.monotonic() > deadline:
            raise LabError(f"process {pid} is using the stack; wait until it ends, or end it")
        time.sleep(0.2)
    return any(locks.glob("*.json"))


def recovered(deployment: Mapping[str, Any], live: Live) -> dict[str, Any] | None:
    """Return the deployment without pending operations, with every created object recorded; None if it has none.

    :param deployment: of ``pulumi stack export``: ``resources`` and ``pending_operations``.
    """
    pending = deployment.get("pending_operations") or []
    if not pending:
        return None
    result = copy.deepcopy(dict(deployment))
    recorded = {item["urn"] for item in result.get("resources") or []}
    for operation in pending:
        resource = copy.deepcopy(operation["resource"])
        if operation["type"] != "creating" or resource["urn"] in recorded or not _is_kubernetes(resource):
            continue
        found = live(resource.get("inputs") or {})
        if found is not None:
            result["resources"].append(_recorded(resource, found))
    result["pending_operations"] = []
    return result


def _is_kubernetes(resource: Mapping[str, Any]) -> bool:
    inputs = resource.get("inputs") or {}
    return resource["type"].startswith("kubernetes:") and {"apiVersion", "kind", "metadata"} <= inputs.keys()


def _recorded(resource: dict[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    metadata = found["metadata"]
    namespace = metadata.get("namespace")
    inputs = resource["inputs"]
    outputs = copy.deepcopy(inputs) | {"__initialApiVersion": inputs["apiVersion"], "__inputs": copy.deepcopy(inputs)}
    if manager := _manager(metadata):
        outputs["__fieldManager"] = manager
    annotated = inputs["metadata"].get("annotations")
    if not isinstance(annotated, dict):
        annotated = {}
    inputs["metadata"] = inputs["metadata"] | {"annotations": annotated | {INTERRUPTED: "true"}}
    identifier = f"{namespace}/{metadata['name']}" if namespace else metadata["name"]
    return resource | {"id": identifier, "outputs": outputs}


def _manager(metadata: Mapping[str, Any]) -> str | None:
    """Return the provider's field manager of an object; each creation has its own."""
    names = [item["manager"] for item in metadata.get("managedFields") or []]
    return next((name for name in names if name.startswith("pulumi-kubernetes-")), None)
