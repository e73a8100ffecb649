"""Sets a fresh machine up: distribution packages, then the Python environment in ``.venv``. Standard library only.

Run as ``python3 -m lab.bootstrap``, with the system's Python, before there is anything else.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import cache

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ("pyproject.toml", "uv.lock")
PYTHON = (3, 11)
GIBIBYTE = 1 << 30
SPACE = 2 * GIBIBYTE
"""Bytes that the environment takes, rounded up."""

COMMANDS: Mapping[str, str] = {
    "crun": "crun",
    "git": "git",
    "ip": "iproute2",
    "iptables": "iptables",
    "mvn": "maven",
    "nft": "nftables",
    "setpriv": "util-linux",
}
"""The commands that the lab calls, and the Debian packages that have them."""

TEST_COMMANDS: Mapping[str, str] = {"chromedriver": "chromium-driver", "chromium": "chromium"}
"""The commands that only tests call."""


@dataclass(frozen=True)
class Machine:
    """The properties of a machine that the lab depends on."""

    system: str
    architecture: str
    python: tuple[int, int]
    has_installer: bool
    commands: frozenset[str]
    is_root: bool
    has_apt: bool
    free: int
    writable: bool


@dataclass(frozen=True)
class Plan:
    """The packages to install, and the obstacles, each a line with its fix."""

    packages: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()


def plan(machine: Machine, commands: Mapping[str, str] = COMMANDS) -> Plan:
    """Return what a machine lacks. Pure."""
    obstacles = []
    if machine.system != "Linux" or machine.architecture not in ("x86_64", "aarch64"):
        obstacles.append(
            f"system {machine.system} on {machine.architecture}: the lab needs Linux on x86_64 or aarch64;"
            " use a virtual machine, or a real cluster with pulumi up"
        )
    if machine.python < PYTHON:
        have, need = (".".join(map(str, version)) for version in (machine.python, PYTHON))
        obstacles.append(f"Python {have}: at least {need} is needed; name another with make PYTHON=python{need}")
    if machine.free < SPACE:
        obstacles.append(
            f"{machine.free / GIBIBYTE:.1f} GiB free in the project's folder: {SPACE // GIBIBYTE} GiB are needed;"
            " free some"
        )
    if not machine.writable:
        obstacles.append(f"folder {ROOT}: you may not write there; clone the project to where you may")
    packages = [package for command, package in commands.items() if command not in machine.commands]
    if not machine.has_installer:
        packages.append("python3-pip")
    if packages and not (machine.is_root and machine.has_apt):
        why = "you are not root" if machine.has_apt else "there is no apt-get here"
        obstacles.append(f"missing packages {', '.join(packages)} ({why}): install them, then run this again")
    return Plan(tuple(packages), tuple(obstacles))


def inspect() -> Machine:
    """Inspect this machine."""
    return Machine(
        system=platform.system(),
        architecture=platform.machine(),
        python=sys.version_info[:2],
        has_installer=shutil.which("uv") is not None or importlib.util.find_spec("pip") is not None,
        commands=frozenset(command for command in (*COMMANDS, *TEST_COMMANDS) if shutil.which(command)),
        is_root=os.geteuid() == 0,
        has_apt=shutil.which("apt-get") is not None,
        free=shutil.disk_usage(ROOT).free,
        writable=os.access(ROOT, os.W_OK),
    )


def install(packages: Collection[str]) -> str | None:
    """Install distribution packages and return None, or what went wrong."""
    print(f"installing {', '.join(packages)} with apt-get", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", *packages]):
        result = subprocess.run(["apt-get", *arguments], env=environment, capture_output=True, text=True, check=False)
        if result.returncode:
            said = (result.stderr.strip().splitlines() or ["no output"])[-1]
            return f"apt-get {arguments[0]}: {said}; check the network, or install {', '.join(packages)} by hand"
    return None


def find_uv() -> str | None:
    """Return uv: the one on PATH if it is new enough, otherwise the pinned version, which pip puts into the cache.

    Returns None if pip fails, which then says why.
    """
    pin = re.findall(r'"uv==([\d.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[0]
    found = shutil.which("uv")
    if found:
        output = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
        version = re.match(r"uv (\d+)\.(\d+)\.(\d+)", output)
        if version and tuple(map(int, version.groups())) >= tuple(map(int, pin.split("."))):
            return found

    def download(folder: Path) -> None:
        print(f"installing uv {pin} into {cache.folder()}", flush=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        environment = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}
        subprocess.run([*pip, "--target", str(folder), f"uv=={pin}"], env=environment, check=True)

    try:
        return str(cache.once(f"uv-{pin}-{platform.machine()}", download) / "bin" / "uv")
    except subprocess.CalledProcessError:
        return None


def make_environment() -> str | None:
    """Install the packages of ``uv.lock`` into ``.venv`` and return None, or what went wrong."""
    stamp = ROOT / ".venv" / ".requirements"
    wanted = cache.key([sys.version], [ROOT / name for name in REQUIREMENTS])
    if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
        return None
    uv = find_uv()
    if uv is None:
        return "pip install uv: see above; check the network and the package index, or install uv by hand"
    print("installing the Python packages into .venv", flush=True)
    sync = [uv, "sync", "--quiet", "--locked", "--python", sys.executable]
    # The services run in pods, which cannot write compiled modules to the environment.
    for options in (["--only-group", "services", "--compile-bytecode"], []):
        if subprocess.run([*sync, *options], cwd=ROOT, check=False).returncode:
            return "uv sync: see above; check the network, or run make lock if uv.lock is outdated"
    stamp.write_text(wanted, encoding="ascii")
    return None


def main(arguments: Sequence[str]) -> int:
    """Set this machine up; ``--tests`` includes what the tests need."""
    found = plan(inspect(), {**COMMANDS, **TEST_COMMANDS} if "--tests" in arguments else COMMANDS)
    for line in found.obstacles:
        print(f"error: {line}", file=sys.stderr)
    if found.obstacles:
        return 1
    fault = (install(found.packages) if found.packages else None) or make_environment()
    if fault:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
