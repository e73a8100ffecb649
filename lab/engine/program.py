"""Runs a Pulumi program, unmodified, against a monitor: in a process of its own or in this one.

As the entry point of a process it imports nothing of this package, so that it needs no more than the program does.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import os
import runpy
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Launch:
    """What a program is told of the run that it is part of.

    ``address`` is where both gRPC services are; ``parallel`` is how many registrations it may have under way.
    """

    main: str
    directory: str
    project: str
    stack: str
    address: str
    dry_run: bool
    parallel: int
    config: Mapping[str, str] = field(default_factory=dict)
    secret_keys: tuple[str, ...] = ()


def run(launch: Launch, *, silent: bool = False) -> None:
    """Run the program to its end in a context of its own.

    :param silent: say nothing of the outputs that a failed run leaves behind.
    :raises BaseException: whatever the program raises.
    """
    contextvars.copy_context().run(_run, launch, silent)


class _LogEngine:
    """The engine's service without debug messages: the SDK sends several a resource, each a call that blocks it."""

    def __init__(self, address: str) -> None:
        import grpc  # noqa: PLC0415 heavy
        from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc  # noqa: PLC0415

        self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))
        self._debug = engine_pb2.DEBUG

    def Log(self, request: Any) -> None:  # noqa: N802 the service's word
        """Pass on what somebody will read."""
        if request.severity != self._debug:
            self._stub.Log(request)

    def __getattr__(self, name: str) -> Any:
        """Give the service's other methods as they are."""
        return getattr(self._stub, name)


def _run(launch: Launch, silent: bool) -> None:
    from pulumi.runtime import Settings, configure, run_in_stack, set_all_config  # noqa: PLC0415 heavy

    set_all_config(dict(launch.config), list(launch.secret_keys))
    configure(
        Settings(
            project=launch.project,
            stack=launch.stack,
            monitor=launch.address,
            engine=_LogEngine(launch.address),
            parallel=launch.parallel,
            dry_run=launch.dry_run,
            organization="organization",
            root_directory=launch.directory,
        )
    )

    def program() -> None:
        runpy.run_path(launch.main, run_name="__main__")

    async def in_stack() -> None:
        # A registration holds a thread until its resource is there: the default pool of this machine's cores plus
        # four would be the run's parallelism.
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(max_workers=launch.parallel))
        if silent:
            loop.set_exception_handler(lambda *_: None)
        await run_in_stack(program)

    asyncio.run(in_stack())


def main() -> int:
    """Run the program that standard input describes (JSON of ``Launch``); the child process's entry point."""
    launch = Launch(**json.load(sys.stdin))
    # The SDK's types and a program's resources stay to the end: looking through them for garbage takes a fifth of the
    # time of a large program, and finds next to nothing.
    gc.set_threshold(100_000, 50, 50)
    sys.path.insert(0, str(Path(launch.main).parent))
    os.chdir(launch.directory)
    from pulumi.errors import RunError  # noqa: PLC0415 heavy, and only a program needs it

    try:
        run(launch)
    except RunError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def describe(launch: Launch) -> bytes:
    """Return what ``main`` reads."""
    return json.dumps(asdict(launch)).encode()


if __name__ == "__main__":
    sys.exit(main())
