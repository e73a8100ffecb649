"""What `up` says of access before it starts: the state's model against the one that the program is about to make."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lab.pulumi.access import changes
from lab.pulumi.workspace import Workspace

pytestmark = pytest.mark.program

PROGRAM = """
import pulumi
pulumi.export("accessModel", {"topics": pulumi.Config().require_object("topics")})
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    program = tmp_path / "program"
    program.mkdir()
    (program / "Pulumi.yaml").write_text(
        "name: shop\nruntime: python\nconfig: {topics: {type: array, items: {type: string}}}\n"
    )
    (program / "Pulumi.lab.yaml").write_text("config: {shop:topics: [orders]}\n")
    (program / "__main__.py").write_text(PROGRAM)
    return Workspace(tmp_path / "lab", program, "lab", tmp_path / "kubeconfig")


def record(workspace: Workspace, *topics: str) -> None:
    """Write the state of a stack that has an access model."""
    stack = {"urn": "urn", "type": "pulumi:pulumi:Stack", "outputs": {"accessModel": {"topics": topics}}}
    workspace.state_file.parent.mkdir(parents=True)
    workspace.state_file.write_text(json.dumps({"checkpoint": {"latest": {"resources": [stack]}}}))


def test_what_a_setting_opens_and_closes_is_said_before_the_update(workspace: Workspace) -> None:
    record(workspace, "orders", "invoices")
    workspace.prepare({}, ['topics=["orders", "returns"]'])
    assert changes(workspace, dict(os.environ)) == ["new: topic returns", "gone: topic invoices"]


def test_nothing_is_said_of_a_new_stack_or_of_what_stays(workspace: Workspace) -> None:
    workspace.prepare({}, [])
    assert changes(workspace, dict(os.environ)) == []
    record(workspace, "orders")
    assert changes(workspace, dict(os.environ)) == []


def test_a_program_that_fails_is_left_to_the_engine_to_report(workspace: Workspace) -> None:
    record(workspace, "orders")
    (workspace.program / "__main__.py").write_text("raise RuntimeError('no')\n")
    workspace.prepare({}, [])
    assert changes(workspace, dict(os.environ)) == []
