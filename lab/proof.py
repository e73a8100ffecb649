"""Runs the proof, as a command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import orjson

from kafka_on_istio.access.model import to_json
from lab.lab import ROOT, Lab


def verify(lab: Lab, arguments: Sequence[str]) -> int:
    """Prove that a lab allows what its stack declares, and nothing else; return the exit code.

    :param arguments: as ``python -m verify`` has them.
    :raises LabError: if the stack has no access model.
    """
    command = [sys.executable, "-m", "verify", "--kubeconfig", str(lab.control_plane().kubeconfig), "--model", "-"]
    model = orjson.dumps(to_json(lab.access_model()))
    return subprocess.run([*command, *arguments], input=model, cwd=ROOT, check=False).returncode  # noqa: S603
