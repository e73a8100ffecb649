"""A lab's Pulumi workspace: the engine's copies of a program's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.errors import LabError
from lab.pulumi.engine import Engine
from lab.pulumi.workspace import Workspace, parse

pytestmark = pytest.mark.unit

PROJECT = {
    "name": "shop",
    "runtime": {"name": "python", "options": {"virtualenv": "venv"}},
    "config": {"replicas": {"type": "integer"}, "zone": {"type": "string"}, "limits": {"type": "object"}},
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    program = tmp_path / "program"
    program.mkdir()
    (program / "Pulumi.yaml").write_text(yaml.safe_dump(PROJECT))
    (program / "Pulumi.lab.yaml").write_text("config:\n  shop:replicas: 1\n  kubernetes:namespace: shop\n")
    (program / "__main__.py").write_text("")
    (program / "charts").mkdir()
    return Workspace(tmp_path / "lab", program, "lab", tmp_path / "kubeconfig")


def settings(workspace: Workspace) -> Any:
    return yaml.safe_load((workspace.directory / "Pulumi.lab.yaml").read_text())


def test_settings_for_good_and_for_one_run_are_set_over_those_of_the_stack(workspace: Workspace) -> None:
    workspace.prepare({"limits": {"cpu": 1}}, ["replicas=3"])
    wanted = {"shop:replicas": 3, "kubernetes:namespace": "shop", "shop:limits": {"cpu": 1}}
    assert settings(workspace)["config"] == wanted
    workspace.prepare({}, [])
    assert settings(workspace)["config"] == {"shop:replicas": 1, "kubernetes:namespace": "shop"}


def test_the_salt_of_the_engine_survives_and_the_program_is_untouched(workspace: Workspace) -> None:
    before = {path: path.read_bytes() for path in workspace.program.glob("*.*")}
    workspace.prepare({}, [])
    path = workspace.directory / "Pulumi.lab.yaml"
    path.write_text(f"encryptionsalt: v1:abc\n{path.read_text()}")
    workspace.prepare({}, ["replicas=2"])
    assert settings(workspace)["encryptionsalt"] == "v1:abc"
    assert {path: path.read_bytes() for path in workspace.program.glob("*.*")} == before


def test_relative_paths_of_the_program_lead_to_its_files(workspace: Workspace) -> None:
    workspace.prepare({}, [])
    assert (workspace.directory / "charts").resolve() == workspace.program / "charts"
    (workspace.program / "charts").rmdir()
    workspace.prepare({}, [])
    assert not (workspace.directory / "charts").is_symlink()


def test_one_stack_can_be_run_after_another(workspace: Workspace) -> None:
    (workspace.program / "Pulumi.dev.yaml").write_text("config:\n  shop:replicas: 5\n")
    workspace.prepare({}, [])
    dev = Workspace(workspace.folder, workspace.program, "dev", workspace.kubeconfig)
    dev.prepare({}, [])
    workspace.prepare({}, [])
    assert settings(workspace)["config"]["shop:replicas"] == 1
    assert yaml.safe_load((dev.directory / "Pulumi.dev.yaml").read_text())["config"] == {"shop:replicas": 5}


def test_only_the_owner_reads_settings_and_passphrase(workspace: Workspace) -> None:
    workspace.prepare({}, [])
    for path in (workspace.folder / "passphrase", workspace.directory / "Pulumi.lab.yaml"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_the_passphrase_of_the_users_own_stacks_is_not_the_labs(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "mine")
    environment = workspace.environment(Engine(Path("pulumi"), None))
    assert "PULUMI_CONFIG_PASSPHRASE" not in environment
    assert environment["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(workspace.folder / "passphrase")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("replicas=3", {"shop:replicas": 3}),
        ("replicas=many", {"shop:replicas": "many"}),
        ("zone=3", {"shop:zone": "3"}),
        ('limits={"cpu": 1}', {"shop:limits": {"cpu": 1}}),
        ("kubernetes:namespace=a=b", {"kubernetes:namespace": "a=b"}),
    ],
)
def test_a_value_is_of_the_declared_type(text: str, value: dict[str, Any]) -> None:
    assert parse(PROJECT, [text]) == value


def test_every_setting_without_a_value_is_named() -> None:
    with pytest.raises(LabError, match=r"--config replicas: must be key=value\n--config =3: must be key=value"):
        parse(PROJECT, ["replicas", "zone=a", "=3"])


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "no Pulumi.yaml; name the folder of a Pulumi program"),
        ("name: shop\nruntime: go\n", "name is 'shop' and runtime 'go'; the lab runs Python programs"),
        ("name: [", "not valid YAML"),
        ("- name", "contains list; must contain a map"),
    ],
)
def test_a_folder_without_a_python_program_is_refused(tmp_path: Path, content: str | None, fault: str) -> None:
    if content is not None:
        (tmp_path / "Pulumi.yaml").write_text(content)
    with pytest.raises(LabError, match=fault):
        Workspace(tmp_path / "lab", tmp_path, "lab", tmp_path / "kubeconfig").prepare({}, [])
