"""A pull request in a repository of its own, previewed as the workflow does it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tools.ci import comment
from tools.ci.preview import removal

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\w+) \| `(?:[\w.-]+:)*(?:\S+[/:])?(\w+)` \| `(\S+)` \|$", re.MULTILINE)
Git = Callable[..., None]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Run git in a repository whose branch ``main`` has this program, on a branch ``change``."""

    def run(*arguments: str) -> None:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    for path in (ROOT / "__main__.py", *ROOT.glob("Pulumi*")):
        shutil.copy(path, tmp_path)
    for name in ("components", "kafka_on_istio"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    run("init", "--quiet", "--initial-branch", "main")
    run("add", ".")
    run("commit", "--quiet", "--message", "first")
    run("switch", "--quiet", "--create", "change")
    return run


def preview(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "KUBECONFIG"))}
    command = [sys.executable, "-m", "tools.ci.preview", "--against", "main", "--cwd", str(repository), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def configure(repository: Path, **settings: object) -> None:
    file = repository / "Pulumi.dev.yaml"
    stack = yaml.safe_load(file.read_text())
    stack["config"] |= {f"kafka-on-istio:{key}": value for key, value in settings.items()}
    file.write_text(yaml.safe_dump(stack, sort_keys=False))


@pytest.mark.program
def test_a_pull_request_that_adds_a_service_shows_exactly_its_resources(tmp_path: Path, git: Git) -> None:
    declared = yaml.safe_load((tmp_path / "Pulumi.yaml").read_text())["config"]["services"]["default"]
    audit = {
        "name": "audit",
        "program": "preference",
        "versions": [{"name": "v1"}],
        "calls": [{"service": "recommendation", "method": "GET", "path": "/"}],
        "writes": "demo-application-log-audit",
    }
    configure(tmp_path, services=[*declared, audit])
    git("commit", "--quiet", "--all", "--message", "a service")
    # What happens on the base meanwhile is not the pull request's doing.
    git("switch", "--quiet", "main")
    configure(tmp_path, tracingSampling=50)
    git("commit", "--quiet", "--all", "--message", "meanwhile")
    git("switch", "--quiet", "change")

    result = preview(tmp_path)

    assert result.returncode == 0, result.stderr
    assert re.findall(r"^### (.+)$", result.stdout, re.MULTILINE) == ["Stack `dev` against `main`"]
    rows = ROW.findall(result.stdout)
    assert {(kind, name) for step, kind, name in rows if step == "create"} == {
        ("DemoService", "demo-audit"),
        ("Deployment", "demo-audit-audit-v1"),
        ("DestinationRule", "routes-destinationrule-demo-app-audit"),
        ("KafkaCredentials", "audit-writer-credentials"),
        ("KafkaTopic", "demo-application-log-audit"),
        ("KafkaTopic", "demo-application-log-audit-topic"),
        ("KafkaUser", "audit-writer"),
        ("KafkaUser", "audit-writer-user"),
        ("NetworkPolicy", "security-networkpolicy-demo-app-audit-v1-access"),
        ("RandomPassword", "audit-writer-password"),
        ("Secret", "audit-writer-credentials-secret"),
        ("Secret", "audit-writer-secret"),
        ("Service", "demo-audit-service"),
        ("ServiceAccount", "demo-audit-audit-v1-account"),
        ("Sidecar", "security-sidecar-demo-app-audit-v1"),
        ("VirtualService", "routes-virtualservice-demo-app-audit"),
    }
    # Who is called, and the brokers, let it in; no one else.
    assert {(kind, name) for step, kind, name in rows if step != "create" and not _is_component(kind)} == {
        ("AuthorizationPolicy", "security-authorizationpolicy-demo-app-recommendation"),
        ("AuthorizationPolicy", "security-authorizationpolicy-kafka-demo-app-log-cluster-kafka"),
        ("Kafka", "kafka-kafka"),
        ("NetworkPolicy", "security-networkpolicy-demo-app-recommendation-v1-access"),
        ("NetworkPolicy", "security-networkpolicy-demo-app-recommendation-v2-access"),
        ("NetworkPolicy", "security-networkpolicy-demo-app-recommendation-v3-access"),
        ("NetworkPolicy", "security-networkpolicy-kafka-demo-app-log-cluster-kafka-access"),
    }
    assert {step for step, _, _ in rows} == {"create", "update"}
    # What a reviewer reads first.
    head = result.stdout.partition("### ")[0].strip().splitlines()
    assert head == [
        "## Preview",
        "",
        "- `new: audit -> recommendation GET /`",
        "- `new: audit -> demo-app-log-cluster-kafka:9092`",
        "- `new: Kafka user audit-writer of audit`",
        "- `new: audit-writer may Create, Describe, Write topic demo-application-log-audit`",
        "- `new: topic demo-application-log-audit`",
        "- `new: workload audit v1 as cluster.local/ns/demo-app/sa/audit-v1`",
    ]
    kinds = [kind for _, kind, _ in rows]
    assert sorted(("Deployment", "NetworkPolicy", "AuthorizationPolicy", "KafkaUser"), key=kinds.index) == [
        "AuthorizationPolicy",
        "NetworkPolicy",
        "KafkaUser",
        "Deployment",
    ]
    assert len(comment.body(result.stdout, "https://example.com")) < 20_000


def _is_component(kind: str) -> bool:
    return kind in {"DemoApplication", "KafkaCluster", "MeshRoutes", "MeshSecurity"}


@pytest.mark.program
def test_a_pull_request_with_wrong_settings_says_so_and_fails(tmp_path: Path, git: Git) -> None:
    configure(tmp_path, tracingSampling=500)
    result = preview(tmp_path, "--output", str(tmp_path / "preview.md"))
    assert result.returncode == 1
    assert result.stderr == "error: the preview of stack dev failed; the document says why\n"
    assert "tracingSampling" in (tmp_path / "preview.md").read_text()


@pytest.mark.program
def test_the_stack_of_a_pull_request_has_settings_that_the_program_takes(tmp_path: Path, git: Git) -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "review.yml").read_text())
    (given,) = (
        step["with"]["config-map"] for step in workflow["jobs"]["up"]["steps"] if "command" in step.get("with", {})
    )
    values = {"${{ env.STACK }}": "pr-12", "${{ vars.PLATFORM_STACK }}": "acme/kafka-on-istio/platform"}
    settings = [f"{key}={values[setting['value']]}" for key, setting in yaml.safe_load(given).items()]
    shutil.copy(tmp_path / "Pulumi.test.yaml", tmp_path / "Pulumi.pr-12.yaml")
    command = [sys.executable, "-m", "harness", "preview", "--stack", "pr-12", "--cwd", str(tmp_path)]
    options = [word for setting in settings for word in ("--config", setting)]
    result = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "kafka-pr-12" in result.stdout


@pytest.mark.unit
def test_a_pull_request_that_touches_no_stack_leaves_an_empty_document(tmp_path: Path, git: Git) -> None:
    (tmp_path / "README.md").write_text("A change of words.\n")
    configure(tmp_path, tracingSampling=50)
    result = preview(tmp_path, "--without", "dev", "--output", str(tmp_path / "preview.md"))
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "preview.md").read_text() == ""


@pytest.mark.program
def test_a_pull_request_that_touches_everything_fits_into_a_comment(tmp_path: Path, git: Git) -> None:
    """Every policy of every stack changes, and every image."""
    for place, old, new in (
        ("kafka_on_istio/policies/manifests.py", '"action": "ALLOW"', '"action": "AUDIT"'),
        ("kafka_on_istio/settings/application.py", "services:0.", "services:9."),
    ):
        path = tmp_path / place
        assert old in path.read_text(), place
        path.write_text(path.read_text().replace(old, new))
    result = preview(tmp_path)
    assert result.returncode == 0, result.stderr
    text = comment.body(result.stdout, "https://example.com")
    assert len(text) <= comment.LIMIT
    assert "Cut short" not in text
    rows = [kind for _, kind, _ in ROW.findall(text)]
    assert rows.count("AuthorizationPolicy") > 20


@pytest.mark.unit
def test_a_stack_whose_settings_are_gone_is_said_to_be_there_still() -> None:
    text = removal("main", ["old"])
    assert text.startswith("### Stack `old` against `main`\n")
    assert "pulumi destroy --remove --stack old" in text
