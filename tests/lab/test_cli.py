"""The lab's command line, from start to end, under a name of the test's own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.lab import ROOT, Lab
from tests.lab.conftest import eventually, remove, run_lab

pytestmark = pytest.mark.lab

NAME = f"test-cli-{os.getpid()}"
FOLDER = ROOT / ".lab" / NAME


@pytest.fixture(autouse=True, scope="module")
def clean() -> Iterator[None]:
    """Whatever a test leaves under the name is removed at the end."""
    yield
    remove(Lab(NAME))


def lab(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m lab``."""
    return run_lab(NAME, *arguments, **environment)


def pids() -> set[int]:
    """Return the lab's processes as recorded."""
    return {int(path.read_text()) for path in FOLDER.glob("*/*.pid")}


def containers() -> set[int]:
    """Return the first processes of the lab's containers."""
    return {int(path.read_text()) for path in FOLDER.glob("node/pods/*/containers/*/*/pid")}


def test_up_again_status_preview_call_report_and_down() -> None:
    first = lab("up")
    assert first.returncode == 0, first.stdout + first.stderr
    reply = re.search(
        r"^customer => preference => recommendation v[123] (\S+ )?from '\S+': 1$", first.stdout, re.MULTILINE
    )
    assert reply, first.stdout
    assert "make report" in first.stdout
    running, inside = pids(), containers()
    assert len(running) == 5

    again = lab("up")
    assert again.returncode == 0
    assert "no changes" in again.stdout
    assert pids() == running
    assert containers() == inside

    status = lab("status")
    assert status.returncode == 0, status.stdout
    assert re.search(r"^kafka/demo-app-log-cluster-combined-0 +yes +10\.", status.stdout, re.MULTILINE)

    preview = lab("preview", "--config", "tracingSampling=50")
    assert preview.returncode == 0
    assert "! spec.tracing[0].randomSamplingPercentage: 100 => 50" in preview.stdout

    call = lab("call")
    assert call.returncode == 0
    assert "customer => preference => recommendation" in call.stdout

    # Windows are of ten seconds in the lab's stack: a report is there within a minute of the first call.
    report = eventually(lambda: lab("report").stdout, 60).splitlines()
    assert all(re.fullmatch(r"\S+Z/\S+Z [A-Z]+:v\d:[A-Z]* \d+", line) for line in report)
    assert any(" CUSTOMER:v1:PREFERENCE " in line for line in report)

    logs = lab("logs", "customer", "--tail", "5")
    assert logs.returncode == 0
    assert "traceId" in logs.stdout

    exported = lab("pulumi", "stack", "export")
    assert json.loads(exported.stdout)["deployment"]["resources"], exported.stderr
    script = 'eval "$(python -m lab env --name $LAB)" && kubectl get namespace kafka -o name && pulumi stack ls --json'
    shell = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=ROOT,
        env={**os.environ, "LAB": NAME, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert shell.stdout.startswith("namespace/kafka\n"), shell.stderr
    assert '"name": "lab"' in shell.stdout

    down = lab("down")
    assert down.returncode == 0, down.stdout + down.stderr
    assert not FOLDER.exists()
    assert not any(Path(f"/proc/{pid}/cwd").exists() for pid in running | inside)

    twice = lab("down")
    assert twice.returncode == 0
    assert twice.stdout == f"lab {NAME}: not found\n"


def test_nothing_of_a_lab_that_was_killed_stays_after_down(binaries: Path) -> None:
    killed = Lab(NAME)
    killed.start(binaries, lambda _: None)
    for pid in pids():
        os.kill(pid, signal.SIGKILL)
    network = killed.network()
    down = lab("down")
    assert down.returncode == 0, down.stdout + down.stderr
    assert not FOLDER.exists()
    assert not network.exists()
    assert network.attachments() == []


def test_a_preview_without_a_lab_lists_what_up_would_create() -> None:
    result = lab("preview", "--config", "tracingSampling=50")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith(f"lab {NAME} is not running; make up would create:\n")
    assert "      kubernetes:apps/v1:Deployment demo-customer-customer-v1\n" in result.stdout
    assert not FOLDER.exists()
    refused = lab("preview", "--config", "tracingSampling=500")
    assert refused.returncode == 1
    assert "kafka-on-istio:tracingSampling = '500': must be from 0 to 100" in refused.stderr


@pytest.mark.parametrize(
    "command", [("refresh",), ("call",), ("report",), ("watch",), ("logs", "customer"), ("rotate", "x")]
)
def test_what_needs_a_running_lab_says_so(command: tuple[str, ...]) -> None:
    result = lab(*command)
    assert result.returncode == 1
    assert result.stderr == f"error: lab {NAME} is not running; start it with: make up\n"


def test_who_is_not_root_is_told_before_anything_starts() -> None:
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", NOT_ROOT]
    result = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert result.stdout == "user id 65534: root is required: each pod gets its own network namespace\n"


NOT_ROOT = """
from lab.cli import refuse_unprivileged
from lab.errors import LabError
try:
    refuse_unprivileged()
except LabError as error:
    print(error)
"""


def test_help_names_every_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "lab", "--help"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert all(
        word in result.stdout
        for word in (
            "up",
            "preview",
            "call",
            "report",
            "logs",
            "rotate",
            "watch",
            "refresh",
            "status",
            "pulumi",
            "env",
            "down",
        )
    )
