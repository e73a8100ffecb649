"""The Pulumi engine of the lab: the one on PATH, or one that is built from its Go modules."""

from __future__ import annotations

import functools
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from lab import files
from lab.binaries.build import PROVIDER, kubernetes_provider, pulumi

MINIMUM: Final = (3, 205, 0)
"""The oldest CLI that sends its events to the Automation API over gRPC and runs inline programs on destroy."""

_PLUGINS: Final = ("kubernetes", "random")
_ROOT: Final = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Engine:
    """A Pulumi CLI with plugins.

    ``command`` is its path. ``home`` is the folder with the lab's plugins; None if the CLI has or fetches
    its own.
    """

    command: Path
    home: Path | None

    @property
    def root(self) -> str:
        """The folder whose ``bin`` has the CLI, as the Automation API expects it; empty if it finds the CLI on PATH."""
        root = self.command.parent.parent
        return str(root) if self.command == root / "bin" / "pulumi" else ""


@functools.cache
def find(home: Path, say: Callable[[str], None]) -> Engine:
    """Return an engine that is ready to run programs, building what this machine lacks.

    One command asks several times, and a CLI on PATH takes seconds to look for its plugins.

    :param home: the folder for plugins of the lab's own.
    :raises LabError: if a build fails.
    """
    found = shutil.which("pulumi")
    if found is not None and (number := number_of(found)) < MINIMUM:
        wanted = ".".join(map(str, MINIMUM))
        say(f"pulumi: {found} is version {'.'.join(map(str, number))}, older than {wanted}; using the lab's own")
        found = None
    if found is not None and all(_has(found, plugin) for plugin in _PLUGINS):
        return Engine(Path(found), None)
    command = Path(found) if found is not None else pulumi(say)
    _link_plugins(home, kubernetes_provider(version("pulumi_kubernetes"), say))
    return Engine(command, home)


def number_of(command: str) -> tuple[int, ...]:
    """Return the version of a CLI as numbers; (0,) if it is unknown.

    :param command: its path.
    """
    try:
        result = subprocess.run([command, "version"], capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return (0,)
    digits = re.match(r"v?(\d+)\.(\d+)\.(\d+)", result.stdout.strip())
    return tuple(map(int, digits.groups())) if digits else (0,)


def _has(command: str, plugin: str) -> bool:
    """Tell whether a CLI has a plugin of the version that the program's SDK asks for, or can fetch it."""
    install = [command, "plugin", "install", "resource", plugin, version(f"pulumi_{plugin}")]
    return subprocess.run(install, capture_output=True, check=False).returncode == 0  # noqa: S603 the user's own pulumi


def _link_plugins(home: Path, provider: Path) -> None:
    """Put the plugins where the CLI looks for them, under the versions that the SDK asks for."""
    kubernetes, random = (home / "plugins" / f"resource-{plugin}-v{version(f'pulumi_{plugin}')}" for plugin in _PLUGINS)
    for folder in (kubernetes, random):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    link = kubernetes / PROVIDER
    if not link.is_symlink() or link.readlink() != provider:
        link.unlink(missing_ok=True)
        link.symlink_to(provider)
    words = shlex.join([sys.executable, "-m", "lab.pulumi.random_provider"])
    script = random / "pulumi-resource-random"
    files.replace(script, f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(_ROOT))} exec {words} "$@"\n'.encode())
    script.chmod(0o700)
