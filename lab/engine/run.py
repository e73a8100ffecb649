"""The runs that there are: preview, update, refresh and destroy of one stack."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from lab.engine import program
from lab.engine.backend import state_path
from lab.engine.deployment import Deployment, StoppedError
from lab.engine.errors import EngineError
from lab.engine.monitor import serve
from lab.engine.project import Configuration, Project
from lab.engine.providers import FACTORIES, Factory, Providers
from lab.engine.report import Change, Report
from lab.engine.state import Journal, Resource, Snapshot, StateFile
from lab.engine.values import Properties

Host = Callable[[program.Launch, Mapping[str, str], Deployment, Report], Awaitable[None]]
"""Runs a program to its end, and reports its failure to the deployment."""

_PATIENCE: Final = 10.0
"""Seconds that a program gets to end by itself after its run has failed."""


async def in_child(
    launch: program.Launch, environment: Mapping[str, str], deployment: Deployment, report: Report
) -> None:
    """Run a program in a process of its own."""
    # -P: this package's folder, which has a random.py, must not be where the program looks for modules first.
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        program.__file__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        # Ctrl-C is for the engine alone, which then ends the program.
        start_new_session=True,
        limit=16 * 1024 * 1024,
    )
    try:
        await _attend(process, launch, deployment, report)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@dataclass(frozen=True)
class Stack:
    """A stack to run: its name, project and configuration, and where states are."""

    name: str
    project: Project
    configuration: Configuration
    backend: Path
    environment: Mapping[str, str]
    references: Mapping[str, Properties] = field(default_factory=dict)
    """Outputs of other stacks, by what a StackReference calls them, for runs that read no state."""

    def state_file(self) -> StateFile:
        """Return the stack's state file."""
        return StateFile(state_path(self.backend, self.project.name, self.name), self.environment)

    def referenced(self, name: str) -> Properties:
        """Return the outputs of the stack that ``stack``, ``project/stack`` or ``organization/project/stack`` names.

        :raises EngineError: if there is no such stack.
        """
        parts = name.split("/")
        project, stack = (parts[-2] if len(parts) > 1 else self.project.name), parts[-1]
        path = state_path(self.backend, project, stack)
        if not path.exists():
            message = f"StackReference {name}: no state at {path}; run up on that stack first, or correct the name"
            raise EngineError(message)
        return StateFile(path, self.environment).read().outputs()


@dataclass
class Outcome:
    """What a run came to: its changes in their order, the outputs before and after, and what there is then."""

    changes: list[Change] = field(default_factory=list)
    old_outputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    resources: list[Resource] = field(default_factory=list)
    failed: bool = False
    seconds: float = 0.0


@asynccontextmanager
async def _deployment(
    stack: Stack,
    journal: Journal,
    report: Report,
    parallel: int,
    *,
    preview: bool,
    offline: bool = False,
    factories: Mapping[str, Factory] = FACTORIES,
) -> AsyncIterator[tuple[Deployment, Outcome]]:
    """Yield a deployment, and what it comes to once the block has ended."""
    providers = Providers(stack.project.directory, offline=offline, factories=factories)
    packages = {key.split(":", 1)[0] for key in stack.configuration.values}
    deployment = Deployment(
        stack.name,
        stack.project.name,
        journal,
        providers,
        report,
        preview=preview,
        parallel=parallel,
        settings={name: stack.configuration.provider(name) for name in packages - {stack.project.name}},
        stack_outputs=stack.references.get if offline else stack.referenced,
    )
    started = time.monotonic()
    outcome = Outcome(old_outputs=_outputs(journal))
    try:
        yield deployment, outcome
    except StoppedError:
        pass
    except EngineError as error:
        deployment.fail(str(error))
    finally:
        await providers.close()
    outcome.changes = deployment.changes
    outcome.outputs = _outputs(journal)
    outcome.resources = journal.resources()
    outcome.failed = deployment.failed
    outcome.seconds = time.monotonic() - started


def _outputs(journal: Journal) -> Properties:
    return Snapshot(journal.resources()).outputs()


async def preview(
    stack: Stack,
    snapshot: Snapshot,
    report: Report,
    *,
    parallel: int = 16,
    offline: bool = False,
    host: Host = in_child,
    factories: Mapping[str, Factory] = FACTORIES,
) -> Outcome:
    """Find out what an update would do.

    :param offline: contact nothing.
    :param host: runs the program; by default in a process of its own.
    """
    if offline:
        # The program is not to find a cluster either.
        stack = replace(stack, environment={**stack.environment, "KUBECONFIG": os.devnull})
    journal = Journal(None, snapshot)
    deployment = _deployment(stack, journal, report, parallel, preview=True, offline=offline, factories=factories)
    async with deployment as (run, outcome):
        await run.recover(snapshot.operations)
        await _run_program(stack, run, report, parallel=parallel, dry_run=True, host=host)
        await run.delete_unclaimed()
    return outcome


async def update(
    stack: Stack,
    file: StateFile,
    snapshot: Snapshot,
    report: Report,
    *,
    parallel: int = 16,
    host: Host = in_child,
    factories: Mapping[str, Factory] = FACTORIES,
) -> Outcome:
    """Make outside what the program declares."""
    journal = Journal(file, snapshot)
    deployment = _deployment(stack, journal, report, parallel, preview=False, factories=factories)
    async with deployment as (run, outcome):
        await run.recover(snapshot.operations)
        try:
            await _run_program(stack, run, report, parallel=parallel, dry_run=False, host=host)
            await run.delete_unclaimed()
        finally:
            await journal.save()
    return outcome


async def destroy(
    stack: Stack,
    file: StateFile | None,
    snapshot: Snapshot,
    report: Report,
    *,
    parallel: int,
) -> Outcome:
    """Delete all of a stack's resources; without a file say only what that would be."""
    journal = Journal(file, snapshot)
    async with _deployment(stack, journal, report, parallel, preview=file is None) as (run, outcome):
        await run.recover(snapshot.operations)
        await run.delete_unclaimed()
        await journal.save()
    return outcome


async def refresh(
    stack: Stack,
    file: StateFile,
    snapshot: Snapshot,
    report: Report,
    *,
    parallel: int,
    confirm: Callable[[Outcome], bool],
) -> Outcome:
    """Make the state say what is outside, if ``confirm`` says so to what that changes."""
    journal = Journal(file, snapshot)
    async with _deployment(stack, journal, report, parallel, preview=False) as (run, outcome):
        await run.recover(snapshot.operations)
        await run.refresh()
        outcome.changes = run.changes
        if confirm(outcome):
            await journal.save()
    return outcome


async def _run_program(
    stack: Stack, deployment: Deployment, report: Report, *, parallel: int, dry_run: bool, host: Host
) -> None:
    """Run the stack's program to its end.

    :raises StoppedError: if it, or anything that it asked for, failed.
    """
    async with serve(deployment, report) as address:
        launch = program.Launch(
            main=str(stack.project.main),
            directory=str(stack.project.directory),
            project=stack.project.name,
            stack=stack.name,
            address=address,
            dry_run=dry_run,
            # A registration that waits for others of its chart, or for a provider, holds one of these.
            parallel=max(64, 2 * parallel),
            config=stack.configuration.values,
            secret_keys=tuple(stack.configuration.secret_keys),
        )
        await host(launch, stack.environment, deployment, report)
    if deployment.failed:
        raise StoppedError


async def _attend(
    process: asyncio.subprocess.Process, launch: program.Launch, deployment: Deployment, report: Report
) -> None:
    """Feed a program's process, pass on what it prints, and wait for its end."""
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdin.write(program.describe(launch))
    process.stdin.close()
    complaints = asyncio.create_task(process.stderr.read())
    leash = asyncio.create_task(_end_when_failed(process, deployment))
    try:
        async for line in process.stdout:
            report.message("info", deployment.scrub(line.decode(errors="replace").rstrip()))
        code = await process.wait()
        text = (await complaints).decode(errors="replace").rstrip()
    finally:
        leash.cancel()
        complaints.cancel()
    if code and not deployment.failed:
        deployment.fail(text.removeprefix("error: ") or f"the program ended with exit code {code}")
    elif text and not deployment.failed:
        report.message("warning", deployment.scrub(text))


async def _end_when_failed(process: asyncio.subprocess.Process, deployment: Deployment) -> None:
    """End the program's process if it goes on although its run has failed and nothing of it is under way."""
    idle = 0.0
    while idle < _PATIENCE:
        await asyncio.sleep(0.5)
        idle = idle + 0.5 if deployment.failed and not deployment.active else 0.0
    process.terminate()
