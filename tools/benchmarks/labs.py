"""Labs for measurements: brought up, timed by what they print, and removed."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.lab import ROOT, Lab
from tools.benchmarks.load import Target

_PHASES = {
    "control plane ready": re.compile(r"^control plane: ready"),
    "istiod ready": re.compile(r"^create \S+:Deployment istio-istiod:"),
    "Kafka ready": re.compile(r"^create \S+:Kafka kafka-kafka "),
    "users ready": re.compile(r"^create \S+:KafkaUser "),
    "application ready": re.compile(r"^create \S+:Deployment demo-"),
    "first reply": re.compile(r"^customer => "),
}
"""The phases of bringing a lab up, each with the line that it ends with (the last one of several)."""


@contextmanager
def up(name: str, *config: str) -> Iterator[tuple[Lab, dict[str, float]]]:
    """Bring a lab up and give it with the seconds after which each phase was over; remove it in the end.

    :raises SystemExit: if it does not come up.
    """
    settings = [word for setting in config for word in ("--config", setting)]
    command = [sys.executable, "-u", "-m", "lab", "up", "--name", name, *settings]
    phases: dict[str, float] = {}
    began = time.perf_counter()
    said: list[str] = []
    try:
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout or ():
                said.append(line)
                for phase, pattern in _PHASES.items():
                    if pattern.search(line):
                        phases[phase] = time.perf_counter() - began
        if process.returncode:
            sys.exit("".join(said[-5:]))
        yield Lab(name), phases
    finally:
        subprocess.run(
            [sys.executable, "-m", "lab", "down", "--name", name, "--force"], cwd=ROOT, check=False, capture_output=True
        )
        (ROOT / ".lab" / f"{name}.lock").unlink(missing_ok=True)


def ingress(lab: Lab) -> Target:
    """Return where calls go in: the gateway, or without a data plane the service behind it."""
    text = subprocess.run(
        [sys.executable, "-m", "lab", "call", "--name", lab.name], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    found = re.search(r"http://([\d.]+)(?::(\d+))?(/\S*)", text)
    assert found, text
    return Target(int(found[2] or 80), found[1], found[3])


def memory(roots: Sequence[int]) -> int:
    """Return the bytes that processes and all below them have, shared pages divided among those that share them."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                below.setdefault(parent, []).append(int(entry.name))
    total, waiting, seen = 0, list(roots), set()
    while waiting:
        pid = waiting.pop()
        if pid in seen:
            continue
        seen.add(pid)
        waiting += below.get(pid, [])
        with suppress(OSError):
            found = re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
            total += int(found[1]) * 1024 if found else 0
    return total


def processes(lab: Lab, pattern: str) -> list[int]:
    """Return the process IDs in the files below a lab's folder that a pattern names."""
    return [int(path.read_text()) for path in lab.folder.glob(pattern)]
