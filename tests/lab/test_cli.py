"""The lab's command line, from start to end, under a name and ports of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.control_plane import free_ports
from lab.lab import ROOT

pytestmark = pytest.mark.lab

NAME = f"test-{os.getpid()}"


def lab(*arguments: str, port: int, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m lab``."""
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments, "--name", NAME, "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A free port; whatever a test leaves under the name is removed at the end."""
    found = free_ports()
    yield found
    lab("down", "--force", port=found)
    (ROOT / ".lab" / f"{NAME}.lock").unlink(missing_ok=True)


def pids() -> list[int]:
    """Return the lab's processes as recorded."""
    return [int(path.read_text()) for path in (ROOT / ".lab" / NAME / "control-plane").glob("*.pid")]


def test_up_status_preview_and_down(port: int) -> None:
    first = lab("up", port=port)
    assert first.returncode == 0, first.stdout + first.stderr
    running = pids()
    assert len(running) == 3

    status = lab("status", port=port)
    assert status.returncode == 0
    assert f"https://127.0.0.1:{port}" in status.stdout
    assert "stack: 1" in status.stdout

    again = lab("up", port=port)
    assert again.returncode == 0
    assert "created" not in again.stdout
    assert pids() == running

    preview = lab("preview", "--config", "tracingSampling=50", port=port)
    assert preview.returncode == 0
    assert "observability-telemetry update" in preview.stdout

    down = lab("down", port=port)
    assert down.returncode == 0, down.stdout + down.stderr
    assert not (ROOT / ".lab" / NAME).exists()
    assert not any(Path(f"/proc/{pid}/cwd").exists() for pid in running)

    twice = lab("down", port=port)
    assert twice.returncode == 0
    assert twice.stdout == f"lab {NAME}: there is none\n"


def test_what_needs_a_running_lab_says_so(port: int) -> None:
    result = lab("refresh", port=port)
    assert result.returncode == 1
    assert result.stderr == f"error: lab {NAME} is not running; start it with: make up\n"


def test_the_real_pulumi_is_asked_for_where_it_is_missing(port: int) -> None:
    result = lab("up", "--engine", "pulumi", port=port, PATH="/nonexistent:/usr/bin:/bin")
    assert result.returncode == 1
    assert "--engine pulumi: pulumi is not on PATH" in result.stderr
    assert "Traceback" not in result.stderr


def test_help_names_every_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "lab", "--help"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert all(word in result.stdout for word in ("up", "preview", "refresh", "status", "down"))
