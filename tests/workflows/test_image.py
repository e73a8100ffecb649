"""The digest of a published image in the settings of stacks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflows.conftest import ROOT
from tools.ci.image import with_image

pytestmark = pytest.mark.unit

IMAGE = f"ghcr.io/owner/name/services@sha256:{'0a' * 32}"
EARLIER = IMAGE.replace("0a", "0b")
STACKS = ("dev", "openshift", "prod", "test")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.ci.image", *arguments, "--cwd", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def others(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("  kafka-on-istio:image:")]


@pytest.mark.parametrize("earlier", [(), (EARLIER,)])
def test_the_shipped_settings_differ_by_the_image_alone(tmp_path: Path, earlier: tuple[str, ...]) -> None:
    for stack in STACKS:
        shutil.copy(ROOT / f"Pulumi.{stack}.yaml", tmp_path)
    for image in (*earlier, IMAGE):
        result = run(tmp_path, image, *STACKS)
        assert result.returncode == 0, result.stderr
    for stack in STACKS:
        before = (ROOT / f"Pulumi.{stack}.yaml").read_text()
        after = (tmp_path / f"Pulumi.{stack}.yaml").read_text()
        assert yaml.safe_load(after)["config"] == yaml.safe_load(before)["config"] | {"kafka-on-istio:image": IMAGE}
        assert others(after) == others(before)
        assert len(after.splitlines()) == len(others(after)) + 1


def test_the_next_image_takes_the_place_of_the_last() -> None:
    text = with_image("# a note\nconfig:\n  kafka-on-istio:cni: true\n", "a@sha256:1")
    assert text == "# a note\nconfig:\n  kafka-on-istio:image: a@sha256:1\n  kafka-on-istio:cni: true\n"
    assert with_image(text, "a@sha256:2") == text.replace("256:1", "256:2")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ghcr.io/owner/services:1.0.0", "dev"), "error: image ghcr.io/owner/services:1.0.0: must end in @sha256:"),
        ((IMAGE, "nowhere"), "error: stack nowhere: there is no "),
    ],
)
def test_a_fault_is_one_line_and_changes_nothing(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  a: b\n")
    result = run(tmp_path, *arguments)
    assert result.returncode == 2
    assert result.stderr.startswith(said)
    assert len(result.stderr.splitlines()) == 1
    assert (tmp_path / "Pulumi.dev.yaml").read_text() == "config:\n  a: b\n"
