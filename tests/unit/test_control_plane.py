"""A control plane that cannot start."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lab.control_plane import ControlPlane
from lab.errors import LabError
from lab.ports import free_ports

pytestmark = pytest.mark.unit


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    port = free_ports()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(LabError, match=f"port {port} on 127.0.0.1 is in use .* --network"):
            ControlPlane(tmp_path / "lab", port).start(tmp_path)
    assert not (tmp_path / "lab").exists()


def test_a_command_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for name in ("etcd", "kube-apiserver", "kube-controller-manager"):
        (binaries / name).write_text("#!/bin/sh\necho no good >&2\nexit 1\n")
        (binaries / name).chmod(0o755)
    plane = ControlPlane(tmp_path / "lab", free_ports())
    try:
        with pytest.raises(LabError, match="etcd ended: no good"):
            plane.start(binaries)
        assert [process.pid() for process in plane.processes()] == [None] * 3
    finally:
        plane.stop()
