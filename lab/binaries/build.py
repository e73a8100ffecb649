"""Builds the control plane's commands from the Go module beside this file, once for each state of its inputs."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

KUBERNETES_VERSION: Final = "v1.36.3"
_MODULE: Final = Path(__file__).parent
_STAMP = "-X k8s.io/component-base/version."
_LINKER_FLAGS: Final = f"-s -w {_STAMP}gitVersion={KUBERNETES_VERSION} {_STAMP}gitMajor=1 {_STAMP}gitMinor=36"
_PACKAGES: Final = {
    "etcd": "./etcd",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}


class BuildError(Exception):
    """The commands cannot be built; the message says why in one line."""


def key(go_version: str) -> str:
    """Return the name of the folder that holds what these inputs and this Go build."""
    digest = hashlib.sha256(f"{go_version}\n{_LINKER_FLAGS}\n{sorted(_PACKAGES.items())}".encode())
    for name in ("go.mod", "go.sum", "tools.go", "etcd/main.go"):
        digest.update((_MODULE / name).read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Return the project's folder below the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kafka-on-istio"


def build() -> Path:
    """Return the folder that holds the commands, building them where that was not done yet.

    A build appears in the cache whole or not at all; of two at a time the second waits and finds the first's.

    :raises BuildError: if there is no Go toolchain, or it fails.
    """
    go = shutil.which("go")
    if go is None:
        message = "no Go toolchain on PATH: install Go 1.26 or newer"
        raise BuildError(message)
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    version = _run([go, "version"], environment)
    target = cache_folder() / f"binaries-{key(version)}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "binaries.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="building-") as folder:
            for name, package in _PACKAGES.items():
                print(f"building {name}", flush=True)
                output = str(Path(folder, "bin", name))
                _run(
                    [go, "build", "-mod=readonly", "-ldflags", _LINKER_FLAGS, "-o", output, package],
                    environment,
                )
            Path(folder, "bin").rename(target)
    return target


def _run(command: list[str], environment: dict[str, str]) -> str:
    result = subprocess.run(
        command, cwd=_MODULE, env=environment, capture_output=True, text=True, check=False
    )  # noqa: S603
    if result.returncode:
        tail = (result.stderr.strip().splitlines() or ["no output"])[-1]
        message = f"{' '.join(command[:2])} of {command[-1]} failed: {tail}"
        raise BuildError(message)
    return result.stdout.strip()
