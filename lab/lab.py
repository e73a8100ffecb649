"""One lab: its name, folder, network, processes, and the program on it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import ValidationError

from kafka_on_istio.access.model import AccessModel, from_json
from lab import files, locks
from lab.cluster import Cluster
from lab.control_plane import ControlPlane
from lab.errors import LabError
from lab.network import LABS, Network, preferred
from lab.node.runtime import Runtime
from lab.processes import Process
from lab.pulumi import access, operation
from lab.pulumi.engine import Engine, find
from lab.pulumi.workspace import Workspace

ROOT: Final = Path(__file__).parent.parent
"""The project's folder, where Pulumi.yaml is."""

EXAMPLES: Final = ROOT / "examples"
PROJECT: Final = "kafka-on-istio"
STACK: Final = "lab"
_MANIFESTS: Final = tuple(ROOT / "lab" / "node" / name for name in ("rights.yaml", "admission.yaml"))
"""What the node may do, and what pods on it may not have."""

_NAME: Final = re.compile(r"[a-z]([-a-z0-9]{0,28}[a-z0-9])?")


@dataclass(frozen=True)
class Lab:
    """A lab by its name; everything of it is in ``.lab/<name>`` (mode 700)."""

    name: str
    number: int | None = None

    def __post_init__(self) -> None:
        """Validate the name and the number.

        :raises LabError: naming the value and what is allowed.
        """
        if not _NAME.fullmatch(self.name) or self.name == "charts":
            message = (
                f"--name {self.name}: must be lower-case letters, digits and '-', start with a letter,"
                " at most 30 characters, and not 'charts'"
            )
            raise LabError(message)

    @property
    def folder(self) -> Path:
        """Everything of this lab."""
        return ROOT / ".lab" / self.name

    def network(self) -> Network:
        """Return the lab's network: its current one, the requested one, or a free one, in this order.

        :raises LabError: if its current one is not the requested one.
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
        """Start the parts that do not run: network, control plane, node, and outside hosts.

        :param binaries: the folder with the built commands.
        :param say: prints progress.
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

    def is_running(self) -> bool:
        """Tell whether the control plane answers."""
        plane = self.control_plane()
        return plane.folder.exists() and plane.is_ready()

    def node(self, binaries: Path) -> list[Process]:
        """Return the processes of the node and of outside hosts.

        :param binaries: the folder with the built commands.
        """
        plane, number = self.control_plane(), str(self.network().index)
        kubelet = (
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
            Process("lab.node", self.folder / "node", kubelet, supervised=True, module=True),
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
        """Lock this lab against other commands.

        :raises LabError: if another command holds the lock, or the folder is not writable.
        """
        path = ROOT / ".lab" / f"{self.name}.lock"
        try:
            path.parent.mkdir(exist_ok=True)
            lock = locks.lock(path)
        except OSError as error:
            message = f"{path}: {os.strerror(error.errno or 0)}; the lab stores its files there"
            raise LabError(message) from error
        except locks.HeldError as error:
            message = f"lab {self.name}: process {error.holder} is using it; wait until it ends"
            raise LabError(message) from error
        with lock:
            yield

    def workspace(self, program: Path = ROOT) -> Workspace:
        """Return the Pulumi workspace of a program on this lab.

        :param program: the folder of its project; by default that of the system itself.
        """
        return Workspace(self.folder / "pulumi", program, STACK, self.control_plane().kubeconfig)

    def resources(self) -> int:
        """Count the resources in the stack's state."""
        return len(self.workspace().resources())

    def engine(self, say: Callable[[str], None]) -> Engine:
        """Return the engine that runs programs; builds it if the cache does not have it.

        :raises LabError: if it cannot be built.
        """
        return find(self.folder / "pulumi" / "home", say)

    def settings(self) -> dict[str, Any]:
        """Return the lab's persistent settings, by key."""
        try:
            return dict(orjson.loads((self.folder / "settings.json").read_bytes()))
        except FileNotFoundError:
            return {}

    def rotate(self, user: str) -> None:
        """Increase the rotation number of a Kafka user's password, for this run and later ones."""
        path = self.folder / "settings.json"
        kept = self.settings()
        rotations = kept.setdefault("userPasswordRotation", {})
        rotations[user] = rotations.get(user, 1) + 1
        files.replace(path, orjson.dumps(kept))

    def access_model(self) -> AccessModel:
        """Return the access model of the lab's stack.

        :raises LabError: if the stack has none, or one of another release.
        """
        exported = access.recorded(self.workspace())
        if exported is None:
            message = f"lab {self.name}: its stack has no application; deploy one with: make up"
            raise LabError(message)
        try:
            return from_json(exported)
        except ValidationError as error:
            message = f"lab {self.name}: its stack was deployed by another release; update it with: make up"
            raise LabError(message) from error

    def prepare(self, config: Sequence[str] = (), program: Path = ROOT) -> Workspace:
        """Return a program's workspace, with its settings, the persistent settings, and those of this run.

        :param program: the folder of its project; by default that of the system itself.
        :raises LabError: if a setting is not ``key=value``, or the folder holds no Python program.
        """
        workspace = self.workspace(program)
        # Where the settings of a stack name the lab's charts.
        workspace.prepare(self.settings() if program == ROOT else {}, config, {".lab": ROOT / ".lab"})
        return workspace

    def run(
        self,
        command: str,
        say: Callable[[str], None],
        config: Sequence[str] = (),
        program: Path = ROOT,
        **options: Any,
    ) -> int:
        """Run a command of the engine on a program, and return its exit code.

        :param command: ``up``, ``preview``, ``refresh`` or ``destroy``.
        :param options: of the Automation API's method of that name.
        :raises LabError: if there is no engine, or another process uses the stack.
        """
        engine, workspace = self.engine(say), self.prepare(config, program)
        if command == "up":
            for line in access.changes(workspace, workspace.environment(engine)):
                say(line)
        return operation.run(workspace, engine, command, say, **options)

    def listed(self, config: Sequence[str]) -> int:
        """Print what the program would create in an empty cluster, and return an exit code."""
        words = [sys.executable, "-m", "harness", "preview", "--stack", STACK, "--suppress-outputs"]
        words += [word for setting in config for word in ("--config", setting)]
        # No other cluster is looked at.
        environment = os.environ | {"KUBECONFIG": os.devnull}
        return subprocess.run(words, cwd=ROOT, env=environment, check=False).returncode  # noqa: S603 our own
