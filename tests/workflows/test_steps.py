"""Steps of the workflows that are small programs, run with stand-ins for the commands that need GitHub or a stack."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program import summary
from tests.workflows.conftest import ROOT, script, workflow
from tools.documentation import plugin
from tools.documentation.generated import PLACES

pytestmark = pytest.mark.unit

Run = Callable[..., subprocess.CompletedProcess[str]]

SETTINGS = [f"Pulumi.{stack}.yaml" for stack in ("dev", "openshift", "prod", "test")]
GENERATED = [
    *PLACES,
    str(plugin.SCHEMA.relative_to(ROOT)),
    *(str((summary.GOLDEN / f"{stack}.txt").relative_to(ROOT)) for stack in summary.STACKS),
]
IMAGE = f"ghcr.io/owner/services@sha256:{'0a' * 32}"
BRANCH = f"image-{'0a' * 6}"


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """What the stand-ins were called with, a line each."""
    return tmp_path / "calls"


def stand_in(tmp_path: Path, name: str, body: str) -> None:
    file = tmp_path / "bin" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path / "calls"}\n{body}\n')
    file.chmod(0o755)


def step(folder: Path, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a step's script as a runner does."""
    path = f"{folder.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", text],
        cwd=folder,
        env={**os.environ, **environment, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with the settings of stacks and all that is generated from them, each with one line."""
    folder = tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch", "main", "origin")
    git(tmp_path, "clone", "--quiet", "origin", "clone")
    for name in (*SETTINGS, *GENERATED):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("before\n")
    git(folder, "switch", "--quiet", "--create", "main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    git(folder, "push", "--quiet", "origin", "main")
    return folder


def test_a_hostile_branch_cannot_have_a_stack_previewed_that_is_not_to_be(clone: Path) -> None:
    """The job checks out the base, where alone the code that computes the stacks comes from."""
    for name in ("command.py", "stacks.py"):
        (clone / "tools" / "ci").mkdir(parents=True, exist_ok=True)
        (clone / "tools" / "ci" / name).write_text((ROOT / "tools" / "ci" / name).read_text())
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message", "base")
    git(clone, "switch", "--quiet", "--create", "hostile")
    (clone / "tools" / "ci" / "stacks.py").write_text("print('[\"prod\"]')\n")
    (clone / "sitecustomize.py").write_text("raise SystemExit('run')\n")
    (clone / "Pulumi.dev.yaml").write_text("after\n")
    (clone / "Pulumi.prod.yaml").write_text("after\n")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message", "hostile")
    head = git(clone, "rev-parse", "HEAD").strip()
    git(clone, "switch", "--quiet", "main")
    output = clone.parent / "output"
    result = step(
        clone,
        script("preview", "stacks", "Stacks that the change touches"),
        HEAD=head,
        LIVE="dev openshift",
        GITHUB_OUTPUT=str(output),
    )
    assert result.returncode == 0, result.stderr
    assert output.read_text() == 'live=["dev"]\n'
    (checkout,) = (
        item["with"] for item in workflow("preview")["jobs"]["stacks"]["steps"] if "checkout" in item.get("uses", "")
    )
    assert checkout["ref"] == "${{ github.event.pull_request.base.sha }}"


def publish(folder: Path, *, pulls: int) -> subprocess.CompletedProcess[str]:
    """Run the step that makes the pull request, where that many are there for the branch."""
    stand_in(folder.parent, "gh", f'if [ "$1 $2" = "pr list" ]; then echo {pulls}; fi')
    return step(folder, script("publish", "config", "Pull request"), IMAGE=IMAGE)


def change(folder: Path) -> None:
    for name in (*SETTINGS, *GENERATED):
        (folder / name).write_text("after\n")


def created(calls: Path) -> int:
    return calls.read_text().count("gh pr create") if calls.exists() else 0


def test_the_pull_request_of_an_image_has_all_that_is_generated_from_stacks(clone: Path, calls: Path) -> None:
    change(clone)
    result = publish(clone, pulls=0)
    assert result.returncode == 0, result.stderr
    named = git(clone, "diff", "--name-only", "main", f"origin/{BRANCH}").splitlines()
    assert sorted(named) == sorted({*SETTINGS, *GENERATED})
    assert created(calls) == 1
    assert f"--head {BRANCH}" in calls.read_text()


def test_an_image_that_the_stacks_run_already_makes_no_pull_request(clone: Path, calls: Path) -> None:
    assert publish(clone, pulls=0).returncode == 0
    assert created(calls) == 0
    assert BRANCH not in git(clone, "ls-remote", "origin")


@pytest.mark.parametrize(("pulls", "expected"), [(1, 1), (0, 2)])
def test_a_run_that_is_started_again_does_what_is_missing(pulls: int, expected: int, clone: Path, calls: Path) -> None:
    change(clone)
    assert publish(clone, pulls=0).returncode == 0
    pushed = git(clone, "ls-remote", "origin", BRANCH)
    git(clone, "switch", "--quiet", "main")
    git(clone, "branch", "--quiet", "-D", BRANCH)
    change(clone)
    result = publish(clone, pulls=pulls)
    assert result.returncode == 0, result.stderr
    assert git(clone, "ls-remote", "origin", BRANCH) == pushed
    assert created(calls) == expected


def test_what_is_generated_is_made_anew_for_the_image() -> None:
    words = [
        line.split() for line in script("publish", "config", "Settings, and what is generated from them").splitlines()
    ]
    called = [line[2:] for line in words if line[:2] == [".venv/bin/python", "-m"]]
    stacks = [name.split(".")[1] for name in SETTINGS]
    assert called == [["tools.ci.image", '"$IMAGE"', *stacks], ["tests.program.summary"], ["tools.documentation"]]


@pytest.mark.parametrize(
    ("stacks", "is_destroyed"),
    [(["dev", "pr-12"], True), (["acme/kafka-on-istio/pr-12"], True), (["dev", "pr-1", "pr-123"], False), ([], False)],
)
def test_a_stack_that_another_run_removed_is_not_destroyed_again(
    stacks: list[str], is_destroyed: bool, tmp_path: Path, calls: Path
) -> None:
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / "Pulumi.test.yaml").write_text("config: {}\n")
    listed = json.dumps([{"name": name} for name in stacks])
    stand_in(tmp_path, "pulumi", f"if [ \"$1 $2\" = 'stack ls' ]; then echo '{listed}'; fi")
    result = step(tmp_path / "clone", script("review", "down", "Destroy and remove"), STACK="pr-12")
    assert result.returncode == 0, result.stderr
    destroyed = [line.split() for line in calls.read_text().splitlines() if line.startswith("pulumi destroy")]
    assert len(destroyed) == is_destroyed
    assert all({"--yes", "--remove", "--non-interactive"} <= {*line} and line[-1] == "pr-12" for line in destroyed)


def test_a_stack_is_not_taken_for_removed_because_it_could_not_be_looked_for(tmp_path: Path) -> None:
    (tmp_path / "clone").mkdir()
    stand_in(tmp_path, "pulumi", "exit 1")
    assert step(tmp_path / "clone", script("review", "down", "Destroy and remove"), STACK="pr-12").returncode != 0
