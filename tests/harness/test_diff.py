"""The command line: a program at a git ref and now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.program

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


def harness(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    command = [sys.executable, "-m", "harness", *arguments, "--cwd", str(directory)]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


def diff(directory: Path, *stacks: str, against: str = "HEAD") -> subprocess.CompletedProcess[str]:
    words = [word for stack in stacks or ("dev",) for word in ("--stack", stack)]
    return harness(directory, "diff", "--against", against, *words)


def git(directory: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose only commit is the program with port 80 and 16 characters."""
    (tmp_path / "Pulumi.yaml").write_text("name: demo\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM.format(length=16, port=80))
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


def test_an_unchanged_program_changes_nothing(repository: Path) -> None:
    result = diff(repository)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "### Stack `dev` against `HEAD`\n\nNo resource changes.\n"


def test_what_changed_is_a_table_with_the_fields_below(repository: Path) -> None:
    (repository / "__main__.py").write_text(PROGRAM.format(length=20, port=81))
    result = diff(repository)
    assert result.returncode == 0, result.stderr
    assert "| update | `kubernetes:core/v1:Service` | `web` |" in result.stdout
    assert "! spec.ports[0].port: 80 => 81" in result.stdout or "spec.ports[80]" in result.stdout
    assert "| replace | `kubernetes:core/v1:Secret` | `secret` |" in result.stdout
    assert "! port: 80 => 81" in result.stdout
    assert "! stringData: [secret] => [secret]\n! stringData cannot change in place" in result.stdout


def test_a_program_imports_what_lay_beside_it_then(repository: Path) -> None:
    git(repository, "rm", "--quiet", "--cached", "__main__.py")
    (repository / "parts.py").write_text("PORT = 80\n")
    (repository / "__main__.py").write_text("import parts\nimport pulumi\npulumi.export('port', parts.PORT)\n")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "second")
    (repository / "parts.py").write_text("PORT = 81\n")
    for stacks in (("dev",), ("dev", "test")):
        result = diff(repository, *stacks)
        assert result.stdout.count("! port: 80 => 81") == len(stacks), result.stdout


def test_a_stack_whose_settings_are_new_held_nothing_before(repository: Path) -> None:
    (repository / "Pulumi.new.yaml").write_text("config: {}\n")
    result = diff(repository, "new")
    assert result.returncode == 0, result.stderr
    assert "| create | `kubernetes:core/v1:Service` | `web` |" in result.stdout


def test_a_stack_that_fails_keeps_no_other_from_being_shown(repository: Path) -> None:
    (repository / "__main__.py").write_text(
        "import pulumi\nif pulumi.get_stack() == 'bad':\n    raise pulumi.RunError('no such thing')\n"
    )
    result = diff(repository, "bad", "dev")
    assert result.returncode == 1
    assert result.stderr == "error: the preview of stack bad failed; the document says why\n"
    assert "The preview failed:\n\n```\nthe program: no such thing\n```" in result.stdout
    assert "| delete | `kubernetes:core/v1:Service` | `web` |" in result.stdout


def test_what_a_program_prints_is_not_in_the_document(repository: Path) -> None:
    with (repository / "__main__.py").open("a") as program:
        program.write("print('hello')\n")
    result = diff(repository)
    assert "hello" not in result.stdout
    assert result.stderr == "hello\n"


def test_an_unknown_ref_is_named(repository: Path) -> None:
    result = diff(repository, against="nowhere")
    assert result.returncode == 1
    assert result.stderr.startswith("error: --against nowhere: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_folder_without_a_project_is_named(tmp_path: Path) -> None:
    result = harness(tmp_path, "preview", "--stack", "dev")
    assert result.returncode == 1
    assert (
        result.stderr
        == f"error: no Pulumi.yaml in {tmp_path}; run this in the project's folder or name it with --cwd\n"
    )


def test_a_preview_lists_resources_below_their_parents_and_outputs_without_secrets(repository: Path) -> None:
    (repository / "__main__.py").write_text(
        "import pulumi\n"
        "group = pulumi.ComponentResource('demo:index:Group', 'group')\n"
        "pulumi.ComponentResource('demo:index:Part', 'part', None, pulumi.ResourceOptions(parent=group))\n"
        "pulumi.export('port', 80)\n"
        "pulumi.export('token', pulumi.Output.secret('hunter2'))\n"
    )
    lines = ["pulumi:pulumi:Stack demo-dev", "  demo:index:Group group", "    demo:index:Part part", "3 resources"]
    result = harness(repository, "preview", "--stack", "dev", "--suppress-outputs")
    assert result.stdout.splitlines() == lines
    result = harness(repository, "preview", "--stack", "dev")
    assert result.stdout.splitlines() == [*lines, "Outputs:", "  port: 80", "  token: [secret]"]
