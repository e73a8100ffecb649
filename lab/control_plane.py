"""A Kubernetes control plane: etcd, API server and controller manager as processes of this machine."""

from __future__ import annotations

import http.client
import ssl
import time
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

import yaml

from lab import control_plane_certificates, files
from lab.errors import LabError
from lab.network import Network
from lab.ports import LOOPBACK, is_free
from lab.processes import Process

PORT: Final = 6443
"""The API server's port unless another is asked for; etcd has the two after it."""

_READY_SECONDS: Final = 120
_ATTEMPTS: Final = 3
"""How often a process may end before it is ready."""

_LINGERING_SECONDS: Final = 5
"""For how long a process that was killed may hold its ports."""

_CIPHERS: Final = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"


@dataclass(frozen=True)
class ControlPlane:
    """One cluster's processes and the folder with its keys, logs and data (mode 700).

    With a network it listens on the node's address, for pods; without one it listens on loopback and has no node.
    ``tethered`` processes end with the process that started them (tests); others run until ``stop``.
    """

    folder: Path
    port: int = PORT
    network: Network | None = None
    tethered: bool = False

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return str(self.network.node) if self.network else LOOPBACK

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, mode 600."""
        return self.folder / "kubeconfig"

    @property
    def address(self) -> str:
        """The API server's URL."""
        return f"https://{self.host}:{self.port}"

    def processes(self) -> list[Process]:
        """Return the processes in the order in which they start."""
        return [self._etcd(), self._api_server(), self._controller_manager()]

    def start(self, binaries: Path) -> None:
        """Start the processes that do not run, and wait until the API server is ready.

        :param binaries: the folder that holds the commands.
        :raises LabError: if a port is taken, a part ends, or it is not ready after 120 seconds.
        """
        self._refuse_taken_ports()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        services = self._services()
        control_plane_certificates.write(
            self.folder / "certificates", control_plane_certificates.subjects(self.host, str(services[1]))
        )
        self._write_kubeconfig("kubeconfig", "admin")
        self._write_kubeconfig("kube-controller-manager.kubeconfig", "kube-controller-manager")
        self._write_kubeconfig("kubelet.kubeconfig", "kubelet")
        etcd, api_server, controller_manager = self.processes()
        etcd.start(binaries, tethered=self.tethered)
        api_server.start(binaries, tethered=self.tethered)
        self._wait_until_ready([etcd, api_server])
        controller_manager.start(binaries, tethered=self.tethered)

    def stop(self) -> None:
        """End the processes, the last started first."""
        for process in reversed(self.processes()):
            process.stop()

    def is_ready(self) -> bool:
        """Tell whether the API server serves."""
        context = ssl.create_default_context(cafile=str(self.folder / "certificates" / "ca.crt"))
        certificate = self.folder / "certificates" / "admin"
        context.load_cert_chain(f"{certificate}.crt", f"{certificate}.key")
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=5, context=context)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _services(self) -> IPv4Network:
        return self.network.services if self.network else IPv4Network("10.96.0.0/16")

    def _refuse_taken_ports(self) -> None:
        etcd, api_server, _ = self.processes()
        owners = {self.port: api_server, self.port + 1: etcd, self.port + 2: etcd}
        deadline = time.monotonic() + _LINGERING_SECONDS
        while taken := [port for port, owner in owners.items() if owner.pid() is None and not is_free(self.host, port)]:
            if time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            ports = ", ".join(map(str, taken))
            message = (
                f"port {ports} on {self.host} is in use by another program; end that, or choose another address with"
                " --network"
            )
            raise LabError(message)

    def _wait_until_ready(self, needed: list[Process]) -> None:
        exits = [process.exits() for process in needed]
        deadline = time.monotonic() + _READY_SECONDS
        while not self.is_ready():
            ended = [
                process.exits() - before if process.pid() else _ATTEMPTS
                for process, before in zip(needed, exits, strict=True)
            ]
            if max(ended) >= _ATTEMPTS:
                # The first that has ended took the others with it.
                first = next(process for process, times in zip(needed, ended, strict=True) if times)
                message = f"{first.name} ended: {first.last_words()} (log: {first.log})"
                self.stop()
                raise LabError(message)
            if time.monotonic() > deadline:
                last = needed[-1]
                message = f"{last.name} is not ready after {_READY_SECONDS} s: {last.last_words()} (log: {last.log})"
                raise LabError(message)
            time.sleep(0.1)

    def _write_kubeconfig(self, name: str, user: str) -> None:
        folder = self.folder / "certificates"
        credentials = {
            "client-certificate": str(folder / f"{user}.crt"),
            "client-key": str(folder / f"{user}.key"),
        }
        cluster = {"server": self.address, "certificate-authority": str(folder / "ca.crt")}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": user, "user": credentials}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user}}],
            "current-context": "lab",
        }
        files.replace(self.folder / name, yaml.safe_dump(document).encode())

    def _process(self, name: str, *arguments: str) -> Process:
        return Process(name, self.folder, arguments, supervised=True)

    def _etcd(self) -> Process:
        client, peer = (f"https://{self.host}:{self.port + offset}" for offset in (1, 2))
        return self._process(
            "etcd",
            "--name=lab",
            "--data-dir=etcd",
            # What is lost with the machine's power is a lab that `up` makes again.
            "--unsafe-no-fsync",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=lab={peer}",
            "--cert-file=certificates/etcd.crt",
            "--key-file=certificates/etcd.key",
            "--client-cert-auth",
            "--trusted-ca-file=certificates/ca.crt",
            "--peer-cert-file=certificates/etcd.crt",
            "--peer-key-file=certificates/etcd.key",
            "--peer-client-cert-auth",
            "--peer-trusted-ca-file=certificates/ca.crt",
            "--log-level=warn",
        )

    def _api_server(self) -> Process:
        return self._process(
            "kube-apiserver",
            f"--etcd-servers=https://{self.host}:{self.port + 1}",
            "--etcd-cafile=certificates/ca.crt",
            "--etcd-certfile=certificates/etcd-client.crt",
            "--etcd-keyfile=certificates/etcd-client.key",
            f"--bind-address={self.host}",
            f"--secure-port={self.port}",
            "--tls-cert-file=certificates/kube-apiserver.crt",
            "--tls-private-key-file=certificates/kube-apiserver.key",
            f"--tls-cipher-suites={_CIPHERS}",
            "--client-ca-file=certificates/ca.crt",
            "--anonymous-auth=false",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file=certificates/service-account.pub",
            "--service-account-signing-key-file=certificates/service-account.key",
            f"--service-cluster-ip-range={self._services()}",
            "--allow-privileged",
            *self._for_pods(),
            # There is no kube-proxy: webhook Services are reached by their endpoints.
            "--enable-aggregator-routing",
        )

    def _for_pods(self) -> list[str]:
        """Return the arguments with which pods reach the API server, and it the node; none on loopback."""
        if self.network is None:
            return ["--endpoint-reconciler-type=none"]
        return [
            f"--advertise-address={self.host}",
            "--kubelet-client-certificate=certificates/kube-apiserver-kubelet-client.crt",
            "--kubelet-client-key=certificates/kube-apiserver-kubelet-client.key",
            "--kubelet-certificate-authority=certificates/ca.crt",
            "--kubelet-preferred-address-types=InternalIP",
        ]

    def _controller_manager(self) -> Process:
        return self._process(
            "kube-controller-manager",
            "--kubeconfig=kube-controller-manager.kubeconfig",
            "--secure-port=0",
            "--leader-elect=false",
            "--use-service-account-credentials",
            "--service-account-private-key-file=certificates/service-account.key",
            "--root-ca-file=certificates/ca.crt",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            "--concurrent-gc-syncs=50",
        )
