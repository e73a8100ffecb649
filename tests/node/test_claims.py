"""Volumes for claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.node.claims import Plan, plan

pytestmark = pytest.mark.unit

FOLDER = Path("/claims")


def claim(name: str = "data", **spec: Any) -> dict[str, Any]:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"metadata": {"name": name, "namespace": "kafka", "uid": f"uid-{name}"}, "spec": asked}


def test_a_claim_gets_a_volume_for_itself_as_it_asks_for_it() -> None:
    (volume,) = plan([claim(storageClassName="fast")], [], FOLDER).made
    spec = volume["spec"]
    assert volume["metadata"]["name"] == "pvc-uid-data"
    assert (spec["capacity"], spec["accessModes"]) == ({"storage": "1Gi"}, ["ReadWriteOnce"])
    assert spec["storageClassName"] == "fast"
    assert spec["claimRef"]["uid"] == "uid-data"
    assert spec["hostPath"] == {"path": "/claims/kafka/data"}


def test_a_claim_that_has_a_volume_gets_no_other() -> None:
    volumes = list(plan([claim()], [], FOLDER).made)
    assert plan([claim()], volumes, FOLDER) == Plan((), ())
    assert plan([claim(volumeName="mine")], [], FOLDER) == Plan((), ())


def test_a_volume_goes_after_its_claim_and_those_of_others_stay() -> None:
    volumes = [*plan([claim()], [], FOLDER).made, {"metadata": {"name": "mine"}, "spec": {}}]
    assert plan([], volumes, FOLDER) == Plan((), ("pvc-uid-data",))


def test_a_claim_of_the_same_name_is_another_claim() -> None:
    volumes = list(plan([claim()], [], FOLDER).made)
    again = claim()
    again["metadata"]["uid"] = "uid-other"
    found = plan([again], volumes, FOLDER)
    assert [volume["metadata"]["name"] for volume in found.made] == ["pvc-uid-other"]
    assert found.gone == ("pvc-uid-data",)
