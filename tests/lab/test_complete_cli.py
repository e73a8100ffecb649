"""What only a complete Pulumi CLI can run, with its language host for Python: the lab's own CLI has none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.lab import ROOT
from tests.lab.conftest import Cluster

MISSING = [command for command in ("pulumi", "pulumi-language-python") if shutil.which(command) is None]

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(MISSING), reason=f"no complete Pulumi CLI on PATH: {', '.join(MISSING)} missing"),
]


def pulumi(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the CLI with a backend of the test's own."""
    backend = {
        "PULUMI_BACKEND_URL": f"file://{folder}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    return subprocess.run(
        ["pulumi", *arguments],
        cwd=ROOT,
        env=os.environ | backend | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def test_the_cli_gets_the_schema_of_the_plugin(tmp_path: Path) -> None:
    result = pulumi(tmp_path, "package", "get-schema", "./plugin")
    assert result.returncode == 0, result.stderr
    published = json.loads((ROOT / "plugin" / "schema.json").read_text(encoding="utf-8"))
    schema = json.loads(result.stdout)
    assert {key: schema[key] for key in ("name", "version", "resources", "types")} == {
        key: published[key] for key in ("name", "version", "resources", "types")
    }


def test_the_cli_previews_the_lab_with_the_policy_pack(tmp_path: Path, cluster: Cluster) -> None:
    stack = tmp_path / "Pulumi.lab.yaml"
    shutil.copy(ROOT / "Pulumi.lab.yaml", stack)
    here = ("--stack", "organization/kafka-on-istio/lab", "--config-file", str(stack), "--non-interactive")
    created = pulumi(tmp_path, "stack", "init", "organization/kafka-on-istio/lab")
    assert created.returncode == 0, created.stderr
    result = pulumi(tmp_path, "preview", "--policy-pack", "policies", *here, KUBECONFIG=str(cluster.kubeconfig))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "kafka-on-istio" in result.stdout.partition("Policies:")[2]
