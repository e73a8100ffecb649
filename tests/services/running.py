"""Services as processes of a test's own, on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.ports import free_ports

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Running:
    """A service that runs."""

    process: subprocess.Popen[bytes]
    port: int
    output: Path

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/"

    def get(self, path: str = "", headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        request = urllib.request.Request(self.url + path, headers=dict(headers or {}), method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return Answer(response.status, response.read().decode(), dict(response.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode(), dict(error.headers))

    def wait_for(self, path: str, status: int = 200, seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        found: int | None = None
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.output.read_text()
            with suppress(OSError):
                found = self.get(path).status
            if found == status:
                return
            time.sleep(0.02)
        raise AssertionError(f"{path} is {found}, not {status}:\n{self.output.read_text()}")

    def metric(self, name: str) -> float:
        lines = self.get("metrics").text.splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))

    def wait_for_metric(self, name: str, least: float, seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while self.metric(name) < least:
            assert time.monotonic() < deadline, (name, self.metric(name), least)
            time.sleep(0.05)

    def log(self, message: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.output.read_text().splitlines()]
        return [line for line in lines if line["message"] == message]

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


class Services:
    """Starts services, and ends them with the test."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._count = 0

    def start(self, program: str, **environment: str) -> Running:
        """Start a service; it is alive when this returns."""
        self._count += 1
        port = int(environment.pop("PORT", 0)) or free_ports()
        output = self._folder / f"{program}-{self._count}.log"
        base = {"PATH": os.environ["PATH"], "LISTEN_ADDRESS": "127.0.0.1", "HOSTNAME": "pod-1"}
        with output.open("wb") as stream:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "services", program],
                cwd=ROOT,
                env={**base, "STOP_DELAY_SECONDS": "0", "PORT": str(port), **environment},
                stdout=stream,
                stderr=stream,
            )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        running = Running(process, port, output)
        running.wait_for("health")
        return running
