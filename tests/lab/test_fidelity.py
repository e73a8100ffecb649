"""The harness against the real engine: what it says that a program registers is what the engine registers.

The engine previews on an API server without a node and with nothing on it, as the harness does on none. What is inside
charts the harness does not know, so that it is left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.graph import Graph
from harness.program import Program
from harness.recorded import from_preview, unlike
from lab.lab import ROOT
from lab.pulumi.engine import find
from lab.pulumi.workspace import Workspace
from tests.lab.conftest import Cluster

pytestmark = pytest.mark.lab

CHARTS = ("istioCharts", "strimziChart", "jaegerChart", "prometheusChart")
LOCAL: dict[str, Any] = {
    key.rpartition(":")[2]: value
    for key, value in yaml.safe_load((ROOT / "Pulumi.lab.yaml").read_text())["config"].items()
    if key.rpartition(":")[2] in CHARTS
}
"""The lab's charts, for the public ones are not in reach."""
ADDRESSES = {"apiServerAddresses": ["192.0.2.1/32"]}
"""What the program would read from the cluster, of which the harness has none."""


def previewed(cluster: Cluster, program: Path, stack: str, config: Mapping[str, Any]) -> Graph:
    """Return what the real engine would register of a stack that has nothing yet."""
    workspace = Workspace(cluster.states, program, stack, cluster.kubeconfig)
    workspace.prepare(config, ())
    engine = find(workspace.folder / "home", print)
    root = [str(engine.command.parent.parent)] if engine.home else []
    result = subprocess.run(
        [sys.executable, "-m", "tests.lab.previewed", str(program), stack, *root],
        cwd=workspace.directory,
        env={**os.environ, **workspace.environment(engine), "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
        timeout=290,
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
    return from_preview(json.loads(result.stdout))


@pytest.fixture
def kiali(tmp_path: Path) -> dict[str, Any]:
    """A chart without content in place of Kiali's, of which the lab has none."""
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: kiali-server\nversion: 1.0.0\n")
    return {"chart": str(tmp_path)}


@pytest.mark.parametrize("stack", ["lab", "dev", "prod"])
def test_the_harness_gives_what_the_engine_registers(cluster: Cluster, kiali: dict[str, Any], stack: str) -> None:
    config = {**LOCAL, **ADDRESSES, "kialiChart": kiali}
    theirs = previewed(cluster, ROOT, stack, config)
    ours = Program(ROOT).preview(stack=stack, config=config)
    assert unlike(ours, theirs) == []
    assert len(ours.resources) > 20


@pytest.mark.parametrize("example", ["adopt-cluster", "own-service"])
def test_the_harness_gives_what_the_engine_registers_of_an_example(cluster: Cluster, example: str) -> None:
    program = ROOT / "examples" / example
    theirs = previewed(cluster, program, "test", {})
    assert unlike(Program(program).preview(), theirs) == []
