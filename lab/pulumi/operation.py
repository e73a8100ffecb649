"""One operation of the engine on a lab's stack, with locks before it and clean-up after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from lab.cluster import Cluster
from lab.errors import LabError
from lab.pulumi import recovery
from lab.pulumi.engine import Engine
from lab.pulumi.run import Request
from lab.pulumi.workspace import Workspace

_ROOT: Final = Path(__file__).parent.parent.parent


def run(
    workspace: Workspace,
    engine: Engine,
    command: str,
    say: Callable[[str], None],
    *,
    as_json: bool = False,
    **options: Any,
) -> int:
    """Run a command of the engine on the stack of a prepared workspace, and return an exit code.

    Ctrl-C lets the engine finish its steps; a second one ends it immediately.

    :param command: a method of the Automation API's stack, such as ``up``.
    :param as_json: print the steps as JSON; everything else goes to standard error.
    :param options: its keyword arguments.
    :raises LabError: if another process uses the stack, or what it left cannot be recorded.
    """
    recover(workspace, engine, say)
    request = Request(
        command=command,
        engine=engine.root,
        stack=workspace.stack,
        directory=str(workspace.directory),
        main=str(workspace.main),
        environment=workspace.variables(engine),
        options=options,
        json=as_json,
    )
    words = [sys.executable, "-m", "lab.pulumi.run"]
    child = subprocess.Popen(  # noqa: S603
        words,
        stdin=subprocess.PIPE,
        cwd=_ROOT,
        # Where programs find the components.
        env=workspace.environment(engine) | {"PYTHONPATH": str(_ROOT)},
        # Of its own, so that Ctrl-C reaches the engine once, from here.
        start_new_session=True,
    )
    try:
        return _finish(child, request, say)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def _finish(child: subprocess.Popen[bytes], request: Request, say: Callable[[str], None]) -> int:
    assert child.stdin is not None
    with suppress(BrokenPipeError), child.stdin:
        child.stdin.write(request.encoded())
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            say("interrupted: waiting for the engine to finish its steps; press Ctrl-C again to end it now")
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGINT)


def recover(workspace: Workspace, engine: Engine, say: Callable[[str], None]) -> None:
    """Remove the locks of an interrupted run, and record what it has created.

    :raises LabError: if another process uses the stack, or the engine refuses.
    """
    if recovery.wait_for_locks(workspace.locks, say):
        say("removing the lock of an interrupted run")
        pulumi(workspace, engine, "cancel", "--yes")
    cluster = Cluster(workspace.kubeconfig)
    deployment = recovery.recovered(workspace.checkpoint(), cluster.find)
    if deployment is not None:
        say("recording what an interrupted run has created")
        document = json.dumps({"version": 3, "deployment": deployment})
        pulumi(workspace, engine, "stack", "import", text=document)


def pulumi(workspace: Workspace, engine: Engine, *arguments: str, text: str | None = None) -> str:
    """Run the Pulumi CLI on the stack, and return its output.

    :param text: its standard input.
    :raises LabError: if it fails, with its last line.
    """
    result = subprocess.run(  # noqa: S603
        [str(engine.command), *arguments, "--stack", workspace.stack, "--non-interactive"],
        cwd=workspace.directory,
        env=workspace.environment(engine),
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        lines = result.stderr.strip().splitlines() or [f"pulumi {arguments[0]} failed"]
        raise LabError(lines[-1].removeprefix("error: "))
    return result.stdout


def show(workspace: Workspace, engine: Engine, arguments: Sequence[str]) -> int:
    """Run the Pulumi CLI in the workspace on the current terminal, and return its exit code."""
    words = [str(engine.command), *arguments]
    environment = workspace.environment(engine)
    return subprocess.run(words, cwd=workspace.directory, env=environment, check=False).returncode  # noqa: S603
