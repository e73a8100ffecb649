"""What another user of the machine, or who has got hold of a token of the lab, can do with the lab: attacks that fail."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.ids import COUNT
from tests.lab.conftest import System, eventually
from tests.lab.test_node import container, pod

pytestmark = pytest.mark.lab

NAMESPACE = "local-user"
IMAGE_USERS = (1001, 1337, 10001)
"""Whom the lab's images run as: on a machine of people, ids such as these are theirs."""


@pytest.fixture(scope="module")
def namespace(node: System) -> Iterator[System]:
    node.kubectl("create", "namespace", NAMESPACE)
    eventually(lambda: node.try_kubectl("-n", NAMESPACE, "get", "serviceaccount", "default").returncode == 0)
    yield node
    node.kubectl("delete", "namespace", NAMESPACE)


def apply(node: System, manifest: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    manifest["metadata"]["namespace"] = NAMESPACE
    return node.try_kubectl("-n", NAMESPACE, "apply", "-f", "-", text=json.dumps(manifest))


def run(node: System, name: str, script: str = "sleep 1000", spec: dict[str, Any] | None = None, **more: Any) -> int:
    """Run a pod, and return the id of its first process on this machine."""
    applied = apply(node, pod(name, container("main", script, **more), **(spec or {})))
    assert applied.returncode == 0, applied.stderr
    node.kubectl("-n", NAMESPACE, "wait", f"pod/{name}", "--for=condition=Ready", "--timeout=30s")
    uid = node.get("-n", NAMESPACE, "pod", name)["metadata"]["uid"]
    return int((node.lab.folder / "node" / "pods" / uid / "containers" / "main" / "0" / "pid").read_text())


def sh(node: System, name: str, script: str) -> str:
    return node.kubectl("-n", NAMESPACE, "exec", name, "--", "sh", "-c", script)


def delete(node: System, *names: str) -> None:
    node.kubectl("-n", NAMESPACE, "delete", "pod", *names, "--grace-period=1")


def as_user(number: int, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell as a user of this machine."""
    become = ["setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups"]
    return subprocess.run(
        [*become, "sh", "-c", script], cwd="/", capture_output=True, text=True, check=False, timeout=30
    )


@pytest.mark.parametrize("user", IMAGE_USERS)
def test_a_user_of_the_machine_reads_nothing_of_a_pod_of_the_same_id(namespace: System, user: int) -> None:
    name = f"secretive-{user}"
    process = run(
        namespace, name, "echo; sleep 1000", securityContext={"runAsUser": user}, env=[{"name": "S", "value": "1"}]
    )
    token = f"/proc/{process}/root/var/run/secrets/kubernetes.io/serviceaccount/token"
    assert Path(token).read_text()
    for attack in (f"cat {token}", f"cat /proc/{process}/environ", f"ls /proc/{process}/fd/", f"kill -0 {process}"):
        assert as_user(user, attack).returncode != 0, attack
    delete(namespace, name)


def test_root_of_a_container_is_nobody_on_the_machine(namespace: System) -> None:
    process = run(namespace, "rooted", securityContext={"runAsUser": 0})
    ids = namespace.lab.network().ids
    assert Path(f"/proc/{process}").stat().st_uid == ids.first
    assert sh(namespace, "rooted", "id -u").strip() == "0"
    # A program of root's that any user may run as root would be the way out.
    sh(namespace, "rooted", "cp /usr/bin/id /tmp/id && chmod 6755 /tmp/id")
    copied = Path(f"/proc/{process}/root/tmp/id")
    assert copied.stat().st_uid == ids.first
    delete(namespace, "rooted")


def test_pods_see_the_ids_that_they_are_given(namespace: System) -> None:
    spec = {"securityContext": {"fsGroup": 2000}, "volumes": [{"name": "scratch", "emptyDir": {}}]}
    mounts = [{"name": "scratch", "mountPath": "/scratch"}]
    process = run(namespace, "seen", spec=spec, securityContext={"runAsUser": 4242}, volumeMounts=mounts)
    said = sh(namespace, "seen", "id -u; id -G; touch /scratch/mine; stat -c '%u:%g' /scratch/mine /scratch /tmp")
    assert said.split() == ["4242", "4242", "2000", "4242:2000", "0:2000", "0:0"]
    ids = namespace.lab.network().ids
    mine = Path(f"/proc/{process}/root/scratch/mine").stat()
    assert (mine.st_uid, mine.st_gid) == (ids.first + 4242, ids.first + 2000)
    delete(namespace, "seen")


def test_an_id_that_containers_do_not_have_is_refused(namespace: System) -> None:
    applied = apply(namespace, pod("beyond", container("main", "true", securityContext={"runAsUser": COUNT})))
    assert applied.returncode == 0, applied.stderr

    def waiting() -> Any:
        status = namespace.get("-n", NAMESPACE, "pod", "beyond")["status"].get("containerStatuses") or [{}]
        return (status[0].get("state") or {}).get("waiting", {}).get("message")

    assert eventually(lambda: "id 65536" in (waiting() or ""))
    delete(namespace, "beyond")


def test_a_link_in_a_volume_does_not_lead_out_of_it(namespace: System) -> None:
    """A container makes a link to a file that only root may reach, and asks the node to mount what it names."""
    secret = namespace.lab.folder / "node" / "secret"
    secret.write_text("of the lab")
    secret.chmod(0o644)
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "linked"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    apply(namespace, claim)
    spec = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "linked"}}]}
    mount = {"name": "data", "mountPath": "/data"}
    run(namespace, "linker", f"ln -s {secret} /data/out; sleep 1000", spec=spec, volumeMounts=[mount])
    follower = container(
        "main", "cat /found; sleep 1000", volumeMounts=[{**mount, "mountPath": "/found", "subPath": "out"}]
    )
    assert apply(namespace, pod("follower", follower, **spec)).returncode == 0

    def outcome() -> Any:
        status = namespace.get("-n", NAMESPACE, "pod", "follower")["status"].get("containerStatuses") or [{}]
        state = status[0].get("state") or {}
        return "running" in state or state.get("waiting", {}).get("reason") == "CreateContainerConfigError"

    eventually(outcome)
    logs = namespace.try_kubectl("-n", NAMESPACE, "logs", "follower").stdout
    assert "of the lab" not in logs
    delete(namespace, "linker", "follower")
    namespace.kubectl("-n", NAMESPACE, "delete", "persistentvolumeclaim", "linked")
    secret.unlink()
