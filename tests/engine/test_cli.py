"""The engine's command line on programs that need no cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
PASSWORDS = """
    import pulumi
    import pulumi_random as random

    for name in pulumi.Config().require_object("names"):
        password = random.RandomPassword(name, length=20)
        pulumi.export(name, password.result)
    pulumi.export("count", len(pulumi.Config().require_object("names")))
"""
CONFIG = "config:\n  names: {type: array, items: {type: string}, default: [a, b]}\n"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a run: a folder of states, a passphrase, no cluster."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "KUBECONFIG"))}
    backend = {"PULUMI_BACKEND_URL": f"file://{tmp_path / 'states'}", "PULUMI_CONFIG_PASSPHRASE": "open sesame"}
    return {**inherited, **backend}


def write(folder: Path, source: str, *, name: str = "demo", config: str = CONFIG) -> None:
    """Write a project."""
    folder.mkdir(exist_ok=True)
    (folder / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\n{config}")
    (folder / "__main__.py").write_text(textwrap.dedent(source))


@pytest.fixture
def engine(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Run the engine on the project in the test's folder."""
    write(tmp_path / "project", PASSWORDS)

    def run(*arguments: str, project: str = "project", **changed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lab.engine", *arguments, "--stack", "dev", "--cwd", str(tmp_path / project)],
            cwd=ROOT,
            env={**environment, **changed},
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def state(tmp_path: Path) -> Path:
    """Return where the state is."""
    return tmp_path / "states" / ".pulumi" / "stacks" / "demo" / "dev.json"


def test_up_outputs_and_destroy(engine: Run, tmp_path: Path) -> None:
    up = engine("up", "--yes")
    assert up.returncode == 0, up.stderr
    assert "+ 3 created" in up.stdout
    assert "+ a: [secret]" in up.stdout
    assert engine("stack", "output", "count").stdout == "2\n"
    masked = json.loads(engine("stack", "output", "--json").stdout)
    assert masked == {"a": "[secret]", "b": "[secret]", "count": 2}
    shown = json.loads(engine("stack", "output", "--json", "--show-secrets").stdout)
    assert len(shown["a"]) == 20
    text = state(tmp_path).read_text()
    assert shown["a"] not in text
    assert state(tmp_path).stat().st_mode & 0o777 == 0o600
    destroy = engine("destroy", "--yes")
    assert destroy.returncode == 0, destroy.stderr
    assert "- 3 deleted" in destroy.stdout
    assert json.loads(engine("stack", "export").stdout)["deployment"]["resources"] == []


def test_the_exported_state_is_a_pulumi_deployment(engine: Run) -> None:
    engine("up", "--yes", "--skip-preview")
    exported = json.loads(engine("stack", "export").stdout)
    assert exported["version"] == 3
    deployment = exported["deployment"]
    assert deployment["secrets_providers"]["type"] == "passphrase"
    urns = [item["urn"] for item in deployment["resources"]]
    for item in deployment["resources"]:
        assert {"urn", "custom", "type"} <= set(item)
        needed = [item.get("parent"), *item.get("dependencies", [])]
        assert all(urns.index(urn) < urns.index(item["urn"]) for urn in needed if urn)


def test_only_what_changed_is_touched(engine: Run) -> None:
    engine("up", "--yes", "--skip-preview")
    before = json.loads(engine("stack", "output", "--json", "--show-secrets").stdout)
    changed = engine("up", "--yes", "--skip-preview", "--config", 'names=["b", "c"]')
    assert "+ 1 created" in changed.stdout
    assert "- 1 deleted" in changed.stdout
    after = json.loads(engine("stack", "output", "--json", "--show-secrets").stdout)
    assert set(after) == {"b", "c", "count"}
    assert after["b"] == before["b"]


def test_the_wrong_passphrase_opens_nothing(engine: Run) -> None:
    engine("up", "--yes", "--skip-preview")
    result = engine("up", "--yes", PULUMI_CONFIG_PASSPHRASE="wrong")
    assert result.returncode == 255
    assert "incorrect passphrase" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_missing_passphrase_is_said_before_anything_is_made(
    engine: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    del environment["PULUMI_CONFIG_PASSPHRASE"]
    result = subprocess.run(
        [sys.executable, "-m", "lab.engine", "up", "--yes", "--stack", "dev", "--cwd", str(tmp_path / "project")],
        cwd=ROOT, env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 255
    assert "no passphrase for the stack's secrets: set PULUMI_CONFIG_PASSPHRASE" in result.stderr
    assert not state(tmp_path).exists()


def test_a_damaged_state_is_named(engine: Run, tmp_path: Path) -> None:
    engine("up", "--yes", "--skip-preview")
    state(tmp_path).write_text("{")
    result = engine("preview")
    assert result.returncode == 255
    assert result.stderr.startswith(f"error: state file {state(tmp_path)}: not a Pulumi deployment")


def test_a_wrong_type_in_config_is_named(engine: Run) -> None:
    result = engine("preview", "--offline", "--config", "names=5")
    assert result.returncode == 255
    assert result.stderr == "error: demo:names: 5 is no array\n"


def test_an_exception_in_the_program_fails_the_run_with_its_traceback(engine: Run, tmp_path: Path) -> None:
    write(tmp_path / "project", "raise ValueError('boom')")
    result = engine("up", "--yes")
    assert result.returncode == 255
    assert "ValueError: boom" in result.stdout


def test_a_failed_resource_stops_the_run_and_the_next_one_goes_on(engine: Run, tmp_path: Path) -> None:
    source = """
        import pulumi_random as random
        import pulumi

        first = random.RandomPassword("first", length=20)
        second = random.RandomPassword("second", length={length}, opts=pulumi.ResourceOptions(depends_on=[first]))
        random.RandomPassword("third", length=20, opts=pulumi.ResourceOptions(depends_on=[second]))
    """
    write(tmp_path / "project", source.format(length=0))
    failed = engine("up", "--yes", "--skip-preview")
    assert failed.returncode == 255
    assert "second: length is 0: it must be a whole number, at least 1" in failed.stdout
    assert "Traceback" not in failed.stdout + failed.stderr
    write(tmp_path / "project", source.format(length=20))
    result = engine("up", "--yes", "--skip-preview")
    assert result.returncode == 0
    assert "+ 2 created" in result.stdout


def test_a_stack_reference_gives_the_other_stacks_outputs_and_keeps_its_secrets(engine: Run, tmp_path: Path) -> None:
    engine("up", "--yes", "--skip-preview")
    source = """
        import pulumi

        other = pulumi.StackReference("organization/demo/dev")
        pulumi.export("count", other.get_output("count"))
        pulumi.export("password", other.get_output("a"))
    """
    write(tmp_path / "reader", source, name="reader", config="")
    result = engine("up", "--yes", "--skip-preview", project="reader")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "+ count: 2" in result.stdout
    assert "+ password: [secret]" in result.stdout


def test_a_reference_to_no_stack_is_named(engine: Run, tmp_path: Path) -> None:
    write(tmp_path / "project", 'import pulumi\npulumi.StackReference("organization/nothing/dev")', config="")
    result = engine("preview")
    assert result.returncode == 255
    assert "StackReference organization/nothing/dev: no state at" in result.stdout


def test_an_interrupted_run_leaves_no_process_and_no_lock(
    engine: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    source = """
        import os, time
        import pulumi_random as random

        random.RandomPassword("a", length=20)
        print(f"pid {os.getpid()}", flush=True)
        time.sleep(60)
    """
    write(tmp_path / "project", source)
    command = [sys.executable, "-m", "lab.engine", "up", "--yes", "--skip-preview", "--stack", "dev"]
    with subprocess.Popen(
        [*command, "--cwd", str(tmp_path / "project")],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        line = next(line for line in process.stdout if line.startswith("pid "))
        time.sleep(0.2)
        busy = engine("up", "--yes")
        assert busy.returncode == 255
        assert f"stack dev: another run (process {process.pid}) is changing it" in busy.stderr
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in complaint
    assert "Traceback" not in complaint
    assert not Path(f"/proc/{int(line.split()[1])}").exists()
    write(tmp_path / "project", PASSWORDS)
    assert engine("up", "--yes", "--skip-preview").returncode == 0
