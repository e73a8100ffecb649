"""Processes that outlive their starter."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from lab.processes import Process

pytestmark = pytest.mark.unit

BIN = Path("/bin")


@pytest.fixture
def sleeper(tmp_path: Path) -> Process:
    """A process that does nothing for a minute."""
    return Process("sleep", tmp_path, ("60",))


def test_a_process_is_found_again_and_stopped(sleeper: Process) -> None:
    sleeper.start(BIN)
    pid = sleeper.pid()
    assert pid is not None
    again = Process(sleeper.name, sleeper.folder, sleeper.arguments)
    again.start(BIN)
    assert again.pid() == pid
    again.stop()
    assert sleeper.pid() is None
    assert not Path(f"/proc/{pid}/fd").exists() or not os.listdir(f"/proc/{pid}/fd")


def test_a_process_that_was_killed_counts_as_ended(sleeper: Process) -> None:
    sleeper.start(BIN)
    os.kill(sleeper.pid() or 0, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while sleeper.pid() is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sleeper.pid() is None


def test_a_supervised_process_is_started_again_and_stopped_with_its_supervisor(tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    process = Process("sh", tmp_path, ("-c", f"echo $$ >>{lines}; sleep 0.2"), supervised=True)
    process.start(BIN)
    deadline = time.monotonic() + 10
    while (not lines.exists() or len(lines.read_text().split()) < 3) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.stop()
    found = lines.read_text().split()
    assert len(found) >= 3
    assert len(found) - 1 <= process.exits() <= len(found)
    time.sleep(1.5)
    assert lines.read_text().split() == found


def test_a_foreign_process_under_a_recorded_pid_is_left_alone(sleeper: Process) -> None:
    (sleeper.folder / "sleep.pid").write_text(str(os.getpid()))
    assert sleeper.pid() is None
    sleeper.stop()
