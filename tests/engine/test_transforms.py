"""Transforms reach what a chart holds, as with Pulumi's own engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.engine.testing import Program, ProgramFailedError
from lab.engine.urn import name_of

pytestmark = pytest.mark.engine

PROGRAM = """
import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap
from pulumi_kubernetes.helm.v4 import Chart

def marked(args):
    if args.type_ != "kubernetes:core/v1:ConfigMap":
        return None
    {body}

Chart("chart", chart="chart", name="release", opts=pulumi.ResourceOptions(transforms=[marked]))
ConfigMap("outside", metadata={{"name": "outside"}}, data={{"a": "b"}})
"""
MARKS = 'return pulumi.ResourceTransformResult(props={**args.props, "data": {"seen": args.name}}, opts=args.opts)'


def project(folder: Path, body: str) -> Program:
    """Write a program with a chart of two objects."""
    (folder / "Pulumi.yaml").write_text("name: transforms\nruntime: python\n")
    (folder / "__main__.py").write_text(PROGRAM.format(body=body))
    templates = folder / "chart" / "templates"
    templates.mkdir(parents=True)
    (folder / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: chart\nversion: 1.0.0\n")
    for kind in ("ConfigMap", "ServiceAccount"):
        text = f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: inside}}\n"
        (templates / f"{kind.lower()}.yaml").write_text(text)
    return Program(folder)


def test_a_transform_changes_what_is_below_its_resource_and_nothing_else(tmp_path: Path) -> None:
    preview = project(tmp_path, MARKS).preview()
    data = {name_of(item.urn): item.inputs.get("data") for item in preview.all("kubernetes:core/v1:ConfigMap")}
    assert data == {"chart:default/inside": {"seen": "chart:default/inside"}, "outside": {"a": "b"}}
    assert "data" not in preview.one("kubernetes:core/v1:ServiceAccount").inputs


def test_a_transform_that_fails_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailedError, match="no such thing"):
        project(tmp_path, 'raise ValueError("no such thing")').preview()
