"""What an interrupted run of the engine has left, and what the next one makes of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.pulumi import recovery
from lab.pulumi.recovery import INTERRUPTED

pytestmark = pytest.mark.unit

GONE = 4_194_305
"""More than the greatest pid (proc_sys_kernel(5))."""


def pending(name: str, kind: str = "creating", **resource: Any) -> dict[str, Any]:
    inputs = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop"},
        "data": {"a": "b"},
    }
    urn = f"urn:pulumi:lab::shop::kubernetes:core/v1:ConfigMap::{name}"
    found = {"urn": urn, "type": "kubernetes:core/v1:ConfigMap", "custom": True, "inputs": inputs}
    return {"type": kind, "resource": found | resource}


def live(*names: str) -> recovery.Live:
    def find(inputs: Mapping[str, Any]) -> dict[str, Any] | None:
        if inputs["metadata"]["name"] not in names:
            return None
        managers = [{"manager": "kubelet"}, {"manager": "pulumi-kubernetes-1a2b3c4d"}]
        return {"metadata": inputs["metadata"] | {"managedFields": managers}}

    return find


def test_nothing_is_recorded_without_an_interruption() -> None:
    assert recovery.recovered({"resources": [], "pending_operations": []}, live("a")) is None
    assert recovery.recovered({}, live("a")) is None


def test_what_was_created_is_recorded_under_its_field_manager_and_awaited_again() -> None:
    deployment = recovery.recovered({"resources": [], "pending_operations": [pending("a"), pending("b")]}, live("a"))
    assert deployment is not None
    assert deployment["pending_operations"] == []
    (resource,) = deployment["resources"]
    assert resource["id"] == "shop/a"
    assert resource["outputs"]["__fieldManager"] == "pulumi-kubernetes-1a2b3c4d"
    # The next run sees one difference, which can be applied in place.
    assert resource["inputs"]["metadata"]["annotations"] == {INTERRUPTED: "true"}
    assert resource["outputs"]["data"] == {"a": "b"}
    assert "annotations" not in resource["outputs"]["metadata"]


def test_what_the_state_has_already_is_not_doubled() -> None:
    resources = [pending("a")["resource"] | {"id": "shop/a"}]
    operations = [pending("a", "updating"), pending("a", "creating")]
    deployment = recovery.recovered({"resources": resources, "pending_operations": operations}, live("a"))
    assert deployment == {"resources": resources, "pending_operations": []}


def test_a_password_that_was_not_recorded_is_drawn_again() -> None:
    operation = pending("a", type="random:index/randomPassword:RandomPassword", inputs={"length": 32})
    deployment = recovery.recovered({"resources": [], "pending_operations": [operation]}, live("a"))
    assert deployment == {"resources": [], "pending_operations": []}


def lock(folder: Path, pid: int) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "a.json").write_text(json.dumps({"pid": pid}))


def test_the_lock_of_a_process_that_is_gone_is_removed(tmp_path: Path) -> None:
    assert recovery.wait_for_locks(tmp_path, print) is False
    lock(tmp_path, GONE)
    assert recovery.holder(tmp_path) is None
    assert recovery.wait_for_locks(tmp_path, print) is True


def test_the_lock_of_a_process_that_runs_is_kept(tmp_path: Path) -> None:
    lock(tmp_path, os.getpid())
    assert recovery.holder(tmp_path) == os.getpid()
