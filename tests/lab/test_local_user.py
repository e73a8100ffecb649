"""What another user of the machine, or who has got hold of a token of the lab, can do with the lab: attacks that fail."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from lab.ids import COUNT
from lab.lab import ROOT
from tests.lab.conftest import System, eventually
from tests.lab.test_node import container, pod
from tests.lab.traffic import address as traffic_address

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


def kubectl_as(node: System, token: str, *arguments: str, text: str) -> subprocess.CompletedProcess[str]:
    """Run kubectl with a token alone."""
    certificate = node.plane.folder / "certificates" / "ca.crt"
    command = [
        str(Path(sys.executable).parent / "kubectl"),
        "--kubeconfig=/dev/null",
        f"--server={node.plane.address}",
        f"--certificate-authority={certificate}",
        f"--token={token}",
    ]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, input=text, timeout=60)


def apart(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest of the chart whose cluster-wide objects are not those of the stack that is up."""
    if manifest["kind"] in CLUSTER_WIDE:
        manifest["metadata"]["name"] += "-attacked"
    if manifest.get("roleRef", {}).get("kind") == "ClusterRole":
        manifest["roleRef"]["name"] += "-attacked"
    return manifest


CLUSTER_WIDE = ("ClusterRole", "ClusterRoleBinding")


@pytest.fixture(scope="module")
def operator_token(namespace: System) -> Iterator[str]:
    """A token of the cluster operator, with the rights that its chart gives it in the namespace."""
    with helm_python.Chart.load(ROOT / "lab" / "charts" / "strimzi-kafka-operator") as chart:
        values = {"watchNamespaces": [NAMESPACE]}
        texts = chart.render(values, name="attacked", namespace=NAMESPACE).values()
    documents = [item for text in texts for item in yaml.safe_load_all(text) if item]
    wanted = [apart(item) for item in documents if item["kind"] != "Deployment"]
    for item in wanted:
        namespace.kubectl("-n", NAMESPACE, "apply", "-f", "-", text=json.dumps(item))
    yield namespace.kubectl("-n", NAMESPACE, "create", "token", "strimzi-cluster-operator")
    for item in wanted:
        if item["kind"] in CLUSTER_WIDE:
            namespace.kubectl("delete", item["kind"], item["metadata"]["name"])


def attack(**spec: Any) -> dict[str, Any]:
    """Return a pod of root's that is more than a pod by what is given."""
    return pod("attack", container("main", "sleep 1000", securityContext={"runAsUser": 0}), **spec)


def with_main(*, shared: bool = True, **more: Any) -> dict[str, Any]:
    """Return a pod of root's whose container is more than a container by what is given; ``shared`` are its users."""
    context = {"runAsUser": 0, **more.pop("securityContext", {})}
    return pod("attack", container("main", "sleep 1000", securityContext=context, **more), hostUsers=shared)


NETWORK = {"securityContext": {"runAsUser": 0, "capabilities": {"add": ["NET_ADMIN"]}}}
REDIRECTION = {"image": "docker.io/istio/proxyv2:1.31", "args": ["istio-iptables", "-p", "15001"], **NETWORK}
ATTACKS: dict[str, tuple[dict[str, Any], str]] = {
    "host path": (attack(volumes=[{"name": "root", "hostPath": {"path": "/"}}]), "hostPath"),
    "host network": (attack(hostNetwork=True), "hostNetwork"),
    "host processes": (attack(hostPID=True), "hostPID"),
    "host memory": (attack(hostIPC=True), "hostIPC"),
    "host port": (with_main(ports=[{"containerPort": 80, "hostPort": 80}]), "hostPort"),
    "privileged": (with_main(securityContext={"privileged": True}), "privileged"),
    "proc": (with_main(shared=False, securityContext={"procMount": "Unmasked"}), "procMount"),
    "administrator": (with_main(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}), "capabilities"),
    "all capabilities": (with_main(securityContext={"capabilities": {"add": ["ALL"]}}), "capabilities"),
    "network": (with_main(securityContext={"capabilities": {"add": ["NET_ADMIN"]}}), "capabilities"),
    "network, by name": (attack(initContainers=[container("istio-init", "true", **NETWORK)]), "capabilities"),
    "network, by name and image": (
        attack(initContainers=[{"name": "istio-init", **REDIRECTION, "command": ["sh"]}]),
        "capabilities",
    ),
    "network, by another image": (
        attack(initContainers=[{"name": "istio-init", **REDIRECTION, "image": "services:proxyv2"}]),
        "capabilities",
    ),
    "network, by other words": (
        attack(initContainers=[{"name": "istio-init", **REDIRECTION, "args": ["proxy"]}]),
        "capabilities",
    ),
    "network, in two": (
        attack(
            initContainers=[{"name": "istio-init", **REDIRECTION}, container("other", "true", **NETWORK)],
        ),
        "capabilities",
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_the_operator_s_token_makes_no_pod_that_is_root_on_the_machine(
    namespace: System, operator_token: str, name: str
) -> None:
    manifest, word = ATTACKS[name]
    manifest = json.loads(json.dumps(manifest))
    manifest["metadata"]["namespace"] = NAMESPACE
    made = kubectl_as(namespace, operator_token, "create", "-f", "-", text=json.dumps(manifest))
    if made.returncode == 0:
        delete(namespace, "attack")
    assert made.returncode != 0, made.stdout
    assert "'lab-pods'" in made.stderr, made.stderr
    assert word in made.stderr, made.stderr


def test_a_container_to_debug_with_is_no_way_out_either(namespace: System, operator_token: str) -> None:
    """It may look at packets, as `make verify` does, and the operator may not add one."""
    run(namespace, "debugged")

    def words(**context: Any) -> tuple[str, ...]:
        found = {"name": "debug", "image": "services:test", "command": ["true"], "securityContext": context}
        patch = json.dumps({"spec": {"ephemeralContainers": [found]}})
        return ("-n", NAMESPACE, "patch", "pod", "debugged", "--subresource=ephemeralcontainers", "-p", patch)

    assert "privileged containers are refused" in namespace.try_kubectl(*words(privileged=True)).stderr
    administer = words(capabilities={"add": ["NET_ADMIN"]})
    assert "capabilities beyond" in namespace.try_kubectl(*administer).stderr
    listen = words(capabilities={"add": ["NET_RAW"]})
    may = ("-n", NAMESPACE, "auth", "can-i", "patch", "pods/ephemeralcontainers")
    assert kubectl_as(namespace, operator_token, *may, text="").stdout == "no\n"
    assert namespace.try_kubectl(*listen).returncode == 0
    # What changes the pod later is judged with that container in it.
    namespace.kubectl("-n", NAMESPACE, "label", "pod", "debugged", "seen=yes")
    delete(namespace, "debugged")


def test_pods_with_no_more_than_baseline_and_the_redirection_are_let_in(namespace: System, operator_token: str) -> None:
    manifest = with_main(securityContext={"capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}})
    manifest["spec"]["initContainers"] = [{"name": "istio-init", **REDIRECTION}]
    manifest["metadata"]["namespace"] = NAMESPACE
    words = ("create", "--dry-run=server", "-f", "-")
    made = kubectl_as(namespace, operator_token, *words, text=json.dumps(manifest))
    assert made.returncode == 0, made.stderr


@pytest.mark.parametrize("kind", ["hostPath", "local"])
def test_nobody_but_the_node_makes_volumes_in_folders_of_the_machine(
    namespace: System, tmp_path: Path, kind: str
) -> None:
    """The node removes the folders of volumes that it takes for its own, once their claims are gone."""
    folder = tmp_path / "precious"
    folder.mkdir()
    where: dict[str, Any] = {kind: {"path": str(folder)}}
    if kind == "local":
        term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["lab"]}]}
        where["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
    made = namespace.try_kubectl(
        "create",
        "-f",
        "-",
        text=json.dumps(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": "bait", "annotations": {"pv.kubernetes.io/provisioned-by": "lab"}},
                "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], **where},
            }
        ),
    )
    time.sleep(1 if made.returncode == 0 else 0)
    assert folder.exists()
    assert "by the lab's node alone" in made.stderr, made.stdout + made.stderr


CLOSED = (
    ("kafka", "strimzi.io/name=demo-app-log-cluster-kafka", (8443, 9090, 9091, 9092, 9404, 15020)),
    ("demo-app", "app=customer", (8080, 15006, 15020, 15090)),
)


@pytest.mark.parametrize(("of", "selector", "ports"), CLOSED, ids=[item[1] for item in CLOSED])
def test_a_user_of_the_machine_is_a_stranger_to_pods(
    system: System, of: str, selector: str, ports: tuple[int, ...]
) -> None:
    address = system.get("-n", of, "pods", "-l", selector)["items"][0]["status"]["podIP"]
    connect = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
    answers = [
        port for port in ports if as_user(1001, f"/usr/bin/python3 -c '{connect}' {address} {port}").returncode == 0
    ]
    assert answers == []


def test_a_user_of_the_machine_may_call_what_is_open_to_all(system: System) -> None:
    said = as_user(1001, f"curl --silent --max-time 10 {traffic_address(system)}")
    assert said.stdout.startswith("customer => "), said
