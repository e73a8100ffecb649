"""One lab: its name, its folder, its network, its processes and how the program is run on it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from lab import files
from lab.cluster import Cluster
from lab.control_plane import ControlPlane
from lab.engine.backend import state_path
from lab.errors import LabError
from lab.network import LABS, Network, preferred
from lab.node.runtime import Runtime
from lab.processes import Process

ROOT: Final = Path(__file__).parent.parent
"""The project's folder, where Pulumi.yaml is."""

EXAMPLES: Final = ROOT / "examples"
PROJECT: Final = "kafka-on-istio"
STACK: Final = "lab"
ENGINES: Final = ("lab", "pulumi")
_MANIFESTS: Final = tuple(ROOT / "lab" / "node" / name for name in ("rights.yaml", "admission.yaml"))
"""What the node may do, and what pods on it may not have."""

_NAME: Final = re.compile(r"[a-z]([-a-z0-9]{0,28}[a-z0-9])?")


@dataclass(frozen=True)
class Lab:
    """A lab by its name; everything of it is in ``.lab/<name>`` (mode 700)."""

    name: str
    engine: str = "lab"
    number: int | None = None

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

    def network(self) -> Network:
        """Return the lab's network: the one that it has, else the one asked for, else one that is free.

        :raises LabError: if it has another than the one asked for.
        """
        recorded = self.folder / "network"
        if recorded.exists():
            number = int(recorded.read_text(encoding="ascii"))
            if self.number not in (None, number):
                message = f"--network {self.number}: lab {self.name} has number {number}; `make down` it first"
                raise LabError(message)
            return Network(number)
        if self.number is not None:
            return Network(self.number)
        first = preferred(self.name)
        return next(
            (network for step in range(LABS) if not (network := Network((first + step) % LABS)).exists()),
            Network(first),
        )

    def start(self, binaries: Path, say: Callable[[str], None]) -> None:
        """Start what does not run: the network, the control plane, the node, and what is outside.

        :param binaries: the folder with the built commands.
        :param say: is told what goes on.
        :raises LabError: if a part cannot be started.
        """
        network = self.network()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # First, so that whatever a kill leaves behind is found again.
        files.replace(self.folder / "network", str(network.index).encode())
        network.up()
        plane = self.control_plane()
        say("control plane: starting" if plane.processes()[1].pid() is None else "control plane: running")
        plane.start(binaries)
        say(f"control plane: ready at {plane.address} (KUBECONFIG={plane.kubeconfig})")
        for manifests in _MANIFESTS:
            Cluster(plane.kubeconfig).apply(manifests)
        for process in self.node(binaries):
            process.start(binaries)

    def control_plane(self) -> ControlPlane:
        """Return the lab's control plane."""
        return ControlPlane(self.folder / "control-plane", network=self.network())

    def node(self, binaries: Path) -> list[Process]:
        """Return the processes that run pods, and what is outside of the cluster.

        :param binaries: the folder with the built commands.
        """
        plane, number = self.control_plane(), str(self.network().index)
        agent = (
            f"--folder={self.folder / 'node'}",
            f"--kubeconfig={plane.folder / 'kubelet.kubeconfig'}",
            f"--certificates={plane.folder / 'certificates'}",
            f"--binaries={binaries}",
            f"--network={number}",
        )
        outside = (
            f"--network={number}",
            f"--kubeconfig={plane.folder / 'kubelet.kubeconfig'}",
            f"--folder={self.folder / 'node'}",
        )
        return [
            Process("lab.outside", self.folder / "node", outside, supervised=True, module=True),
            Process("lab.node", self.folder / "node", agent, supervised=True, module=True),
        ]

    def remove(self) -> None:
        """End all processes of the lab, and remove its network and its folder."""
        for process in reversed(self.node(Path())):
            process.stop()
        Runtime(self.folder / "node" / "crun").sweep()
        self.control_plane().stop()
        self.network().down()
        shutil.rmtree(self.folder)

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

    def settings(self) -> list[str]:
        """Return what the lab's user has set for good: ``key=value``, the value in JSON."""
        try:
            kept = orjson.loads((self.folder / "settings.json").read_bytes())
        except FileNotFoundError:
            return []
        return [f"{key}={orjson.dumps(value).decode()}" for key, value in kept.items()]

    def rotate(self, user: str) -> None:
        """Raise the number of a Kafka user's password, for this run and those after it."""
        path = self.folder / "settings.json"
        kept = orjson.loads(path.read_bytes()) if path.exists() else {}
        rotations = kept.setdefault("userPasswordRotation", {})
        rotations[user] = rotations.get(user, 1) + 1
        files.replace(path, orjson.dumps(kept))

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs.

        :raises LabError: if they cannot be had.
        """
        words = [*self._engine(), "stack", "output", "--json", "--stack", STACK]
        result = subprocess.run(  # noqa: S603
            words, cwd=ROOT, env=self.environment(), capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise LabError(result.stderr.strip().removeprefix("error: ") or f"lab {self.name}: no outputs")
        outputs: dict[str, Any] = orjson.loads(result.stdout)
        return outputs

    def access_model(self) -> dict[str, Any]:
        """Return the stack's output ``accessModel``.

        :raises LabError: if it cannot be had, or the stack has none.
        """
        model: dict[str, Any] | None = self.outputs().get("accessModel")
        if model is None:
            message = f"lab {self.name}: its stack has no application; make it with: make up"
            raise LabError(message)
        return model

    def run(self, command: str, *arguments: str, config: Sequence[str] = (), program: Path = ROOT) -> int:
        """Run a command of the engine on a program, and return its exit code.

        :param program: the folder of its project; by default that of the system itself, with what was set for good.
        :raises LabError: if the engine asked for is not there.
        """
        words = [*self._engine(), command, "--stack", STACK, "--cwd", str(program), *arguments]
        kept = self.settings() if program == ROOT else ()
        words += [word for setting in (*kept, *config) for word in ("--config", setting)]
        # Where other programs find the components.
        environment = self.environment() | {"PYTHONPATH": str(ROOT)}
        if self.engine == "pulumi":
            select = [*self._engine(), "stack", "select", "--create", STACK, "--cwd", str(program)]
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
