"""The configuration of the tools around the repository fits what is in it."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from typing import Any

import pytest
import uv
import yaml

from tools.documentation.generated import ROOT
from tools.documentation.links import targets

pytestmark = pytest.mark.unit

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RENOVATE = json.loads((ROOT / "renovate.json").read_text(encoding="utf-8"))
GROUPS = {
    "pulumi": "Pulumi",
    "pulumi-kubernetes": "Pulumi",
    "pulumi_policy": "Pulumi",
    "pulumi/pulumi": "Pulumi",
    "istiod": "Istio",
    "istio.io/istio": "Istio",
    "quay.io/strimzi-helm/strimzi-kafka-operator": "Strimzi",
    "io.strimzi:crd-generator": "Strimzi",
    "org.apache.kafka:kafka-tools": "Kafka",
}


def places(manager: dict[str, Any]) -> list[str]:
    patterns = [re.compile(pattern.strip("/")) for pattern in manager["managerFilePatterns"]]
    globs = ("*.yaml", "kafka_on_istio/**/*.py", "lab/**/*.py", "lab/**/*.yaml", ".github/**/*.yml")
    files = [path for pattern in globs for path in ROOT.glob(pattern)]
    names = [str(path.relative_to(ROOT)) for path in files]
    found = [name for name in names if any(pattern.search(name) for pattern in patterns)]
    assert all(any(pattern.search(name) for name in found) for pattern in patterns)
    return found


@pytest.mark.parametrize("manager", RENOVATE["customManagers"], ids=lambda manager: manager["description"])
def test_each_pattern_of_renovate_finds_a_version_and_each_file_has_one(manager: dict[str, Any]) -> None:
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in places(manager)}
    patterns = [re.compile(pattern.replace("(?<", "(?P<")) for pattern in manager["matchStrings"]]
    for pattern in patterns:
        assert any(pattern.search(text) for text in texts.values()), pattern.pattern
    for name, text in texts.items():
        versions = [found["currentValue"] for pattern in patterns for found in pattern.finditer(text)]
        assert versions, name


@pytest.mark.parametrize("package", GROUPS)
def test_what_goes_together_is_one_change(package: str) -> None:
    def matches(pattern: str) -> bool:
        return bool(re.search(pattern[1:-1], package)) if pattern.startswith("/") else pattern == package

    named = [rule for rule in RENOVATE["packageRules"] if "groupName" in rule]
    found = [rule["groupName"] for rule in named if any(map(matches, rule["matchPackageNames"]))]
    assert found == [GROUPS[package]]


def test_renovate_moves_the_cli_of_the_workflows_together_with_the_sdk() -> None:
    action = ".github/actions/program/action.yml"
    (manager,) = [item for item in RENOVATE["customManagers"] if item.get("depNameTemplate") == "pulumi/pulumi"]
    assert action in places(manager)
    (pattern,) = manager["matchStrings"]
    (version,) = re.findall(pattern.replace("(?<", "(?P<"), (ROOT / action).read_text(encoding="utf-8"))
    assert f"pulumi=={version}" in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert GROUPS[manager["depNameTemplate"]] == "Pulumi"


def test_the_workflows_use_the_uv_of_the_project() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / ".github").rglob("*.yml")]
    pins = {pin for text in texts for pin in re.findall(r"uv==[\d.]+", text)}
    assert pins == {pin for pin in PROJECT["dependency-groups"]["dev"] if pin.startswith("uv==")}


@pytest.mark.parametrize("name", ["requirements.txt", "services/requirements.lock"])
def test_a_requirements_file_is_what_uv_exports_from_the_lock(name: str) -> None:
    """The file names its own command in its second line."""
    written = (ROOT / name).read_text(encoding="utf-8")
    command = written.splitlines()[1].removeprefix("#").split()
    assert command[:2] == ["uv", "export"]
    assert command[-2:] == ["--output-file", name]
    export = [uv.find_uv_bin(), *command[1:-2], "--offline"]
    result = subprocess.run(export, cwd=ROOT, capture_output=True, text=True, check=True)
    assert packages(result.stdout) == packages(written)


def packages(requirements: str) -> list[str]:
    return [line for line in requirements.splitlines() if not line.startswith("#")]


def test_the_lock_fits_the_project_and_names_the_public_index_only() -> None:
    check = [uv.find_uv_bin(), "lock", "--check", "--offline"]
    assert subprocess.run(check, cwd=ROOT, capture_output=True, check=False).returncode == 0, "run make lock"
    locked = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    sources = [package["source"] for package in locked if package["name"] != PROJECT["project"]["name"]]
    assert {tuple(source) for source in sources} == {("registry",)}
    assert len({source["registry"] for source in sources}) == 1


def test_hooks_before_a_commit_check_what_lint_checks() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    entries = [hook["entry"] for hook in hooks]
    lint = re.search(r"^lint:.*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert lint
    for line in lint[1].splitlines():
        assert any(line.strip() in entry for entry in entries), line


def test_the_devcontainer_has_the_python_of_the_project_and_sets_itself_up() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    required = PROJECT["project"]["requires-python"]
    assert container["image"].rpartition(":")[2].startswith(required.removeprefix(">="))
    assert container["postCreateCommand"].removeprefix("make ") in targets((ROOT / "Makefile").read_text("utf-8"))


def test_every_folder_has_its_row() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folders = {line.partition("/")[0] for line in listed.splitlines() if "/" in line}
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = "\n".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    # Whoever runs the tests for us, of which nobody else needs to know.
    assert sorted(name for name in folders - {".ci"} if f"`{name}/" not in table) == []
