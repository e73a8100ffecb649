"""Which stacks a change touches."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.ci.stacks import Touched, base, touched, touched_since

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
FILES = ["Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml", "__main__.py", "kafka_on_istio/names.py"]


@pytest.mark.parametrize(
    ("changed", "present"),
    [
        ([], ()),
        (["README.md", "harness/program.py", "tests/kafka_on_istio/a.py", "docs/Pulumi.dev.yaml"], ()),
        (["Pulumi.dev.yaml", "README.md"], ("dev",)),
        (["Pulumi.yaml"], ("dev", "prod")),
        (["__main__.py"], ("dev", "prod")),
        (["components/kafka_user.py"], ("dev", "prod")),
        (["kafka_on_istio/names.py"], ("dev", "prod")),
        (["requirements.txt"], ("dev", "prod")),
    ],
)
def test_settings_touch_their_stack_and_the_program_touches_all(changed: list[str], present: tuple[str, ...]) -> None:
    assert touched(FILES, changed) == Touched(present, ())


def test_a_stack_whose_settings_went_is_told_apart() -> None:
    assert touched(FILES, ["Pulumi.old.yaml", "Pulumi.dev.yaml"]) == Touched(("dev",), ("old",))


@pytest.fixture
def git(tmp_path: Path) -> Callable[..., None]:
    def run(*arguments: str) -> None:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    for name in ("Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml", "Pulumi.old.yaml"):
        (tmp_path / name).write_text("config: {}\n")
    run("init", "--quiet", "--initial-branch", "main")
    run("add", ".")
    run("commit", "--quiet", "--message", "first")
    return run


def test_commits_the_working_tree_and_new_files_count_but_not_what_happened_on_the_base(
    tmp_path: Path, git: Callable[..., None]
) -> None:
    git("switch", "--quiet", "--create", "change")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {a: 1}\n")
    git("rm", "--quiet", "Pulumi.old.yaml")
    git("commit", "--quiet", "--all", "--message", "second")
    (tmp_path / "Pulumi.new.yaml").write_text("config: {}\n")
    git("switch", "--quiet", "main")
    (tmp_path / "Pulumi.prod.yaml").write_text("config: {a: 1}\n")
    git("commit", "--quiet", "--all", "--message", "meanwhile")
    git("switch", "--quiet", "change")
    assert touched_since(tmp_path, base(tmp_path, "main")) == Touched(("dev", "new"), ("old",))


def test_the_matrix_has_what_is_touched_and_asked_for(tmp_path: Path, git: Callable[..., None]) -> None:
    (tmp_path / "Pulumi.yaml").write_text("config: {a: 1}\n")
    command = [sys.executable, "-m", "tools.ci.stacks", "--against", "main", "--cwd", str(tmp_path), "--among"]
    result = subprocess.run([*command, "prod absent dev"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == ["dev", "prod"]
    result = subprocess.run([*command, ""], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_an_unknown_base_is_one_line(tmp_path: Path, git: Callable[..., None]) -> None:
    command = [sys.executable, "-m", "tools.ci.stacks", "--against", "nowhere", "--cwd", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("error: --against nowhere: ")
    assert len(result.stderr.splitlines()) == 1
