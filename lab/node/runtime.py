"""Containers as processes of this machine, run by crun. They outlive the kubelet, and a restarted kubelet finds them.

Each attempt to run a container has a folder: ``config.json``, ``rootfs``, ``log``, ``shim.pid`` (the process that
waits for it), ``pid`` (its first process) and, at the end, ``exit`` with its code.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from lab import files
from lab.errors import LabError

_SHIM: Final = (
    'cd "$1" && shift && echo $$ >shim.pid.new && mv shim.pid.new shim.pid && "$@"; echo $? >exit.new; mv exit.new exit'
)
"""What the process does that waits for a container: its exit code is on the disk whoever has died meanwhile."""

_NO_CGROUPS: Final = "mount -t tmpfs none /sys/fs/cgroup && "
"""crun refuses a machine with both versions of cgroups even when told to use none: it is shown one without."""

ROOT: Final = Path("/run/userns/root")
"""Where crun finds a container's root folder, in a mount namespace of its own: the container's root, as whom crun sets
it up, may not go through the lab's folder."""

_BY_ITSELF: Final = 'exec "$@"'
_WITH_ROOT: Final = f'mount --bind "$1" {ROOT} && shift && exec "$@"'

KILLED: Final = 128 + signal.SIGKILL
_START_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Runtime:
    """crun with its state in a folder of the lab's own."""

    state: Path

    def _crun(self, *arguments: str, root: Path | None = None) -> list[str]:
        crun = shutil.which("crun")
        if crun is None:
            message = "crun is not on PATH; `make environment` installs what the lab needs"
            raise LabError(message)
        enter = [str(shutil.which("unshare")), "--mount", "--propagation", "slave", "/bin/sh", "-c"]
        enter += [_NO_CGROUPS + _BY_ITSELF, "sh"] if root is None else [_NO_CGROUPS + _WITH_ROOT, "sh", str(root)]
        return [*enter, crun, "--root", str(self.state), "--cgroup-manager=disabled", *arguments]

    def start(self, identifier: str, folder: Path, configuration: dict[str, Any]) -> None:
        """Start a container whose attempt's folder is there, with its root folder; return at once."""
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        ROOT.mkdir(parents=True, exist_ok=True)
        # It holds the environment, and so passwords.
        files.replace(folder / "config.json", orjson.dumps(configuration))
        words = ("run", "--bundle", str(folder), "--pid-file", str(folder / "pid"), identifier)
        run = self._crun(*words, root=folder / "rootfs")
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        # A container's user may open its own /dev/stdout; nobody else gets into the folder.
        os.fchmod(log, 0o666)
        try:
            subprocess.run(  # noqa: S603
                [str(shutil.which("setsid")), "--fork", "/bin/sh", "-c", _SHIM, "sh", str(folder), *run],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=True,
            )
        finally:
            os.close(log)

    async def started(self, folder: Path) -> int | None:
        """Wait until a container's first process is there, and return its process ID; None if it could not start."""
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if pid := _number(folder / "pid"):
                return pid
            if (folder / "exit").exists():
                return None
            await asyncio.sleep(0.01)
        return None

    async def wait(self, folder: Path) -> int:
        """Wait until a container has ended, and return its exit code (137 where nobody saw it)."""
        while not (folder / "exit").exists():
            shim = _number(folder / "shim.pid")
            if shim is None or not _runs(shim, folder):
                break
            await _ended(shim)
        await asyncio.sleep(0)
        code = _number(folder / "exit")
        return KILLED if code is None else code

    def was_started(self, folder: Path) -> bool:
        """Tell whether a container was started in that folder, whatever has become of it."""
        return (folder / "exit").exists() or _number(folder / "shim.pid") is not None

    def ended_at(self, folder: Path) -> datetime:
        """Return when a container's end was seen, as far as somebody saw it."""
        path = folder / "exit"
        return datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.exists() else datetime.now(UTC)

    def runs(self, folder: Path) -> bool:
        """Tell whether a container that was started in that folder is still waited for."""
        shim = _number(folder / "shim.pid")
        return shim is not None and not (folder / "exit").exists() and _runs(shim, folder)

    async def signal(self, identifier: str, number: signal.Signals) -> None:
        """Send a container's first process a signal; nothing happens where it has ended."""
        await self._quietly("kill", identifier, str(int(number)))

    async def remove(self, identifier: str) -> None:
        """End a container by force and forget it."""
        await self._quietly("delete", "--force", identifier)

    async def _quietly(self, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *self._crun(*arguments), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        await process.wait()

    async def execute(
        self, identifier: str, folder: Path, words: Sequence[str], *, terminal: bool = False, **streams: Any
    ) -> asyncio.subprocess.Process:
        """Run another command in a container, as the container's own user and with its environment.

        :param streams: as ``asyncio.create_subprocess_exec`` takes them.
        """
        process = orjson.loads((folder / "config.json").read_bytes())["process"]
        # In memory: it holds the environment, which is nobody's business on a disk or in an argument.
        descriptor = os.memfd_create("process", 0)
        try:
            os.write(descriptor, orjson.dumps({**process, "args": list(words), "terminal": terminal}))
            command = self._crun("exec", "--process", f"/proc/self/fd/{descriptor}", identifier)
            return await asyncio.create_subprocess_exec(*command, pass_fds=(descriptor,), **streams)
        finally:
            os.close(descriptor)

    def sweep(self) -> None:
        """End all containers by force, and whoever waits for them."""
        if not self.state.is_dir():
            return
        for folder in self.state.iterdir():
            subprocess.run(  # noqa: S603
                self._crun("delete", "--force", folder.name), capture_output=True, check=False
            )


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _runs(pid: int, folder: Path) -> bool:
    """Tell whether a process waits in a folder; another's that has the number since does not."""
    try:
        here = Path(f"/proc/{pid}/cwd").readlink() == folder.resolve()
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return here and state != "Z"


async def _ended(pid: int) -> None:
    """Wait for the end of a process that need not be a child of this one."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        try:
            loop.add_reader(descriptor, gone.set)
            await gone.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
