"""Processes that outlive the command that started them, and that later commands find again."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PATIENCE: Final = 15.0
"""Seconds that a process gets to end after SIGTERM."""

_MOMENT: Final = 0.05

_LAUNCH: Final = 'cd "$1" && shift && echo $$ >"$0.new" && mv "$0.new" "$0" && '
"""What the shell does that each process starts as. The pid comes first: a kill at any moment leaves none unknown."""

_ONCE: Final = 'exec "$@"'
_AGAIN: Final = 'while :; do setpriv --pdeathsig KILL "$@"; echo $? >>"${0%.pid}.exits"; sleep 1; done'


@dataclass(frozen=True)
class Process:
    """A process that runs the command ``name`` in ``folder``, where ``<name>.pid`` and ``<name>.log`` are.

    One that is ``supervised`` is started again when it ends; its pid is then that of the shell that does so, which
    adds each exit code to ``<name>.exits``. A ``module`` is one of this project's, run by Python.
    """

    name: str
    folder: Path
    arguments: tuple[str, ...]
    supervised: bool = False
    module: bool = False

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.folder / f"{self.name}.log"

    def pid(self) -> int | None:
        """Return the process's id if it runs.

        A pid that the system has given to something else since is told by what runs there and in which folder.
        """
        try:
            pid = int((self.folder / f"{self.name}.pid").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        if self._is(pid):
            return pid
        if not Path(f"/proc/{pid}").exists():
            return None
        # While it becomes another program, what the system says of it is neither the one nor the other.
        time.sleep(_MOMENT)
        return pid if self._is(pid) else None

    def exits(self) -> int:
        """Return how many times it has ended and was started again, if it is supervised."""
        try:
            return len(self._exits.read_text(encoding="ascii").splitlines())
        except FileNotFoundError:
            return 0

    @property
    def _exits(self) -> Path:
        return self.folder / f"{self.name}.exits"

    def _is(self, pid: int) -> bool:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
            here = Path(f"/proc/{pid}/cwd").resolve() == self.folder.resolve()
            state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
        except OSError:
            return False
        # By its name alone, for the lab may have been started from an earlier build.
        # For a moment while it starts, it has no words at all.
        is_ours = words == [""] or self.name in {Path(word).name for word in words[:8]}
        return here and is_ours and state != "Z"

    def start(self, binaries: Path, *, tethered: bool = False) -> None:
        """Start it if it does not run.

        :param binaries: the folder that holds the command.
        :param tethered: end it, however that comes, when the thread that started it ends.
        """
        if self.pid() is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        tether = [str(shutil.which("setpriv")), "--pdeathsig", "KILL"] if tethered else []
        pid_file = self.folder / f"{self.name}.pid"
        pid_file.unlink(missing_ok=True)
        self._exits.unlink(missing_ok=True)
        script = _LAUNCH + (_AGAIN if self.supervised else _ONCE)
        command = [sys.executable, "-m", self.name] if self.module else [str(binaries / self.name)]
        words = [*tether, "/bin/sh", "-c", script, str(pid_file), str(self.folder), *command, *self.arguments]
        appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        child = os.posix_spawn(
            words[0],
            words,
            {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log), appending, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        deadline = time.monotonic() + _PATIENCE
        while self.pid() != child and time.monotonic() < deadline and os.waitpid(child, os.WNOHANG)[0] == 0:
            time.sleep(0.01)

    def stop(self) -> None:
        """End it, by force if it takes longer than 15 seconds; return when it is gone."""
        pid = self.pid()
        for number in (signal.SIGTERM, signal.SIGKILL):
            if pid is None:
                break
            with suppress(ProcessLookupError):
                # It leads a session, and so a group, of its own.
                os.killpg(pid, number)
            deadline = time.monotonic() + _PATIENCE
            while self.pid() == pid and time.monotonic() < deadline:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
                time.sleep(0.02)
            pid = self.pid()
        (self.folder / f"{self.name}.pid").unlink(missing_ok=True)

    def last_words(self) -> str:
        """Return the last line of its log that says something."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            return "it left no log"
        errors = [line for line in lines[-40:] if line.startswith(("E", "F", "Error")) or '"fatal"' in line]
        return (errors or lines or ["its log is empty"])[-1].strip()
