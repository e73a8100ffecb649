"""``python -m tools.benchmarks engine``: how long the Pulumi engine takes, and what of it the program itself takes.

Every measurement is of whole commands, as a user runs them, with all their processes. The program itself is run by the
harness, which answers each registration at once: what remains is Python, the SDK and the program.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from lab.binaries.build import build
from lab.charts.assemble import assemble
from lab.control_plane import ControlPlane
from lab.lab import ROOT
from lab.ports import free_ports
from lab.pulumi.engine import find

SYNTHETIC = Path(__file__).parent / "synthetic"
ENGINE = [sys.executable, "-m", "lab.pulumi"]
HARNESS = [sys.executable, "-m", "harness", "preview"]
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Measurement:
    """Seconds from start to end, and the most memory (bytes, proportional set size) that a command's processes took."""

    seconds: float
    memory: int


def tree_memory(pid: int) -> int:
    """Return the bytes that a process and all below it take, shared pages shared out."""
    total = 0
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        try:
            lines = Path(f"/proc/{current}/smaps_rollup").read_text().splitlines()
            waiting += map(int, Path(f"/proc/{current}/task/{current}/children").read_text().split())
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def measure(command: list[str], environment: dict[str, str]) -> Measurement:
    """Run a command and measure it; its output is thrown away.

    :raises SystemExit: if it fails.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        most = 0

        def watch() -> None:
            nonlocal most
            while process.poll() is None:
                most = max(most, tree_memory(process.pid))
                time.sleep(0.25)

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = process.wait()
        seconds = time.monotonic() - started
        watcher.join()
        if code:
            output.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{output.read().decode()[-2000:]}")
    return Measurement(seconds, most)


def line(what: str, found: Measurement, target: str = "", resources: int = 0) -> str:
    """Return a row of the table."""
    each = f"{found.seconds / resources * 1000:6.1f} ms each" if resources else ""
    return f"{what:<44}{found.seconds:7.1f} s{found.memory / MEBIBYTE:7.0f} MiB  {each:<16}{target}"


def main() -> None:
    """Measure, and print a table."""
    environment = dict(os.environ)
    binaries, charts = build(), assemble(ROOT / ".lab" / "charts")
    imports = "import pulumi, pulumi_kubernetes.helm.v4, pulumi_random, components.arguments, model.policies"
    print(line("imports of the program alone", measure([sys.executable, "-c", imports], environment)))
    print(line("the program alone, stack lab", measure([*HARNESS, "--stack", "lab"], environment), "at most 3 s"))
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        find(folder / "home", print)
        plane = ControlPlane(folder / "control-plane", free_ports(), tethered=True)
        plane.start(binaries)
        try:
            environment["KUBECONFIG"] = str(plane.kubeconfig)
            kubectl = [str(Path(sys.executable).parent / "kubectl"), "apply", "--server-side"]
            definitions = (
                charts / "strimzi-kafka-operator" / "crds",
                charts / "base" / "files" / "crd-all.gen.yaml",
            )
            for path in definitions:
                subprocess.run([*kubectl, "-f", str(path)], env=environment, check=True, capture_output=True)
            for services in (10, 100):
                compare(folder / "pulumi", environment, services)
        finally:
            plane.stop()


def compare(folder: Path, environment: dict[str, str], services: int) -> None:
    """Measure the program, an up of it, an up without changes and a destroy of a synthetic stack.

    :param folder: for the engine's workspace.
    """
    resources = 7 * services + 1
    where = ["--stack", "synthetic", "--cwd", str(SYNTHETIC), "--config", f"services={services}"]
    workspace = ["--folder", str(folder)]
    commands = {
        "the program alone": [*HARNESS, *where],
        "up": [*ENGINE, "up", *where, *workspace],
        "up without changes": [*ENGINE, "up", *where, *workspace, "--expect-no-changes"],
        "destroy": [*ENGINE, "destroy", *where, *workspace],
    }
    for what, command in commands.items():
        print(line(f"{what}, {resources} resources", measure(command, environment), resources=resources), flush=True)
