"""Runs a Pulumi program, unmodified, in this process against a monitor."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import runpy
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import grpc
from pulumi.errors import RunError
from pulumi.runtime import Settings, configure, run_in_stack, set_all_config
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, resource_pb2_grpc

from harness.graph import Graph
from harness.monitor import serve
from harness.project import Configuration, Project, load_configuration, load_project
from harness.recorder import Functions, Outputs, Recorder
from harness.transforms import GRPC_OPTIONS
from harness.values import Properties

_PARALLEL: Final = 64
"""Registrations that a program may have under way."""
_OURS: Final = __name__.partition(".")[0]
_NOWHERE: Final = {"KUBECONFIG": os.devnull}
"""What a program is not to find: a cluster."""


class ProgramFailedError(AssertionError):
    """A program failed; ``messages`` are the errors, ``graph`` is what it had registered."""

    def __init__(self, messages: list[str], graph: Graph) -> None:
        """:param messages: the errors, in order."""
        super().__init__("\n".join(messages))
        self.messages = messages
        self.graph = graph


class Program:
    """A Pulumi program on disk."""

    def __init__(self, directory: Path) -> None:
        """:param directory: the folder that holds ``Pulumi.yaml``."""
        self.directory = directory.resolve()

    def preview(
        self,
        *,
        stack: str = "test",
        config: Mapping[str, Any] | None = None,
        references: Mapping[str, Properties] | None = None,
        outputs: Outputs | None = None,
        functions: Functions | None = None,
    ) -> Graph:
        """Run the program as a preview of an empty stack; contacts nothing and writes nothing.

        :param config: set over the stack's file and the project's defaults; structured values as they are, secrets as
            ``Secret``.
        :param references: outputs of other stacks, by what a StackReference calls them; those of others are unknown.
        :param outputs: outputs by type, or functions of the resource. Without, an output that is an input is known,
            and any other is unknown.
        :param functions: results of functions (invokes) by token, or functions of the arguments.
        :raises ProgramFailedError: if it fails.
        :raises HarnessError: if the project or a setting is refused before it starts.
        """
        project = load_project(self.directory)
        configuration = load_configuration(project, stack, config or {})
        recorder = Recorder(stack, project.name, references=references, outputs=outputs, functions=functions)
        with contextlib.chdir(self.directory), _importable(project.main.parent), patch.dict(os.environ, _NOWHERE):
            asyncio.run(_attend(project, stack, configuration, recorder))
        graph = recorder.graph()
        if recorder.failed:
            raise ProgramFailedError(recorder.errors(), graph)
        return graph


async def _attend(project: Project, stack: str, configuration: Configuration, recorder: Recorder) -> None:
    """Serve a program, which has its own thread and event loop, until it ends."""
    async with serve(recorder) as address:
        try:
            await asyncio.to_thread(contextvars.copy_context().run, _run, project, stack, configuration, address)
        except RunError as error:
            recorder.fail(str(error))
        except BaseException as error:  # noqa: BLE001 whatever a program raises is its failure
            recorder.fail(f"{type(error).__name__}: {error}")


def _run(project: Project, stack: str, configuration: Configuration, address: str) -> None:
    set_all_config(dict(configuration.values), list(configuration.secret_keys))
    with grpc.insecure_channel(address, options=GRPC_OPTIONS) as channel:
        configure(
            Settings(
                project=project.name,
                stack=stack,
                monitor=resource_pb2_grpc.ResourceMonitorStub(channel),
                engine=_LogEngine(channel),
                parallel=_PARALLEL,
                dry_run=True,
                organization="organization",
                root_directory=str(project.directory),
            )
        )
        asyncio.run(_in_stack(project.main))


async def _in_stack(main: Path) -> None:
    # A registration holds a thread until its resource is there: the default pool of this machine's cores plus four
    # would be the run's parallelism.
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(max_workers=_PARALLEL))
    # A failed run leaves outputs behind that nobody waits for.
    loop.set_exception_handler(lambda *_: None)

    def program() -> None:
        runpy.run_path(str(main), run_name="__main__")

    await run_in_stack(program)


class _LogEngine:
    """The engine's service without debug messages: the SDK sends several per resource, each a blocking call."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = engine_pb2_grpc.EngineStub(channel)

    def Log(self, request: Any) -> None:  # noqa: N802 the service's word
        """Pass on messages above debug level."""
        if request.severity != engine_pb2.DEBUG:
            self._stub.Log(request)

    def __getattr__(self, name: str) -> Any:
        """Return the service's other methods unchanged."""
        return getattr(self._stub, name)


@contextlib.contextmanager
def _importable(directory: Path) -> Iterator[None]:
    """Let a program import what lies beside it, and nothing of that name that was imported from elsewhere.

    It is forgotten afterwards, for the next program may use the same names, unless whoever runs the harness imports it
    too.
    """
    if str(directory) in map(os.path.realpath, sys.path):
        yield
        return
    beside = {path.stem for path in directory.iterdir() if path.is_dir() or path.suffix == ".py"} - {_OURS, "__main__"}
    aside = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in beside}
    before = set(sys.modules)
    sys.path.insert(0, str(directory))
    try:
        yield
    finally:
        sys.path.remove(str(directory))
        for name in set(sys.modules) - before:
            source = getattr(sys.modules[name], "__file__", None)
            if source and Path(source).is_relative_to(directory):
                del sys.modules[name]
        sys.modules.update(aside)
