"""The difference between a program at a git ref and now."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
PROGRAM = """
import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_random as random

password = random.RandomPassword("password", length={length})
kubernetes.core.v1.Secret("secret", string_data={{"password": password.result}}, immutable=True)
kubernetes.core.v1.Service("web", metadata={{"name": "web"}}, spec={{"ports": [{{"port": {port}}}]}})
pulumi.export("port", {port})
"""


def engine(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the engine's command line without any cluster or state to go to."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "KUBECONFIG"))}
    return subprocess.run(
        [sys.executable, "-m", "lab.engine", *arguments, "--cwd", str(directory)],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose only commit is the program with port 80 and 16 characters."""

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "Pulumi.yaml").write_text("name: demo\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM.format(length=16, port=80))
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    return tmp_path


def test_an_unchanged_program_changes_nothing(repository: Path) -> None:
    result = engine(repository, "preview", "--offline", "--against", "HEAD", "--stack", "dev")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "### Stack `dev` against `HEAD`\n\nNo resource changes.\n"


def test_what_changed_is_a_table_with_the_properties_below(repository: Path) -> None:
    (repository / "__main__.py").write_text(PROGRAM.format(length=20, port=81))
    result = engine(repository, "preview", "--offline", "--against", "HEAD", "--stack", "dev")
    assert result.returncode == 0, result.stderr
    assert "| update | `kubernetes:core/v1:Service` | `web` |" in result.stdout
    assert "! spec.ports[0].port: 80 => 81" in result.stdout
    assert "| replace | `kubernetes:core/v1:Secret` | `secret` |" in result.stdout
    assert "! port: 80 => 81" in result.stdout
    assert "stringData.password: [secret] => [secret] [forces replacement]" in result.stdout


def test_a_stack_whose_settings_are_new_held_nothing_before(repository: Path) -> None:
    (repository / "Pulumi.new.yaml").write_text("config: {}\n")
    result = engine(repository, "preview", "--offline", "--against", "HEAD", "--stack", "new")
    assert result.returncode == 0, result.stderr
    assert "| create | `kubernetes:core/v1:Service` | `web` |" in result.stdout


def test_an_unknown_ref_is_named(repository: Path) -> None:
    result = engine(repository, "preview", "--offline", "--against", "nowhere", "--stack", "dev")
    assert result.returncode == 255
    assert result.stderr.startswith("error: --against nowhere: ")
    assert len(result.stderr.splitlines()) == 1


def test_against_needs_offline(repository: Path) -> None:
    result = engine(repository, "preview", "--against", "HEAD", "--stack", "dev")
    assert result.returncode == 255
    assert "needs --offline" in result.stderr


def test_a_folder_without_a_project_is_named(tmp_path: Path) -> None:
    result = engine(tmp_path, "preview", "--offline", "--stack", "dev")
    assert result.returncode == 255
    assert (
        result.stderr
        == f"error: no Pulumi.yaml in {tmp_path}; run this in the project's folder or name it with --cwd\n"
    )


def test_an_update_needs_a_backend_and_consent(repository: Path) -> None:
    result = engine(repository, "up", "--stack", "dev")
    assert "--yes must be passed in to proceed when running in non-interactive mode" in result.stderr
    result = engine(repository, "up", "--stack", "dev", "--yes")
    assert result.returncode == 255
    assert "PULUMI_BACKEND_URL is ''" in result.stderr
