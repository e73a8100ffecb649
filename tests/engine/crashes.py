"""Kills an update at every step of it, and checks what the next update makes of what is left.

A process of its own, which forks for each update: gRPC must not have started before a fork. Objects are files in a
folder, so that what exists outlives the process that made it. Prints one JSON document: how many moments an update
was killed at, and every difference to an undisturbed one.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi_kubernetes.apps.v1
import pulumi_kubernetes.core.v1  # noqa: F401
import pulumi_random  # noqa: F401

from lab.engine import run, values
from lab.engine.backend import state_path
from lab.engine.kubernetes import KubernetesProvider, objects
from lab.engine.project import load_configuration, load_project
from lab.engine.provider import Context, Live
from lab.engine.random import RandomProvider
from lab.engine.report import Silence
from lab.engine.state import Snapshot, StateFile
from lab.engine.testing import in_process
from lab.engine.values import Properties

PROGRAM = """
import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_random as random

changed = pulumi.Config().require_bool("changed")
password = random.RandomPassword("password", length=17 if changed else 16)
secret = kubernetes.core.v1.Secret("secret", string_data={"password": password.result}, immutable=True)
fixed = kubernetes.core.v1.ConfigMap("fixed", metadata={"name": "fixed"}, data={"a": "2" if changed else "1"})
port = 81 if changed else 80
kubernetes.core.v1.Service("web", metadata={"name": "web"}, spec={"ports": [{"port": port}]})
kubernetes.core.v1.Service("new" if changed else "gone", spec={"ports": [{"port": 80}]})
kubernetes.apps.v1.Deployment(
    "uses",
    metadata={"name": "uses"},
    spec={"template": {"metadata": {"annotations": {"secret": secret.metadata.name, "fixed": fixed.metadata.uid}}}},
)
"""
PROJECT = "name: crashes\nruntime: python\nconfig:\n  changed: {type: boolean, default: false}\n"


class Folder(KubernetesProvider):
    """A cluster that is a folder: one file an object."""

    def __init__(self, world: Path) -> None:
        super().__init__({}, world, offline=True)
        self._world = world

    def _file(self, identifier: str, kind: str) -> Path:
        return self._world / f"{kind}-{identifier.replace('/', '-')}.json"

    async def create(self, context: Context, inputs: Properties) -> tuple[str, Properties]:
        identifier = objects.reference(inputs).id
        file = self._file(identifier, inputs["kind"])
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(inputs))
        fresh.replace(file)
        return identifier, {**inputs, "metadata": {**inputs["metadata"], "uid": f"uid-of-{identifier}"}}

    async def update(
        self, context: Context, identifier: str, old_outputs: Properties, inputs: Properties
    ) -> Properties:
        return (await self.create(context, inputs))[1]

    async def read(
        self, context: Context, identifier: str | None, inputs: Properties, outputs: Properties
    ) -> Live | None:
        target = objects.reference(inputs or outputs)
        file = self._file(target.id, target.kind)
        if not file.exists():
            return None
        found = json.loads(file.read_text())
        return Live(target.id, found, {**found, "metadata": {**found["metadata"], "uid": f"uid-of-{target.id}"}})

    async def delete(self, context: Context, identifier: str, outputs: Properties) -> None:
        self._file(identifier, outputs["kind"]).unlink(missing_ok=True)


class Moments:
    """Counts the moments before and after each call, and kills the process at one of them."""

    def __init__(self, fatal: int) -> None:
        self.passed = 0
        self._fatal = fatal

    def pass_one(self) -> None:
        self.passed += 1
        if self.passed == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        if asyncio.iscoroutinefunction(original):

            @functools.wraps(original)
            async def counted(*arguments: Any, **named: Any) -> Any:
                self.pass_one()
                result = await original(*arguments, **named)
                self.pass_one()
                return result

            setattr(owner, name, counted)
            return

        @functools.wraps(original)
        def counted_call(*arguments: Any, **named: Any) -> Any:
            self.pass_one()
            result = original(*arguments, **named)
            self.pass_one()
            return result

        setattr(owner, name, counted_call)


def update(folder: Path, *, changed: bool, fatal: int = 0) -> tuple[int, int, int]:
    """Run an update in a child, and return its wait status, the moments that it passed and the changes it made."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        _, status = os.waitpid(child, 0)
        passed, changes = json.loads(text) if text else (0, 0)
        return status, passed, changes
    os.close(reading)
    moments = Moments(fatal)
    moments.around(StateFile, "write")
    for owner in (Folder, RandomProvider):
        for name in ("create", "update", "delete", "read"):
            moments.around(owner, name)
    project = load_project(folder)
    configuration = load_configuration(project, "test", [f"changed={str(changed).lower()}"], {})
    stack = run.Stack("test", project, configuration, folder, {"PULUMI_CONFIG_PASSPHRASE": "x"})
    world = Folder(folder / "world")
    factories = {"kubernetes": lambda *_: world, "random": lambda *_: RandomProvider()}
    # One at a time, so that every update passes the same moments in the same order.
    with stack.state_file() as file:
        work = run.update(stack, file, file.read(), Silence(), parallel=1, host=in_process, factories=factories)
        outcome = asyncio.run(work)
    done = [change for change in outcome.changes if change.step.value != "same"]
    os.write(writing, json.dumps([moments.passed, len(done)]).encode())
    os._exit(int(outcome.failed))


def hide_passwords(value: Any) -> Any:
    """Put the same text for every password."""
    if isinstance(value, values.Secret):
        return "[secret]"
    if isinstance(value, dict):
        hidden = {key: hide_passwords(item) for key, item in value.items()}
        return {key: item for key, item in hidden.items() if key not in ("stringData", "result", "bcryptHash")}
    return [hide_passwords(item) for item in value] if isinstance(value, list) else value


def picture(folder: Path) -> dict[str, Any]:
    """Return all that exists and all that the state says, but for passwords and times."""
    stack = state_path(folder, "crashes", "test")
    snapshot: Snapshot = StateFile(stack, {"PULUMI_CONFIG_PASSPHRASE": "x"}).read()
    state = {
        item.urn: [
            item.id if item.provider else "",
            hide_passwords(item.inputs),
            hide_passwords(item.outputs),
            item.delete,
            list(item.init_errors),
        ]
        for item in snapshot.resources
    }
    world = {path.name: hide_passwords(json.loads(path.read_text())) for path in (folder / "world").glob("*.json")}
    return {
        "state": state,
        "doubled": len(snapshot.resources) - len(state),
        "pending": len(snapshot.operations),
        "world": world,
    }


def strays(folder: Path) -> set[str]:
    """Return what exists and is not in the state, and what is in the state and does not exist."""
    stack = state_path(folder, "crashes", "test")
    snapshot = StateFile(stack, {"PULUMI_CONFIG_PASSPHRASE": "x"}).read()
    known = {
        f"{item.outputs['kind']}-{item.id.replace('/', '-')}.json"
        for item in snapshot.resources
        if item.type.startswith("kubernetes:")
    }
    return known ^ {path.name for path in (folder / "world").glob("*.json")}


def password_matches(folder: Path) -> bool:
    """Tell whether the one Secret there is holds the password in the state."""
    stack = state_path(folder, "crashes", "test")
    snapshot = StateFile(stack, {"PULUMI_CONFIG_PASSPHRASE": "x"}).read()
    known = next(item for item in snapshot.resources if "RandomPassword" in item.type).outputs["result"].value
    held = [json.loads(path.read_text())["stringData"]["password"] for path in (folder / "world").glob("Secret-*")]
    return held == [known]


def main() -> None:
    """Do it, and print what was found."""
    base = Path(sys.argv[1])
    first, undisturbed = base / "first", base / "undisturbed"
    (first / "world").mkdir(parents=True)
    (first / "Pulumi.yaml").write_text(PROJECT)
    (first / "__main__.py").write_text(PROGRAM)
    assert update(first, changed=False)[0] == 0
    shutil.copytree(first, undisturbed)
    status, moments, _ = update(undisturbed, changed=True)
    assert status == 0
    expected = picture(undisturbed)
    faults = []
    for fatal in range(1, moments + 1):
        with tempfile.TemporaryDirectory(dir=base) as name:
            folder = Path(name) / "killed"
            shutil.copytree(first, folder)
            status, _, _ = update(folder, changed=True, fatal=fatal)
            if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
                faults.append(f"moment {fatal}: the update was not killed")
            back = Path(name) / "back"
            shutil.copytree(folder, back)
            if update(back, changed=False)[0] or strays(back):
                faults.append(f"moment {fatal}: going back leaves {strays(back)}")
            status, _, _ = update(folder, changed=True)
            if status:
                faults.append(f"moment {fatal}: the next update failed")
                continue
            found = picture(folder)
            faults += [
                f"moment {fatal}: {key}: {found[key]} instead of {expected[key]}"
                for key in expected
                if found[key] != expected[key]
            ]
            if not password_matches(folder):
                faults.append(f"moment {fatal}: the Secret does not hold the password in the state")
            if update(folder, changed=True)[2]:
                faults.append(f"moment {fatal}: a further update changes something")
    print(json.dumps({"moments": moments, "faults": faults}))


if __name__ == "__main__":
    main()
