"""``python -m lab.pulumi.run``: serve a program to the engine, with Pulumi's Automation API.

It reads a ``Request`` as JSON from standard input, prints the engine's progress, and exits with its outcome.
"""

from __future__ import annotations

import ctypes
import json
import os
import runpy
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

_PR_SET_PDEATHSIG: Final = 1
"""Of prctl(2)."""

_GRACE: Final = 20
"""Seconds that the engine gets to finish its steps."""

_PARALLEL: Final = 64
"""Operations at a time: most of them wait for the cluster."""


@dataclass(frozen=True)
class Request:
    """What to run: a command of the engine on a stack of a workspace.

    ``options`` are keyword arguments of the Automation API's method. With ``json``, the steps are printed as JSON.
    """

    command: str
    engine: str
    stack: str
    directory: str
    main: str
    environment: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    json: bool = False

    def encoded(self) -> bytes:
        """Return the request as the process reads it."""
        return json.dumps(asdict(self)).encode()


def main() -> int:
    """Run the request, and return an exit code."""
    # The engine is told to end; this process serves it until it has.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGHUP, lambda *_: _end())
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(0, signal.SIGKILL))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGHUP)
    return run(Request(**json.load(sys.stdin)))


def _end() -> None:
    """End the engine after its command was killed: gracefully, or by force if it waits."""
    signal.alarm(_GRACE)
    os.killpg(0, signal.SIGINT)


def run(request: Request) -> int:
    """Run a request in this process, and return an exit code."""
    from pulumi import automation  # noqa: PLC0415 slow to import, and signals come first
    from pulumi.automation.errors import CommandError  # noqa: PLC0415

    from lab.pulumi.display import Display  # noqa: PLC0415

    folder = Path(request.main).parent
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    os.environ.update(request.environment)
    started = time.monotonic()
    with Display(sys.stderr if request.json else sys.stdout, request.command) as display:
        try:
            workspace = automation.LocalWorkspace(
                work_dir=request.directory,
                env_vars=dict(request.environment),
                program=lambda: _execute(request.main),
                pulumi_command=automation.PulumiCommand(root=request.engine or None),
            )
            stack = automation.Stack.create_or_select(request.stack, workspace)
            method = getattr(stack, request.command)
            method(**request.options, color="never", parallel=_PARALLEL, on_event=display.event)
        except CommandError as error:
            if not display.has_error:
                display.fail(str(error))
            return 1
    if request.json:
        sys.stdout.write(display.to_json())
    else:
        lines = [*display.report(), display.summary(time.monotonic() - started)]
        sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def _execute(main: str) -> None:
    runpy.run_path(main, run_name="__main__")


if __name__ == "__main__":
    sys.exit(main())
