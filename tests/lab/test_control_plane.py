"""The control plane as its users and its neighbours see it."""

from __future__ import annotations

import os
import signal
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from lab.binaries.build import build
from lab.processes import Process
from tests.lab.conftest import eventually

pytestmark = pytest.mark.lab


def ask(url: str, authority: str, certificate: tuple[str, str] | None = None) -> int:
    """Return the status of a GET."""
    context = ssl.create_default_context(cafile=authority)
    if certificate:
        context.load_cert_chain(*certificate)
    try:
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_only_its_owner_reads_the_lab_s_keys(cluster: Any) -> None:
    folder = cluster.plane.folder
    assert folder.stat().st_mode & 0o077 == 0
    private = [cluster.kubeconfig, *(folder / "certificates").iterdir()]
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def test_who_shows_no_certificate_is_turned_away(cluster: Any) -> None:
    authority = str(cluster.plane.folder / "certificates" / "ca.crt")
    assert ask(f"{cluster.plane.address}/api/v1/namespaces", authority) == 401


def test_rights_are_checked(cluster: Any) -> None:
    certificates = cluster.plane.folder / "certificates"
    own = (
        str(certificates / "kube-controller-manager.crt"),
        str(certificates / "kube-controller-manager.key"),
    )
    authority = str(certificates / "ca.crt")
    assert ask(f"{cluster.plane.address}/api/v1/namespaces", authority, own) == 200
    assert ask(f"{cluster.plane.address}/api/v1/namespaces/default/pods/x/proxy/", authority, own) == 403


def test_etcd_takes_nobody_without_a_certificate(cluster: Any) -> None:
    authority = str(cluster.plane.folder / "certificates" / "ca.crt")
    url = f"https://127.0.0.1:{cluster.plane.port + 1}/version"
    with pytest.raises((urllib.error.URLError, ssl.SSLError, ConnectionError)):
        ask(url, authority)
    certificates = cluster.plane.folder / "certificates"
    own = (str(certificates / "etcd-client.crt"), str(certificates / "etcd-client.key"))
    assert ask(url, authority, own) == 200


def children(process: Process) -> list[int]:
    """Return the processes that a supervised process's supervisor runs."""
    pid = process.pid()
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


@pytest.mark.parametrize("name", ["etcd", "kube-apiserver", "kube-controller-manager"])
def test_a_part_that_is_killed_is_started_again_with_what_it_knew(cluster: Any, name: str) -> None:
    cluster.kubectl("create", "namespace", "kept")
    (process,) = (one for one in cluster.plane.processes() if one.name == name)
    (killed,) = children(process)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: children(process) not in ([], [killed]))
    eventually(lambda: cluster.try_kubectl("get", "--raw=/readyz").returncode == 0)
    assert cluster.kubectl("get", "namespace", "kept", "-o", "name") == "namespace/kept\n"
    # Whoever ends what is in a namespace works on, too.
    cluster.kubectl("delete", "namespace", "kept", "--timeout=60s")


def test_the_next_start_replaces_a_supervisor_that_was_killed(cluster: Any) -> None:
    cluster.kubectl("create", "namespace", "kept")
    server = cluster.plane.processes()[1]
    os.kill(server.pid(), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while server.pid() is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    cluster.plane.start(build())
    assert cluster.kubectl("get", "namespace", "kept", "-o", "name") == "namespace/kept\n"
    cluster.kubectl("delete", "namespace", "kept", "--wait=false")


def test_starting_what_runs_changes_nothing(cluster: Any) -> None:
    before = [process.pid() for process in cluster.plane.processes()]
    cluster.plane.start(build())
    assert [process.pid() for process in cluster.plane.processes()] == before
