"""Which Pulumi engine runs the lab's programs: the one on PATH, with its plugins or the lab's, or the lab's own."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from lab.pulumi import engine

pytestmark = pytest.mark.unit


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CLI and a provider in place of those that are built."""
    cli, provider = tmp_path / "built" / "pulumi", tmp_path / "built" / "pulumi-resource-kubernetes"
    monkeypatch.setattr(engine, "pulumi", lambda *_: cli)
    monkeypatch.setattr(engine, "kubernetes_provider", lambda *_: provider)
    return cli


def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str, *, fetches: bool) -> Path:
    """Put a CLI on PATH that has a version, and can fetch plugins or not."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "pulumi"
    script.write_text(f'#!/bin/sh\n[ "$1" = version ] && echo {number} && exit 0\nexit {0 if fetches else 1}\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return script


def test_without_a_cli_the_lab_builds_one_with_its_plugins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: Path
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    found = engine.find(tmp_path / "home", lambda _: None)
    assert found == engine.Engine(built, tmp_path / "home")
    plugins = tmp_path / "home" / "plugins"
    kubernetes = plugins / f"resource-kubernetes-v{version('pulumi_kubernetes')}" / "pulumi-resource-kubernetes"
    random = plugins / f"resource-random-v{version('pulumi_random')}" / "pulumi-resource-random"
    assert kubernetes.readlink() == built.parent / "pulumi-resource-kubernetes"
    assert "lab.pulumi.random_provider" in random.read_text()


def test_a_cli_on_path_that_fetches_its_plugins_is_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: Path
) -> None:
    script = on_path(tmp_path, monkeypatch, "v3.300.1", fetches=True)
    assert engine.find(tmp_path / "home", lambda _: None) == engine.Engine(script, None)
    assert not (tmp_path / "home").exists()


def test_a_cli_that_cannot_fetch_plugins_gets_those_of_the_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: Path
) -> None:
    script = on_path(tmp_path, monkeypatch, "v3.300.1", fetches=False)
    assert engine.find(tmp_path / "home", lambda _: None) == engine.Engine(script, tmp_path / "home")


@pytest.mark.parametrize("number", ["v3.204.9", "3.9.0", "none"])
def test_a_cli_that_is_too_old_is_named_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: Path, number: str
) -> None:
    on_path(tmp_path, monkeypatch, number, fetches=True)
    said: list[str] = []
    assert engine.find(tmp_path / "home", said.append).command == built
    assert len(said) == 1
    assert "older than 3.205.0; using the lab's own" in said[0]


def test_the_automation_api_is_told_where_the_cli_is_unless_it_finds_it_on_path() -> None:
    assert engine.Engine(Path("/cache/pulumi/bin/pulumi"), None).root == "/cache/pulumi"
    assert engine.Engine(Path("/home/me/.pulumi/pulumi"), None).root == ""
