"""Pods as processes of this machine: what a user of a cluster sees of them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import System, eventually

pytestmark = pytest.mark.lab

NAMESPACE = "pods"


@pytest.fixture(scope="module")
def pods(node: System) -> Iterator[Pods]:
    """A namespace of these tests' own."""
    before = set(node.lab.network().attachments())
    node.kubectl("create", "namespace", NAMESPACE)
    eventually(lambda: node.try_kubectl("-n", NAMESPACE, "get", "serviceaccount", "default").returncode == 0)
    yield Pods(node)
    node.kubectl("delete", "namespace", NAMESPACE)
    assert set(node.lab.network().attachments()) <= before


class Pods:
    """Pods of the tests' namespace."""

    def __init__(self, node: System) -> None:
        self.node = node

    def apply(self, *manifests: dict[str, Any]) -> None:
        listed = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.node.kubectl("-n", NAMESPACE, "apply", "-f", "-", text=json.dumps(listed))

    def run(self, name: str, script: str = "sleep 1000", **spec: Any) -> None:
        self.apply(pod(name, container("main", script), **spec))

    def get(self, name: str) -> Any:
        return self.node.get("-n", NAMESPACE, "pod", name)

    def ready(self, name: str) -> Any:
        def check() -> Any:
            found = self.get(name)
            conditions = {item["type"]: item["status"] for item in found["status"].get("conditions") or []}
            return found if conditions.get("Ready") == "True" else None

        return eventually(check)

    def container(self, name: str) -> Any:
        return (self.get(name)["status"].get("containerStatuses") or [{}])[0]

    def logs(self, name: str, *more: str) -> str:
        return self.node.kubectl("-n", NAMESPACE, "logs", name, *more)

    def sh(self, name: str, script: str, *more: str) -> str:
        return self.node.kubectl("-n", NAMESPACE, "exec", name, *more, "--", "sh", "-c", script)

    def delete(self, *names: str, grace: int = 0) -> None:
        self.node.kubectl("-n", NAMESPACE, "delete", "pod", *names, f"--grace-period={max(grace, 1)}")


def container(name: str, script: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "services:test", "command": ["/bin/sh", "-c", script], **more}


def pod(name: str, *containers: dict[str, Any], labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels or {"app": name}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": list(containers), "terminationGracePeriodSeconds": 5, **spec},
    }


HTTP = 'exec python3 -m http.server "$PORT" --directory /usr/share/python3'


def server(name: str, port: int = 8080, **more: Any) -> dict[str, Any]:
    python = container(
        "main",
        f"cd /tmp; exec /usr/bin/env python3 -c '{_SERVER}' {port}",
        ports=[{"name": "http", "containerPort": port}],
        readinessProbe={"tcpSocket": {"port": "http"}, "periodSeconds": 1},
    )
    return pod(name, python, **more)


_SERVER = (
    "import http.server,socket,sys\n"
    "class H(http.server.BaseHTTPRequestHandler):\n"
    "  def do_GET(self):\n"
    "    self.send_response(200); self.end_headers(); self.wfile.write(socket.gethostname().encode())\n"
    "  def log_message(self,*a): print(self.client_address[0], flush=True)\n"
    'http.server.HTTPServer(("", int(sys.argv[1])), H).serve_forever()'
)


def get(url: str) -> str:
    return f"python3 -c 'import urllib.request as u; print(u.urlopen(\"{url}\", timeout=2).read().decode())' 2>&1 | tail -1"


def test_a_pod_runs_and_says_so(pods: Pods) -> None:
    pods.run("simple", "echo hello; echo worse >&2; sleep 1000")
    found = pods.ready("simple")
    assert found["spec"]["nodeName"] == "lab"
    assert found["status"]["phase"] == "Running"
    assert pods.logs("simple") == "hello\nworse\n"
    assert pods.sh("simple", "id -u; hostname; cat /proc/1/comm").split() == ["10001", "simple", "sh"]
    pods.delete("simple")


def test_a_command_in_a_pod_gets_input_and_gives_its_exit_code(pods: Pods) -> None:
    pods.run("exec")
    pods.ready("exec")
    kubectl = ("-n", NAMESPACE, "exec", "-i", "exec", "--")
    assert pods.node.try_kubectl(*kubectl, "cat", text="as it came\n").stdout == "as it came\n"
    failed = pods.node.try_kubectl(*kubectl, "sh", "-c", "echo oh >&2; exit 7", text="")
    assert failed.returncode == 7
    assert failed.stderr.startswith("oh\n")
    pods.delete("exec")


def test_logs_can_be_followed_and_cut(pods: Pods) -> None:
    pods.apply(pod("logs", container("main", "for i in 1 2 3 4 5; do echo $i; sleep 0.2; done"), restartPolicy="Never"))
    eventually(lambda: pods.container("logs").get("state"))
    assert pods.logs("logs", "--follow").split() == ["1", "2", "3", "4", "5"]
    assert pods.logs("logs", "--tail=2").split() == ["4", "5"]
    refused = pods.node.try_kubectl("-n", NAMESPACE, "logs", "logs", "--timestamps")
    assert "timestamps: the lab's node keeps no times" in refused.stderr
    pods.delete("logs")


def test_init_containers_run_in_order_and_a_sidecar_beside_the_rest(pods: Pods) -> None:
    shared = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    first = container("first", "echo first >>/shared/order", **shared)
    sidecar = container(
        "sidecar",
        "echo sidecar >>/shared/order; trap 'echo stopped >>/shared/order; exit 0' TERM; touch /shared/up; "
        "while :; do sleep 0.1; done",
        restartPolicy="Always",
        startupProbe={"exec": {"command": ["test", "-e", "/shared/up"]}, "periodSeconds": 1},
        **shared,
    )
    last = container("last", "test -e /shared/up && echo last >>/shared/order", **shared)
    main = container("main", "cat /shared/order; sleep 0.5", **shared)
    pods.apply(
        pod(
            "order",
            main,
            initContainers=[first, sidecar, last],
            volumes=[{"name": "shared", "emptyDir": {}}],
            restartPolicy="Never",
        )
    )
    eventually(lambda: pods.get("order")["status"].get("phase") == "Succeeded")
    assert pods.logs("order").split() == ["first", "sidecar", "last"]

    def sidecar_ended() -> Any:
        return pods.get("order")["status"]["initContainerStatuses"][1]["state"].get("terminated")

    assert eventually(sidecar_ended)["exitCode"] == 0
    pods.delete("order")


def test_a_failed_init_container_keeps_the_pod_from_running(pods: Pods) -> None:
    pods.apply(
        pod(
            "failing",
            container("main", "echo never"),
            initContainers=[container("init", "exit 3")],
            restartPolicy="Never",
        )
    )
    eventually(lambda: pods.get("failing")["status"].get("phase") == "Failed")
    assert pods.get("failing")["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    assert "waiting" in pods.container("failing")["state"]
    pods.delete("failing")


def test_a_container_that_ends_is_started_again_then_with_a_pause(pods: Pods) -> None:
    pods.run("crashing", "echo once; exit 1")
    eventually(lambda: pods.container("crashing").get("restartCount", 0) >= 1)
    waiting = eventually(lambda: pods.container("crashing")["state"].get("waiting"))
    assert waiting["reason"] == "CrashLoopBackOff"
    assert pods.container("crashing")["lastState"]["terminated"]["exitCode"] == 1
    assert pods.logs("crashing", "--previous") == "once\n"
    events = pods.node.kubectl("-n", NAMESPACE, "events", "--for", "pod/crashing")
    assert "BackOff" in events
    pods.delete("crashing")


def test_an_image_that_stands_for_nothing_is_said_and_the_rest_goes_on(pods: Pods) -> None:
    unknown = {**container("main", "true"), "image": "docker.io/library/nginx:1.29"}
    pods.apply(pod("unknown", unknown), pod("known", container("main", "sleep 1000")))
    pods.ready("known")
    waiting = eventually(lambda: pods.container("unknown")["state"].get("waiting"))
    assert waiting["reason"] in ("ErrImagePull", "ImagePullBackOff")
    assert waiting["message"].startswith('image "docker.io/library/nginx:1.29" is not available in the lab')
    pods.delete("unknown", "known")


def test_a_pod_waits_for_what_it_refers_to_and_then_runs(pods: Pods) -> None:
    source = {"secretKeyRef": {"name": "late", "key": "word"}}
    pods.apply(pod("waiting", container("main", "echo $WORD; sleep 1000", env=[{"name": "WORD", "valueFrom": source}])))
    waiting = eventually(
        lambda: (
            pods.container("waiting").get("state", {}).get("waiting", {}).get("reason") == "CreateContainerConfigError"
            and pods.container("waiting")["state"]["waiting"]
        )
    )
    assert waiting["message"] == 'secret "late" not found'
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "late"}, "stringData": {"word": "here"}}
    pods.apply(secret)
    pods.ready("waiting")
    eventually(lambda: pods.logs("waiting") == "here\n")
    pods.delete("waiting")


def test_volumes_have_the_right_files_for_the_right_user(pods: Pods) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"mode": "fast"}}
    pods.apply(config)
    volumes = [
        {"name": "config", "configMap": {"name": "settings"}},
        {
            "name": "token",
            "projected": {"sources": [{"serviceAccountToken": {"path": "token", "audience": "istio-ca"}}]},
        },
        {"name": "scratch", "emptyDir": {}},
    ]
    mounts = [
        {"name": "config", "mountPath": "/etc/app", "readOnly": True},
        {"name": "config", "mountPath": "/one", "subPath": "mode", "readOnly": True},
        {"name": "token", "mountPath": "/var/run/secrets/tokens"},
        {"name": "scratch", "mountPath": "/scratch"},
    ]
    main = container(
        "main",
        "sleep 1000",
        volumeMounts=mounts,
        securityContext={"readOnlyRootFilesystem": True, "runAsUser": 4242},
        workingDir="/scratch",
    )
    pods.apply(pod("files", main, volumes=volumes, securityContext={"fsGroup": 2000}))
    pods.ready("files")
    assert pods.sh("files", "cat /etc/app/mode /one; pwd; touch here && ls").split() == ["fastfast/scratch", "here"]
    assert "istio-ca" in pods.sh("files", "cut -d. -f2 /var/run/secrets/tokens/token | base64 -d 2>/dev/null; true")
    refused = pods.node.try_kubectl("-n", NAMESPACE, "exec", "files", "--", "touch", "/new")
    assert "Read-only file system" in refused.stderr
    # The address of the API server, and who the pod is, as any program in a cluster finds them.
    code = (
        "curl -s --cacert /var/run/secrets/kubernetes.io/serviceaccount/ca.crt -o /dev/null -w %{http_code} "
        '-H "Authorization: Bearer $(cat /var/run/secrets/kubernetes.io/serviceaccount/token)" '
        "https://kubernetes.default.svc/version"
    )
    assert pods.sh("files", code) == "200"
    pods.delete("files")


def test_a_service_is_reached_by_name_while_its_pod_is_ready(pods: Pods) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    }
    pods.apply(service, server("web-1", labels={"app": "web"}), server("web-2", labels={"app": "web"}))
    pods.run("client")
    for name in ("web-1", "web-2", "client"):
        pods.ready(name)
    asked = "; ".join([get("http://web")] * 8)
    eventually(lambda: set(pods.sh("client", asked).split()) == {"web-1", "web-2"})
    assert pods.sh("client", get("http://web.pods.svc.cluster.local")).strip() in ("web-1", "web-2")
    address = pods.node.get("-n", NAMESPACE, "service", "web")["spec"]["clusterIP"]
    # This machine reaches Services too.
    import urllib.request

    assert urllib.request.urlopen(f"http://{address}", timeout=2).read().decode() in ("web-1", "web-2")
    pods.delete("web-1", "web-2")
    eventually(lambda: "refused" in pods.sh("client", get("http://web")))
    pods.delete("client")


def test_pods_of_a_headless_service_have_names_of_their_own(pods: Pods) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "brokers"},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {"app": "broker"},
            "ports": [{"name": "http", "port": 8080}],
        },
    }
    pods.apply(service, server("broker-0", labels={"app": "broker"}, hostname="broker-0", subdomain="brokers"))
    pods.run("client")
    pods.ready("broker-0")
    pods.ready("client")
    eventually(lambda: pods.sh("client", get("http://broker-0.brokers.pods.svc:8080")).strip() == "broker-0")
    assert "broker-0.brokers.pods.svc.cluster.local" in pods.sh("broker-0", "cat /etc/hosts")
    pods.delete("broker-0", "client")


def test_network_policies_hold(pods: Pods) -> None:
    pods.apply(
        server("closed", labels={"app": "closed"}),
        pod("friend", container("main", "sleep 1000"), labels={"app": "friend"}),
        pod("stranger", container("main", "sleep 1000"), labels={"app": "stranger"}),
    )
    addresses = {name: pods.ready(name)["status"]["podIP"] for name in ("closed", "friend", "stranger")}
    url = f"http://{addresses['closed']}:8080"
    assert pods.sh("stranger", get(url)).strip() == "closed"
    peer = {"podSelector": {"matchLabels": {"app": "friend"}}}
    pods.apply(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "closed"},
            "spec": {
                "podSelector": {"matchLabels": {"app": "closed"}},
                "ingress": [{"from": [peer], "ports": [{"port": "http"}]}],
                "policyTypes": ["Ingress", "Egress"],
            },
        }
    )
    eventually(lambda: "closed" not in pods.sh("stranger", get(url)))
    assert pods.sh("friend", get(url)).strip() == "closed"
    # Its probes come from the node, and what it may not call it does not reach.
    assert pods.container("closed")["ready"]
    assert "No route to host" in pods.sh("closed", get(f"http://{addresses['friend']}:8080"))
    pods.node.kubectl("-n", NAMESPACE, "delete", "networkpolicy", "closed")
    eventually(lambda: pods.sh("stranger", get(url)).strip() == "closed")
    pods.delete("closed", "friend", "stranger")


HARDWARE_ADDRESS = """
import fcntl, socket
SIOCGIFHWADDR = 0x8927
print(fcntl.ioctl(socket.socket(), SIOCGIFHWADDR, b"eth0".ljust(40, bytes(1)))[18:24].hex())
"""
LINK_LOCAL = """
import ipaddress, socket, sys, time
mac = bytes.fromhex(sys.argv[1])
host = bytes([mac[0] ^ 2, *mac[1:3], 0xFF, 0xFE, *mac[3:]])
address = str(ipaddress.IPv6Address(bytes.fromhex("fe80000000000000") + host))
# An address of IPv6 takes some seconds to be usable.
for _ in range(12):
    try:
        with socket.create_connection((address + "%eth0", 8080), 3):
            print("open")
            break
    except OSError as error:
        print(error)
        time.sleep(0.5)
"""


def test_a_closed_pod_cannot_be_reached_by_ipv6(pods: Pods) -> None:
    """NetworkPolicies of the lab and the sidecars' redirection are for IPv4."""
    serve = "exec python -m http.server 8080 --bind ::"
    pods.apply(
        pod("closed-six", container("main", serve)),
        pod("stranger-six", container("main", "sleep 1000")),
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "closed-six"},
            "spec": {"podSelector": {"matchLabels": {"app": "closed-six"}}, "policyTypes": ["Ingress"]},
        },
    )
    for name in ("closed-six", "stranger-six"):
        pods.ready(name)
    mac = pods.sh("closed-six", f"python -c '{HARDWARE_ADDRESS}'")
    said = pods.sh("stranger-six", f"python -c '{LINK_LOCAL}' {mac.strip()}")
    assert "open" not in said, said
    addresses = pods.sh("closed-six", "cat /proc/net/if_inet6")
    assert {line.split()[-1] for line in addresses.splitlines()} <= {"lo"}
    pods.delete("closed-six", "stranger-six")
    pods.node.kubectl("-n", NAMESPACE, "delete", "networkpolicy", "closed-six")


def test_a_pod_that_is_not_alive_is_started_again(pods: Pods) -> None:
    main = container(
        "main",
        "touch /tmp/alive; sleep 1000",
        livenessProbe={"exec": {"command": ["test", "-e", "/tmp/alive"]}, "periodSeconds": 1, "failureThreshold": 2},
    )
    pods.apply(pod("alive", main, terminationGracePeriodSeconds=1))
    pods.ready("alive")
    pods.sh("alive", "rm /tmp/alive")
    eventually(lambda: pods.container("alive").get("restartCount") == 1)
    pods.ready("alive")
    pods.delete("alive")


def test_a_pod_ends_in_its_own_time_or_by_force(pods: Pods) -> None:
    polite = container("main", "trap 'sleep 1; echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done")
    deaf = container("main", "trap '' TERM; echo up; while :; do sleep 0.1; done")
    pods.apply(pod("polite", polite), pod("deaf", deaf))
    for name in ("polite", "deaf"):
        pods.ready(name)
        eventually(lambda name=name: pods.logs(name) == "up\n")
    begun = time.monotonic()
    pods.delete("polite", grace=20)
    assert 1 <= time.monotonic() - begun < 8
    begun = time.monotonic()
    pods.delete("deaf", grace=2)
    assert 2 <= time.monotonic() - begun < 8


def test_a_claim_has_a_volume_that_outlives_pods_and_goes_with_it(pods: Pods) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "kept", "namespace": NAMESPACE},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    pods.apply(claim)
    phase = lambda: pods.node.get("-n", NAMESPACE, "persistentvolumeclaim", "kept")["status"].get("phase")  # noqa: E731
    assert eventually(lambda: phase() == "Bound")
    (volume,) = (
        item
        for item in pods.node.get("persistentvolumes")["items"]
        if item["spec"]["claimRef"]["namespace"] == NAMESPACE
    )
    folder = Path(volume["spec"]["hostPath"]["path"])
    mounted = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    spec = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "kept"}}]}
    pods.apply(pod("writer", container("main", "echo here > /data/file; sleep 1000", **mounted), **spec))
    eventually((folder / "file").exists)
    pods.delete("writer")
    pods.apply(pod("reader", container("main", "cat /data/file; sleep 1000", **mounted), **spec))
    eventually(lambda: pods.node.try_kubectl("-n", NAMESPACE, "logs", "reader").stdout == "here\n")
    pods.delete("reader")
    pods.node.kubectl("-n", NAMESPACE, "delete", "persistentvolumeclaim", "kept")
    assert eventually(lambda: not folder.exists())
    assert eventually(
        lambda: volume["metadata"]["name"] not in pods.node.kubectl("get", "persistentvolumes", "-o", "name")
    )


def debug(pods: Pods, name: str, script: str, **more: Any) -> None:
    """Add a container to debug with to a pod."""
    found = {"name": "debug", "image": "services:test", "command": ["/bin/sh", "-c", script], **more}
    patch = json.dumps({"spec": {"ephemeralContainers": [found]}})
    pods.node.kubectl("-n", NAMESPACE, "patch", "pod", name, "--subresource=ephemeralcontainers", "-p", patch)


def test_a_container_to_debug_with_joins_a_running_pod(pods: Pods) -> None:
    pods.run("debugged")
    pods.ready("debugged")
    debug(pods, "debugged", "cat /proc/1/comm; hostname; sleep 1000", targetContainerName="main")
    eventually(
        lambda: pods.node.try_kubectl("-n", NAMESPACE, "logs", "debugged", "-c", "debug").stdout == "sh\ndebugged\n"
    )
    assert pods.container("debugged")["restartCount"] == 0
    pods.delete("debugged")


def test_a_container_to_debug_with_runs_once_beside_one_that_sets_the_pod_up(pods: Pods) -> None:
    first = container("first", "while ! test -e /tmp/go; do sleep 0.1; done")
    pods.run("slow", initContainers=[first])
    eventually(
        lambda: "running" in (pods.get("slow")["status"].get("initContainerStatuses") or [{}])[0].get("state", {})
    )
    debug(pods, "slow", "echo here; sleep 1000")
    eventually(lambda: pods.node.try_kubectl("-n", NAMESPACE, "logs", "slow", "-c", "debug").stdout == "here\n")
    pods.sh("slow", "touch /tmp/go", "-c", "first")
    pods.ready("slow")
    time.sleep(1)
    status = pods.get("slow")["status"]["ephemeralContainerStatuses"][0]
    assert "running" in status["state"]
    assert status["restartCount"] == 0
    events = pods.node.get("-n", NAMESPACE, "events", "--field-selector", "involvedObject.name=slow")["items"]
    assert [item["message"] for item in events].count("Container started: debug") == 1
    pods.delete("slow")


def kubelet(node: System) -> int:
    """Return the process ID of the kubelet."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_text().split("\0")
            except OSError:
                continue
            if words[1:3] == ["-m", "lab.node"] and f"--folder={node.lab.folder / 'node'}" in words:
                return int(entry.name)
    raise AssertionError("the kubelet does not run")


def test_a_kubelet_that_is_killed_finds_its_pods_again(pods: Pods) -> None:
    pods.run("survivor", "echo $$ up; sleep 1000")
    pods.apply(pod("brief", container("main", "sleep 3"), restartPolicy="Never"))
    pods.run("gone")
    for name in ("survivor", "brief", "gone"):
        pods.ready(name)
    gone = pods.node.lab.folder / "node" / "pods" / pods.get("gone")["metadata"]["uid"]
    assert gone.exists()
    before = pods.container("survivor")["state"]["running"]["startedAt"]
    killed = kubelet(pods.node)
    os.kill(killed, signal.SIGKILL)
    pods.node.kubectl("-n", NAMESPACE, "delete", "pod", "gone", "--force", "--grace-period=0")
    eventually(lambda: kubelet(pods.node) != killed)
    eventually(lambda: pods.get("brief")["status"]["phase"] == "Succeeded")
    assert pods.container("brief")["state"]["terminated"]["exitCode"] == 0
    eventually(lambda: pods.node.try_kubectl("-n", NAMESPACE, "exec", "survivor", "--", "true").returncode == 0)
    assert pods.container("survivor")["state"]["running"]["startedAt"] == before
    assert pods.container("survivor")["restartCount"] == 0
    eventually(lambda: not gone.exists())
    pods.delete("survivor", "brief")


@contextlib.contextmanager
def seen(pods: Pods, name: str, path: str) -> Iterator[list[str]]:
    """Collect the values that a pod's field has had, one after the other."""
    kubectl = [str(Path(sys.executable).parent / "kubectl"), "--kubeconfig", str(pods.node.kubeconfig)]
    words = [*kubectl, "-n", NAMESPACE, "get", "pod", name, "--watch", "-o", f"jsonpath={path}{{'\\n'}}"]
    found: list[str] = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        reader = threading.Thread(target=lambda: found.extend(iter(watch.stdout.readline, "")))  # type: ignore[union-attr]
        reader.start()
        eventually(lambda: found)
        try:
            yield found
        finally:
            watch.terminate()
            reader.join()


READY = "{.status.conditions[?(@.type=='Ready')].status} {.status.podIP}"


def restart_kubelet(node: System) -> None:
    """Kill the kubelet, and wait until the next one has resumed its pods."""
    killed = kubelet(node)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: kubelet(node) != killed)
    node.kubectl("-n", NAMESPACE, "run", "witness", "--image=services:test", "--command", "--", "sleep", "1000")
    node.kubectl("-n", NAMESPACE, "wait", "pod/witness", "--for=condition=Ready", "--timeout=30s")
    node.kubectl("-n", NAMESPACE, "delete", "pod", "witness", "--grace-period=1")


def test_a_pod_stays_ready_while_the_kubelet_is_killed(pods: Pods) -> None:
    pods.apply(server("steady"))
    address = pods.ready("steady")["status"]["podIP"]
    with seen(pods, "steady", READY) as states:
        restart_kubelet(pods.node)
        time.sleep(2)
    assert {state.strip() for state in states} == {f"True {address}"}
    pods.delete("steady")


def test_a_kubelet_that_was_killed_probes_on(pods: Pods) -> None:
    probe = {"exec": {"command": ["test", "-e", "/tmp/well"]}, "periodSeconds": 1, "failureThreshold": 1}
    pods.apply(pod("probed", container("main", "touch /tmp/well; sleep 1000", readinessProbe=probe)))
    pods.ready("probed")
    restart_kubelet(pods.node)
    pods.sh("probed", "rm /tmp/well")
    eventually(lambda: not pods.container("probed")["ready"])
    pods.delete("probed")


def test_a_pod_that_has_completed_does_not_run_again_after_the_kubelet_was_killed(pods: Pods) -> None:
    sidecar = container("side", "sleep 1000 & trap 'kill $!' TERM; wait", restartPolicy="Always")
    spec: dict[str, Any] = {"initContainers": [container("first", "echo first"), sidecar], "restartPolicy": "Never"}
    pods.apply(
        pod("done", container("main", "echo once"), **spec),
        pod("failed", container("main", "echo once; exit 3"), **spec),
        pod("half", container("main", "echo once"), container("other", "sleep 1000"), restartPolicy="OnFailure"),
    )
    for name, phase in (("done", "Succeeded"), ("failed", "Failed")):
        eventually(lambda name=name, phase=phase: pods.get(name)["status"].get("phase") == phase)
        eventually(lambda name=name: "terminated" in pods.get(name)["status"]["initContainerStatuses"][1]["state"])
    eventually(lambda: "terminated" in pods.container("half").get("state", {}))
    before = {name: pods.get(name)["status"] for name in ("done", "failed", "half")}
    restart_kubelet(pods.node)
    time.sleep(1)
    for name, status in before.items():
        assert pods.get(name)["status"] == status, name
        assert pods.logs(name, "-c", "main") == "once\n"
    pods.delete(*before)


def test_the_world_outside_is_reached_under_its_name(pods: Pods) -> None:
    pods.run("client")
    pods.ready("client")
    answer = json.loads(pods.sh("client", "curl -s http://worldclockapi.com/api/json/cet/now"))
    assert answer["timeZoneName"] == "Central Europe Standard Time"
    assert len(answer["currentDateTime"]) == len("2026-11-24T18:00+01:00")
    pods.delete("client")


def test_status_names_every_part_and_pod(pods: Pods) -> None:
    pods.run("shown")
    address = pods.ready("shown")["status"]["podIP"]
    result = pods.node.command("status")
    assert result.returncode == 0, result.stdout + result.stderr
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["pods/shown", "yes", address] in rows
    assert ["lab.node", "yes"] in rows
    pods.delete("shown")
