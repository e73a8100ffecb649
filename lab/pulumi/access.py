"""``python -m lab.pulumi.access DIRECTORY STACK``: print the access model of a program, as JSON."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from harness.errors import HarnessError
from harness.program import Program, ProgramFailedError
from harness.urn import STACK_TYPE
from lab.pulumi.workspace import Workspace
from review.access import access_changes

_ROOT: Final = Path(__file__).parent.parent.parent


def recorded(workspace: Workspace) -> dict[str, Any] | None:
    """Return the output ``accessModel`` of a stack's state; None if it has none."""
    stack = next((item for item in workspace.resources() if item["type"] == STACK_TYPE), {})
    model: dict[str, Any] | None = (stack.get("outputs") or {}).get("accessModel")
    return model


def changes(workspace: Workspace, environment: dict[str, str]) -> list[str]:
    """Return what an update of a prepared workspace would change in who may reach what, one line each.

    Nothing is returned for a stack that has no access model yet, or a program that fails: the engine says why.

    :param environment: with which the program finds its cluster.
    """
    before = recorded(workspace)
    if before is None:
        return []
    words = [sys.executable, "-m", "lab.pulumi.access", str(workspace.directory), workspace.stack]
    # In a process of its own: a program changes the state of the SDK.
    result = subprocess.run(  # noqa: S603
        words, cwd=_ROOT, env={**environment, "PYTHONPATH": str(_ROOT)}, capture_output=True, text=True, check=False
    )
    return access_changes(before, json.loads(result.stdout)) if result.returncode == 0 else []


def main(directory: str, stack: str) -> int:
    """Run the program in the harness, print its access model, and return an exit code."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            outputs = Program(Path(directory)).preview(stack=stack).outputs
    except (HarnessError, ProgramFailedError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(outputs.get("accessModel")))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
