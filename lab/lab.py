"""One lab: its name, its folder, its control plane and how the program is run on it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from lab.control_plane import ControlPlane
from lab.engine import files
from lab.engine.backend import state_path
from lab.errors import LabError

ROOT: Final = Path(__file__).parent.parent
"""The project's folder, where Pulumi.yaml is."""

PROJECT: Final = "kafka-on-istio"
STACK: Final = "lab"
ENGINES: Final = ("lab", "pulumi")
_NAME: Final = re.compile(r"[a-z]([-a-z0-9]{0,28}[a-z0-9])?")


@dataclass(frozen=True)
class Lab:
    """A lab by its name; everything of it is in ``.lab/<name>`` (mode 700)."""

    name: str
    port: int
    engine: str = "lab"

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        :raises LabError: naming the value and what is allowed.
        """
        if not _NAME.fullmatch(self.name) or self.name == "charts":
            message = (
                f"--name {self.name}: must be lower-case letters, digits and '-', start with a letter,"
                " at most 30 characters, and not 'charts'"
            )
            raise LabError(message)

        self._engine()

    @property
    def folder(self) -> Path:
        """Everything of this lab."""
        return ROOT / ".lab" / self.name

    def control_plane(self) -> ControlPlane:
        """Return the lab's control plane."""
        return ControlPlane(self.folder / "control-plane", self.port)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands from this lab.

        :raises LabError: if another has it, or the folder cannot be written.
        """
        path = ROOT / ".lab" / f"{self.name}.lock"
        try:
            path.parent.mkdir(exist_ok=True)
            lock = files.lock(path)
        except OSError as error:
            message = f"{path}: {os.strerror(error.errno or 0)}; the lab keeps its files there"
            raise LabError(message) from error
        except files.HeldError as error:
            message = f"lab {self.name}: process {error.holder} works on it; wait for that to end"
            raise LabError(message) from error
        with lock:
            yield

    def state_file(self) -> Path:
        """Return where the stack's state is."""
        return state_path(self.folder, PROJECT, STACK)

    def resources(self) -> int:
        """Count the resources in the stack's state."""
        try:
            return len(orjson.loads(self.state_file().read_bytes())["deployment"]["resources"])
        except (OSError, ValueError, KeyError):
            return 0

    def environment(self) -> dict[str, str]:
        """Return the environment in which either engine finds this lab's cluster and state."""
        passphrase = self.folder / "passphrase"
        if not passphrase.exists():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            files.replace(passphrase, secrets.token_urlsafe(32).encode())
        inherited = {key: value for key, value in os.environ.items() if key != "PULUMI_CONFIG_PASSPHRASE"}
        return {
            **inherited,
            "KUBECONFIG": str(self.control_plane().kubeconfig),
            "PULUMI_BACKEND_URL": f"file://{self.folder}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase),
        }

    def run(self, command: str, *arguments: str, config: Sequence[str] = ()) -> int:
        """Run a command of the engine on the program, and return its exit code.

        :raises LabError: if the engine asked for is not there.
        """
        words = [*self._engine(), command, "--stack", STACK, *arguments]
        words += [word for setting in config for word in ("--config", setting)]
        environment = self.environment()
        if self.engine == "pulumi":
            select = [*self._engine(), "stack", "select", "--create", STACK]
            subprocess.run(select, cwd=ROOT, env=environment, check=True)  # noqa: S603 the user's own pulumi
        with subprocess.Popen(words, cwd=ROOT, env=environment) as process:  # noqa: S603
            try:
                return process.wait()
            except KeyboardInterrupt:
                # The engine has had the same Ctrl-C, and says how far it came.
                return process.wait()

    def _engine(self) -> list[str]:
        if self.engine == "lab":
            return [sys.executable, "-m", "lab.engine"]
        pulumi = shutil.which("pulumi")
        if pulumi is None:
            message = "--engine pulumi: pulumi is not on PATH; install it, or leave the option out to use the lab's own"
            raise LabError(message)
        return [pulumi]
