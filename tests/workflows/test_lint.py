"""The workflows: without faults that linters find, with actions pinned, and calling what there is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab import cache
from lab.binaries.build import toolchain
from tests.workflows.conftest import ROOT, WORKFLOWS, load, workflow

pytestmark = pytest.mark.unit

MODULE = Path(__file__).parent / "actionlint"
TOOLS = Path(sys.executable).parent
PROGRAM = ROOT / ".github" / "actions" / "program" / "action.yml"


@pytest.fixture(scope="session")
def actionlint() -> Path:
    """Build actionlint from its Go module: the package of its name fetches it from where there may be no way to."""
    go = toolchain()

    def build(folder: Path) -> None:
        package = "github.com/rhysd/actionlint/cmd/actionlint"
        command = [go, "build", "-mod=readonly", "-o", str(folder / "actionlint"), package]
        subprocess.run(command, cwd=MODULE, env={**os.environ, "GOTOOLCHAIN": "local"}, check=True, capture_output=True)

    return cache.once(f"actionlint-{cache.key([], [MODULE / 'go.mod', MODULE / 'go.sum'])}", build) / "actionlint"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A repository that has the workflows and nothing else."""
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return tmp_path


def lint(actionlint: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run([actionlint], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def audit(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [TOOLS / "zizmor", "--offline", "--no-progress", "--strict-collection", "--quiet", "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def change(folder: Path, name: str, old: str, new: str) -> None:
    file = folder / ".github" / "workflows" / name
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_actionlint_finds_nothing(actionlint: Path) -> None:
    result = lint(actionlint, ROOT)
    assert result.returncode == 0, result.stdout


def test_actionlint_looks_at_expressions_and_at_inputs_of_the_own_action(actionlint: Path, copied: Path) -> None:
    change(copied, "drift.yml", "matrix.stack }}\n        run", "matrix.stak }}\n        run")
    change(copied, "drift.yml", "kubeconfig: $", "kubekonfig: $")
    result = lint(actionlint, copied)
    assert 'property "stak" is not defined' in result.stdout
    assert 'input "kubekonfig" is not defined' in result.stdout


def test_zizmor_finds_nothing() -> None:
    result = audit(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("name", "old", "new", "rule"),
    [
        ("test.yml", "@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7", "unpinned-uses"),
        ("comment.yml", " # zizmor: ignore[dangerous-triggers]", " #", "dangerous-triggers"),
        ("preview.yml", '"origin/$GITHUB_BASE_REF"', '"origin/${{ github.head_ref }}"', "template-injection"),
    ],
)
def test_zizmor_finds_what_is_put_in(copied: Path, name: str, old: str, new: str, rule: str) -> None:
    change(copied, name, old, new)
    result = audit(copied)
    assert result.returncode != 0
    assert f"[{rule}]" in result.stdout


def jobs() -> list[Any]:
    return [
        pytest.param(path.stem, name, job, id=f"{path.stem}-{name}")
        for path in WORKFLOWS
        for name, job in load(path)["jobs"].items()
    ]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_permissions_but_those_of_its_jobs(path: Path) -> None:
    assert load(path)["permissions"] == {}


@pytest.mark.parametrize(("workflow", "name", "job"), jobs())
def test_a_job_names_its_permissions_and_an_end(workflow: str, name: str, job: dict[str, Any]) -> None:
    assert job["permissions"]
    assert job["timeout-minutes"]


@pytest.mark.parametrize(("workflow", "name", "job"), jobs())
def test_a_job_that_changes_a_stack_is_alone_with_it_and_is_not_interrupted(
    workflow: str, name: str, job: dict[str, Any]
) -> None:
    changes = any(
        step.get("with", {}).get("command") == "up" or re.search(r"pulumi (up|destroy)", step.get("run", ""))
        for step in job["steps"]
    )
    group = job.get("concurrency", {}).get("group", "")
    assert changes == group.startswith("stack-")
    if changes:
        assert "cancel-in-progress" not in job["concurrency"]
        assert job["environment"]


@pytest.mark.parametrize(("workflow", "name", "job"), jobs())
def test_secrets_go_only_to_jobs_of_an_environment(workflow: str, name: str, job: dict[str, Any]) -> None:
    assert "environment" in job or "secrets." not in str(job)


def test_code_of_a_pull_request_meets_no_right_to_write_and_no_secret() -> None:
    offline = workflow("preview")["jobs"]["offline"]
    assert offline["permissions"] == {"contents": "read"}
    comment = workflow("comment")
    assert list(comment["on"]) == ["workflow_run"]
    (job,) = comment["jobs"].values()
    checkouts = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert [step["with"] for step in checkouts] == [{"persist-credentials": False}]
    assert [step["run"] for step in job["steps"] if "run" in step] == [
        'python3 -m tools.ci.comment "$RUNNER_TEMP/artifact/preview.md"'
    ]


def test_what_the_workflows_call_is_there() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (*WORKFLOWS, PROGRAM))
    modules = set(re.findall(r"python3? -m ((?:tools|tests|verify)[\w.]*)", text))
    assert modules >= {
        "tools.ci.comment",
        "tools.ci.image",
        "tools.ci.orphans",
        "tools.ci.preview",
        "tools.ci.stacks",
        "verify",
    }
    for module in modules:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
    for stack in re.findall(r"^\s+stack-name: (\w+)$", text, re.MULTILINE):
        assert (ROOT / f"Pulumi.{stack}.yaml").is_file()


def test_one_action_has_one_commit_everywhere() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (*WORKFLOWS, PROGRAM))
    pinned = set(re.findall(r"uses: ([^.\s]\S*@\S+ # v[\d.]+)$", text, re.MULTILINE))
    assert len(pinned) == len({line.partition("@")[0] for line in pinned})
    assert len(re.findall(r"uses: [^.\s]", text)) == len(re.findall(r"uses: \S+@[0-9a-f]{40} # v\d+\.\d+\.\d+\n", text))
