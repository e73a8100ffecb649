"""A control plane of one's own: etcd, API server and controller manager as processes on loopback."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Final

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_READY_SECONDS: Final = 90


class ControlPlaneError(Exception):
    """The control plane did not come up; the message names the part and its log."""


class ControlPlane:
    """The processes of one cluster, and the folder with its keys, logs and data (mode 700).

    Every process ends with the one that started it, however that ends (``PR_SET_PDEATHSIG``).
    """

    def __init__(self, folder: Path, binaries: Path) -> None:
        """:param binaries: the folder that holds the three commands."""
        self._folder = folder
        self._binaries = binaries
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.kubeconfig = folder / "kubeconfig"

    def start(self) -> None:
        """Start everything and wait until the API server is ready.

        :raises ControlPlaneError: if a part ends, or is not ready after 90 seconds.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        client, peer, port = _free_port(), _free_port(), _free_port()
        token = secrets.token_urlsafe(32)
        self._write("tokens.csv", f'{token},admin,admin,"system:masters"\n'.encode())
        self._write_service_account_key()
        self._start(
            "etcd",
            "--data-dir=etcd",
            "--unsafe-no-fsync",
            f"--listen-client-urls=http://127.0.0.1:{client}",
            f"--advertise-client-urls=http://127.0.0.1:{client}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
        )
        self._start(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{client}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            "--cert-dir=certificates",
            "--token-auth-file=tokens.csv",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file=service-account.pub",
            "--service-account-signing-key-file=service-account.key",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--allow-privileged",
            "--endpoint-reconciler-type=none",
        )
        self._wait_until_ready(f"https://127.0.0.1:{port}/readyz", token)
        self._write("kubeconfig", yaml.safe_dump(self._kubeconfig(port, token)).encode())
        self._start(
            "kube-controller-manager",
            "--kubeconfig=kubeconfig",
            "--secure-port=0",
            "--leader-elect=false",
            "--service-account-private-key-file=service-account.key",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            "--concurrent-gc-syncs=50",
        )

    def stop(self) -> None:
        """End the processes, the last started first."""
        for process in reversed(self._processes.values()):
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def _kubeconfig(self, port: int, token: str) -> dict[str, object]:
        authority = str(self._folder / "certificates" / "apiserver.crt")
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": authority}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "admin"}}],
            "current-context": "lab",
        }

    def _write(self, name: str, content: bytes) -> None:
        descriptor = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)

    def _write_service_account_key(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        self._write("service-account.key", private)
        self._write("service-account.pub", public)

    def _start(self, name: str, *arguments: str) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(  # noqa: S603 a command that this project built
                ["setpriv", "--pdeathsig", "KILL", str(self._binaries / name), *arguments],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _wait_until_ready(self, address: str, token: str) -> None:
        certificate = self._folder / "certificates" / "apiserver.crt"
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            for name, process in self._processes.items():
                if process.poll() is not None:
                    reason = (
                        signal.strsignal(-process.returncode)
                        if process.returncode < 0
                        else process.returncode
                    )
                    message = f"{name} ended ({reason}); see {self._folder / name}.log"
                    raise ControlPlaneError(message)
            with suppress(OSError, urllib.error.URLError, ssl.SSLError):
                request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})  # noqa: S310
                context = ssl.create_default_context(cafile=str(certificate))
                with urllib.request.urlopen(request, timeout=5, context=context) as answer:  # noqa: S310 loopback
                    if answer.status == 200:  # noqa: PLR2004
                        return
            time.sleep(0.2)
        message = f"kube-apiserver: not ready after {_READY_SECONDS} s; see {self._folder}/kube-apiserver.log"
        raise ControlPlaneError(message)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
