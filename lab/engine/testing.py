"""A pytest plugin that runs Pulumi programs in the test's own process.

The fixture ``pulumi_program`` makes a ``Program`` of a project's folder::

    def test_password_is_secret(pulumi_program):
        preview = pulumi_program(FOLDER).preview(stack="dev", config={"replicas": 3})
        secret = preview.one("kubernetes:core/v1:Secret", "database")
        assert has_secret(secret.inputs["stringData"]["password"])


    def test_replicas_change_one_deployment(pulumi_program):
        program = pulumi_program(FOLDER)
        before = program.simulate()
        preview = program.preview(config={"replicas": 3}, state=before)
        assert preview.steps() == {"kubernetes:apps/v1:Deployment web": Step.UPDATE}

Nothing is contacted, and nothing written. A program that fails raises ``ProgramFailedError`` with what it said.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from lab.engine import plan, program, run
from lab.engine.deployment import Deployment
from lab.engine.display import is_hidden
from lab.engine.plan import Step
from lab.engine.project import load_configuration, load_project
from lab.engine.providers import FACTORIES, Factory
from lab.engine.report import Change, Messages, Report
from lab.engine.settled import SETTLED
from lab.engine.state import Resource, Snapshot
from lab.engine.urn import name_of
from lab.engine.values import Properties


class ProgramFailedError(AssertionError):
    """A program did not run to its end; ``messages`` are what it said, ``preview`` how far it came."""

    def __init__(self, messages: list[str], preview: Preview) -> None:
        """:param messages: the errors, in order."""
        super().__init__("\n".join(messages))
        self.messages = messages
        self.preview = preview


@dataclass(frozen=True)
class Preview:
    """What a program asked for, and what an update would do.

    ``resources`` are sorted by URN, without the engine's default providers; their ``inputs`` hold ``values.Secret``
    where the program's are secret and ``values.UNKNOWN`` where they are not known before an update. ``messages`` are
    (severity, text).
    """

    resources: tuple[Resource, ...]
    changes: tuple[Change, ...]
    outputs: Properties
    messages: tuple[tuple[str, str], ...]
    state: Snapshot = field(repr=False)

    def all(self, type_token: str) -> list[Resource]:
        """Return the resources of a type."""
        return [item for item in self.resources if item.type == type_token]

    def one(self, type_token: str, name: str | None = None) -> Resource:
        """Return the one resource of a type, or the one of that type and name.

        :raises AssertionError: if there is none, or more than one; it says which there are.
        """
        found = [item for item in self.all(type_token) if name in (None, name_of(item.urn))]
        if len(found) != 1:
            there = ", ".join(sorted(name_of(item.urn) for item in self.all(type_token))) or "none"
            message = f"{len(found)} resources {type_token} {name or ''}; of that type there are: {there}"
            raise AssertionError(message)
        return found[0]

    def children(self, parent: Resource) -> list[Resource]:
        """Return the resources directly below another."""
        return [item for item in self.resources if item.parent == parent.urn]

    def below(self, parent: Resource) -> list[Resource]:
        """Return the resources below another at any depth."""
        urns = plan.descendants(self.resources).get(parent.urn, set())
        return [item for item in self.resources if item.urn in urns]

    def depends(self, later: Resource, earlier: Resource) -> bool:
        """Tell whether ``later`` is made after, and deleted before, ``earlier``: directly or through others.

        What is in a component waits for what the component waits for.
        """
        known = {item.urn: item for item in self.resources}
        below = plan.descendants(self.resources)
        seen: set[str] = set()
        waiting = [later.urn]
        while waiting:
            urn = waiting.pop()
            if urn == earlier.urn:
                return True
            if urn in seen or urn not in known:
                continue
            seen.add(urn)
            item = known[urn]
            needed = set(item.needs())
            waiting += [*needed, *(child for need in needed for child in below.get(need, ()))]
            waiting.append(item.parent)
        return False

    def steps(self) -> dict[str, Step]:
        """Return what would be done, by ``type name``, without what stays the same."""
        return {
            f"{change.resource.type} {name_of(change.resource.urn)}": change.step
            for change in self.changes
            if change.step not in (Step.SAME, Step.READ, Step.DELETE_REPLACED) and not is_hidden(change.resource)
        }


class Program:
    """A Pulumi program on disk."""

    def __init__(self, directory: Path) -> None:
        """:param directory: the folder that holds ``Pulumi.yaml``."""
        self._directory = directory.resolve()

    def preview(
        self,
        *,
        stack: str = "test",
        config: Mapping[str, Any] | None = None,
        state: Preview | Snapshot | None = None,
        references: Mapping[str, Properties] | None = None,
    ) -> Preview:
        """Run the program as ``preview --offline`` does, against a state if one is given.

        :param config: set over the stack's file and the project's defaults; structured values as they are.
        :param references: outputs of other stacks, by what a StackReference calls them; those of others are unknown.
        :raises ProgramFailedError: if it fails.
        :raises EngineError: if the project or a setting is refused before it starts.
        """
        return self._run(stack, config or {}, state, references or {}, FACTORIES)

    def simulate(
        self,
        *,
        stack: str = "test",
        config: Mapping[str, Any] | None = None,
        state: Preview | Snapshot | None = None,
        references: Mapping[str, Properties] | None = None,
    ) -> Preview:
        """Run the program as ``preview`` does, but draw random values: the result can be a later preview's state.

        :raises ProgramFailedError: if it fails.
        :raises EngineError: if the project or a setting is refused before it starts.
        """
        return self._run(stack, config or {}, state, references or {}, SETTLED)

    def _run(
        self,
        name: str,
        config: Mapping[str, Any],
        state: Preview | Snapshot | None,
        references: Mapping[str, Properties],
        factories: Mapping[str, Factory],
    ) -> Preview:
        project = load_project(self._directory)
        overrides = [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in config.items()]
        environment = dict(os.environ)
        configuration = load_configuration(project, name, overrides, environment)
        stack = run.Stack(name, project, configuration, self._directory, environment, references)
        snapshot = state.state if isinstance(state, Preview) else state or Snapshot()
        messages = Messages()
        with contextlib.chdir(self._directory), _importable(self._directory):
            outcome = asyncio.run(
                run.preview(stack, snapshot, messages, offline=True, host=in_process, factories=factories)
            )
        resources = sorted(outcome.resources, key=lambda item: item.urn)
        preview = Preview(
            tuple(item for item in resources if not is_hidden(item)),
            tuple(outcome.changes),
            outcome.outputs,
            tuple(messages.all),
            Snapshot(outcome.resources),
        )
        if outcome.failed:
            raise ProgramFailedError(messages.errors(), preview)
        return preview


@contextlib.contextmanager
def _importable(directory: Path) -> Iterator[None]:
    """Let a program import what lies beside it.

    It is forgotten afterwards, for the next program may use the same names, unless the tests import it themselves.
    """
    if str(directory) in map(os.path.realpath, sys.path):
        yield
        return
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


async def in_process(
    launch: program.Launch,
    environment: Mapping[str, str],
    deployment: Deployment,
    report: Report,  # noqa: ARG001
) -> None:
    """Run a program in a thread of this process."""
    from pulumi.errors import RunError  # noqa: PLC0415 slow to import, and not every test session has a program

    try:
        with patch.dict(os.environ, environment, clear=True):
            await asyncio.to_thread(program.run, launch, silent=True)
    except RunError as error:
        if not deployment.failed:
            deployment.fail(str(error))
    except BaseException as error:  # noqa: BLE001 whatever a program raises is its failure
        if not deployment.failed:
            deployment.fail(f"{type(error).__name__}: {error}")


@pytest.fixture(name="pulumi_program")
def _pulumi_program() -> Callable[[Path], Program]:
    """Make a ``Program`` of a project's folder."""
    return Program
