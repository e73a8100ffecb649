"""The difference between a program at a git ref and the program now, as Markdown; no cluster is looked at."""

from __future__ import annotations

import asyncio
import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from lab.engine import display, run
from lab.engine.errors import EngineError
from lab.engine.plan import Step
from lab.engine.project import load_configuration, load_project, settings_file
from lab.engine.report import Change, Messages
from lab.engine.settled import SETTLED
from lab.engine.state import Snapshot
from lab.engine.urn import name_of, type_of


async def compare(stack: run.Stack, overrides: Sequence[str], ref: str, parallel: int) -> str:
    """Run the stack's program as it is at ``ref`` and as it is now, and return what differs.

    A stack whose settings are new, in a file that ``ref`` has not, held nothing then.

    :raises EngineError: if there is no such ref, or a program fails.
    """
    with tempfile.TemporaryDirectory(prefix="pulumi-against-") as folder:
        directory = await asyncio.to_thread(_check_out, stack.project.directory, ref, Path(folder))
        if (
            not settings_file(directory, stack.name).exists()
            and settings_file(stack.project.directory, stack.name).exists()
        ):
            return markdown(stack.name, ref, await _foresee(stack, Snapshot(), parallel, "the program"))
        project = load_project(directory)
        configuration = load_configuration(project, stack.name, overrides, stack.environment)
        if project.name != stack.project.name:
            message = f"--against {ref}: the project was {project.name!r} then and is {stack.project.name!r} now"
            raise EngineError(message)
        before = replace(stack, project=project, configuration=configuration)
        old = await _foresee(before, Snapshot(), parallel, f"the program at {ref}")
        new = await _foresee(stack, Snapshot(old.resources), parallel, "the program")
    return markdown(stack.name, ref, new)


async def _foresee(stack: run.Stack, snapshot: Snapshot, parallel: int, what: str) -> run.Outcome:
    messages = Messages()
    outcome = await run.preview(stack, snapshot, messages, parallel=parallel, offline=True, factories=SETTLED)
    if outcome.failed:
        raise EngineError("\n".join(f"{what}: {line}" for text in messages.errors() for line in text.splitlines()))
    return outcome


def _check_out(directory: Path, ref: str, target: Path) -> Path:
    """Put the repository as it is at ``ref`` into ``target`` and return the project's folder there.

    What git ignores is no part of any ref: files that were generated here, such as charts, serve both programs.
    """
    top = Path(_git(directory, "rev-parse", "--show-toplevel").decode().strip())
    commit = _git(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", what=ref)
    archive = _git(top, "archive", "--format=tar", commit.decode().strip())
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(target, filter="data")
    listed = _git(top, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
    for name in filter(None, listed.decode().split("\0")):
        link = target / name.rstrip("/")
        if not link.exists() and not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(top / name.rstrip("/"))
    return target / directory.relative_to(top)


def _git(directory: Path, *arguments: str, what: str = "") -> bytes:
    try:
        result = subprocess.run(["git", "-C", str(directory), *arguments], capture_output=True, check=False)  # noqa: S603, S607
    except FileNotFoundError as error:
        message = "--against needs git, which is not on PATH; install it"
        raise EngineError(message) from error
    if result.returncode:
        said = result.stderr.decode(errors="replace").strip() or "no such commit"
        message = f"--against {what}: {said}; name a branch, tag or commit of the repository of {directory}"
        raise EngineError(message)
    return result.stdout


def markdown(stack: str, ref: str, outcome: run.Outcome) -> str:
    """Return a comment for a pull request: counts, a table of resources, and each one's changes to unfold."""
    shown = [change for change in outcome.changes if display.is_shown(change)]
    changed = [change for change in shown if change.step in (Step.CREATE, Step.UPDATE, Step.REPLACE, Step.DELETE)]
    lines = [f"### Stack `{stack}` against `{ref}`", ""]
    if not changed:
        lines.append("No resource changes.")
    else:
        found = display.counts(changed)
        lines.append(", ".join(f"{number} to {step.value}" for step, number in found.items()) + ".")
        lines += ["", "| | Type | Name |", "|---|---|---|"]
        lines += [f"| {change.step.value} | `{_type(change)}` | `{_name(change)}` |" for change in _sorted(changed)]
        for change in _sorted(changed):
            text = display.details(change)
            if text:
                lines += [
                    "",
                    f"<details><summary>{change.step.value} <code>{_name(change)}</code></summary>",
                    "",
                ]
                lines += ["```diff", *map(_diff_line, text), "```", "", "</details>"]
    outputs = display.outputs(outcome, preview=True)
    if outputs:
        lines += ["", "**Outputs**", "", "```diff", *map(_diff_line, outputs[1:]), "```"]
    opaque = sorted({change.note for change in outcome.changes if change.note})
    if opaque:
        lines += ["", "Not looked into:", *(f"- {note}" for note in opaque)]
    return "\n".join(lines)


def _sorted(changes: Iterable[Change]) -> list[Change]:
    return sorted(changes, key=lambda change: (change.step.value, change.resource.urn))


def _type(change: Change) -> str:
    return type_of(change.resource.urn)


def _name(change: Change) -> str:
    return name_of(change.resource.urn)


def _diff_line(line: str) -> str:
    """Put the mark of a changed line first, where a diff has it; a change in place is shown as ``!``."""
    text = line.strip()
    mark, rest = text[:1], text[2:]
    return f"{'!' if mark == '~' else mark} {rest}" if mark in "+-~" and text[1:2] == " " else f"  {line}"
