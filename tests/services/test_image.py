"""How the image is built and brought to a cluster, and what it holds."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from services import image
from services.image import IGNORED, ImageError, Machine, plan

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / image.DOCKERFILE).read_text()
NAME = "registry.example/services:1"


def words(machine: Machine, *, push: bool = False) -> list[str]:
    return [" ".join(command) for command in plan(machine, NAME, push=push).commands]


def test_docker_builds_and_tells_how_to_push_and_to_pin_the_digest() -> None:
    found = plan(Machine("docker"), NAME, push=False)
    assert words(Machine("docker")) == [f"docker build --file services/Dockerfile --tag {NAME} ."]
    said = "\n".join(found.advice)
    assert f"docker push {NAME}" in said
    digest = f"$(docker image inspect --format '{{{{index .RepoDigests 0}}}}' {NAME})"
    assert f'pulumi config set image "{digest}"' in said


def test_docker_loads_into_every_cluster_of_kind() -> None:
    machine = Machine("docker", ("one", "two"))
    assert words(machine)[1:] == [
        f"kind load docker-image {NAME} --name one",
        f"kind load docker-image {NAME} --name two",
    ]
    assert plan(machine, NAME, push=False).advice[-1] == f"  pulumi config set image {NAME}"


def test_podman_loads_into_kind_by_an_archive() -> None:
    build, save, load = words(Machine("podman", ("one",)))
    assert build == f"podman build --file services/Dockerfile --ignorefile {IGNORED} --tag {NAME} ."
    assert save.endswith(NAME)
    archive = save.split()[3]
    assert load == f"kind load image-archive {archive} --name one"


def test_a_push_is_asked_for() -> None:
    assert words(Machine("podman", ("one",)), push=True)[1:] == [f"podman push {NAME}"]


def test_without_an_engine_the_fix_is_told() -> None:
    with pytest.raises(ImageError, match="install docker or podman, or start docker's daemon"):
        plan(Machine(None, ("one",)), NAME, push=False)


def test_the_tag_changes_with_the_sources(tmp_path: Path) -> None:
    source = tmp_path / "one.py"
    source.write_text("1")
    first = image.tag([source])
    source.write_text("2")
    assert re.fullmatch("[0-9a-f]{12}", first)
    assert image.tag([source]) != first


def test_the_dockerfile_passes_the_linter() -> None:
    linter = Path(sys.executable).parent / "hadolint"
    result = subprocess.run([linter, ROOT / image.DOCKERFILE], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


def test_the_image_runs_as_a_fixed_user_that_is_not_root() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.*)$", final, re.MULTILINE) == ["10001:10001"]
    assert 'ENTRYPOINT ["/opt/services/bin/python", "-m", "services"]' in final


def test_the_image_is_built_from_bases_by_digest_and_packages_by_hash() -> None:
    lines = (ROOT / "services" / "Dockerfile").read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM")]
    assert bases
    assert all(re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", base) for base in bases)
    assert any("--require-hashes -r /build/requirements.lock" in line for line in lines)


def test_the_image_installs_packages_by_hash() -> None:
    entries = (ROOT / "services" / "requirements.lock").read_text().replace("\\\n", "").splitlines()
    hashes = [entry.count("--hash=sha256:") for entry in entries if not entry.startswith("#")]
    assert hashes
    assert all(hashes)


def test_what_the_services_import_is_in_their_requirements() -> None:
    script = "import pkgutil, importlib, sys, services\n"
    script += "for module in pkgutil.iter_modules(services.__path__):\n"
    script += "    if module.name != '__main__': importlib.import_module(f'services.{module.name}')\n"
    script += "print(*{module.partition('.')[0] for module in sys.modules})"
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = set(result.stdout.split())
    assert not imported & {"pulumi", "pydantic", "lightkube", "httpx2", "lab", "model", "components"}
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    required = " ".join(groups["services"])
    ours = {"aiohttp", "confluent_kafka", "msgspec", "orjson", "prometheus_client", "uvloop", "opentelemetry"}
    assert ours <= imported
    assert [name for name in ours if name.replace("_", "-") not in required] == []
