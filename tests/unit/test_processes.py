"""Processes that outlive their starter."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from lab import certificates
from lab.control_plane import ControlPlane, free_ports
from lab.errors import LabError
from lab.lab import Lab
from lab.processes import Process

pytestmark = pytest.mark.unit


@pytest.fixture
def sleeper(tmp_path: Path) -> Process:
    """A process that does nothing for a minute."""
    return Process("sleeper", tmp_path, ("/bin/sleep", "60"))


def test_a_process_is_found_again_and_stopped(sleeper: Process) -> None:
    sleeper.start()
    pid = sleeper.pid()
    assert pid is not None
    again = Process(sleeper.name, sleeper.folder, sleeper.command)
    again.start()
    assert again.pid() == pid
    again.stop()
    assert sleeper.pid() is None
    assert not Path(f"/proc/{pid}/fd").exists() or not os.listdir(f"/proc/{pid}/fd")


def test_a_process_that_was_killed_counts_as_ended(sleeper: Process) -> None:
    sleeper.start()
    os.kill(sleeper.pid() or 0, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while sleeper.pid() is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sleeper.pid() is None


def test_a_supervised_process_is_started_again_and_stopped_with_its_supervisor(tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    process = Process("again", tmp_path, ("/bin/sh", "-c", f"echo $$ >>{lines}; sleep 0.2"), supervised=True)
    process.start()
    deadline = time.monotonic() + 10
    while (not lines.exists() or len(lines.read_text().split()) < 2) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.stop()
    found = lines.read_text().split()
    assert len(found) >= 2
    time.sleep(1.5)
    assert lines.read_text().split() == found


def test_a_foreign_process_under_a_recorded_pid_is_left_alone(sleeper: Process) -> None:
    (sleeper.folder / "sleeper.pid").write_text(str(os.getpid()))
    assert sleeper.pid() is None
    sleeper.stop()


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    port = free_ports()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(LabError, match=f"port {port} on 127.0.0.1 is in use .* --port"):
            ControlPlane(tmp_path / "lab", tmp_path, port).start()
    assert not (tmp_path / "lab").exists()


def test_a_command_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for name in ("etcd", "kube-apiserver", "kube-controller-manager"):
        (binaries / name).write_text("#!/bin/sh\necho no good >&2\nexit 1\n")
        (binaries / name).chmod(0o755)
    with pytest.raises(LabError, match="etcd ended: no good"):
        ControlPlane(tmp_path / "lab", binaries, free_ports()).start()


def test_keys_are_for_their_owner_alone_and_are_kept(tmp_path: Path) -> None:
    certificates.write(tmp_path / "certificates")
    files = {path: path.read_bytes() for path in (tmp_path / "certificates").iterdir()}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)
    certificates.write(tmp_path / "certificates")
    assert {path: path.read_bytes() for path in (tmp_path / "certificates").iterdir()} == files


@pytest.mark.parametrize("name", ["Lab", "charts", "a/b", "", "x" * 40])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="must be lower-case letters"):
        Lab(name, 16443)
