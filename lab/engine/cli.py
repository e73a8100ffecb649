"""The command line: the words, flags and exit codes that users of Pulumi know."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from lab.engine import run, values
from lab.engine.backend import backend_folder
from lab.engine.display import Console, has_changes, masked, outputs, summary, to_json
from lab.engine.errors import EngineError
from lab.engine.project import load_configuration, load_project
from lab.engine.run import Outcome, Stack
from lab.engine.state import Snapshot, StateFile

FAILURE: Final = 255
"""The exit code of a run that failed, and of one that could not start, as the real CLI has it."""

_Result = TypeVar("_Result")
_Work = Coroutine[Any, Any, Outcome]


@dataclass(frozen=True)
class Options:
    """What all commands that run a stack have in common."""

    stack: str
    directory: Path
    config: tuple[str, ...] = ()
    parallel: int = 16
    diff: bool = False
    json: bool = False
    yes: bool = False
    expect_no_changes: bool = False
    suppress_outputs: bool = False
    interactive: bool = False


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that all commands have."""
    options = (
        click.option("--stack", "-s", required=True, help="The stack, whose settings are in Pulumi.<stack>.yaml."),
        click.option(
            "--cwd",
            "-C",
            "directory",
            default=".",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="The project's folder, which holds Pulumi.yaml.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of commands that make, change or look at resources."""
    options = (
        click.option(
            "--config",
            "-c",
            multiple=True,
            metavar="KEY=VALUE",
            help="Set a configuration key for this run. Repeatable.",
        ),
        click.option(
            "--parallel",
            "-p",
            default=16,
            type=click.IntRange(1, 512),
            show_default=True,
            help="How many resources are worked on at a time.",
        ),
        click.option("--diff", is_flag=True, help="Show what changes in each resource."),
        click.option("--json", "-j", "as_json", is_flag=True, help="Print the result as JSON."),
        click.option("--suppress-outputs", is_flag=True, help="Do not print the stack's outputs."),
        click.option("--expect-no-changes", is_flag=True, help="Fail if anything changes."),
        click.option("--non-interactive", is_flag=True, help="Never ask. Without --yes a change is refused."),
    )
    for option in reversed(options):
        command = option(command)
    return _common(command)


_yes_option = click.option("--yes", "-y", is_flag=True, help="Do it without asking.")


def _failing(command: Callable[..., int | None]) -> Callable[..., None]:
    """Turn a command's faults into lines on standard error and an exit code."""

    @functools.wraps(command)
    def guarded(**arguments: Any) -> None:
        try:
            code = command(**arguments) or 0
        except EngineError as error:
            for line in str(error).splitlines():
                click.echo(f"error: {line}", err=True)
            code = FAILURE
        except (KeyboardInterrupt, asyncio.CancelledError):
            click.echo(
                "error: interrupted; the state says how far it came, and the next run goes on from there",
                err=True,
            )
            code = 130
        sys.exit(code)

    return guarded


def _complete(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run to the end; SIGTERM ends it as Ctrl-C does."""

    async def interruptible() -> _Result:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    return asyncio.run(interruptible())


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Run a Pulumi program in Python without the Pulumi CLI.

    The environment says the rest, as it does to the real CLI: PULUMI_BACKEND_URL (file:///folder of states),
    PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE (what seals the secrets in them) and KUBECONFIG.
    """


@main.command()
@_run_options
@click.option("--offline", is_flag=True, help="Contact nothing, read no state: show what a new stack would hold.")
@click.option(
    "--against",
    metavar="GIT_REF",
    help="With --offline: print as Markdown what differs from the program at that ref.",
)
@_failing
def preview(offline: bool, against: str | None, **arguments: Any) -> int:
    """Show what an update would do; change nothing."""
    options = _options(arguments)
    if against is not None:
        if not offline:
            message = f"--against {against}: needs --offline, for it compares two programs and looks at no cluster"
            raise EngineError(message)
        from lab.engine.against import compare  # noqa: PLC0415 only this needs it

        stack = _stack(options, offline=True)
        click.echo(_complete(compare(stack, options.config, against, options.parallel)))
        return 0
    stack = _stack(options, offline=offline)
    snapshot = Snapshot() if offline else stack.state_file().read()
    console = _console(options, preview=True)
    work = run.preview(stack, snapshot, console, parallel=options.parallel, offline=offline)
    return _show(options, console, "Previewing update", work, preview=True)


@main.command()
@_run_options
@_yes_option
@click.option("--skip-preview", is_flag=True, help="Do not show first what would be done.")
@_failing
def up(skip_preview: bool, **arguments: Any) -> int:
    """Create, change and delete resources until they are what the program declares."""
    options = _options(arguments)
    with _to_change(options) as (stack, file, snapshot):

        def preview(console: Console) -> _Work:
            return run.preview(stack, snapshot, console, parallel=options.parallel)

        def perform(console: Console) -> _Work:
            return run.update(stack, file, snapshot, console, parallel=options.parallel)

        return _change(options, "update", "Updating", None if skip_preview else preview, perform)


@main.command()
@_run_options
@_yes_option
@_failing
def refresh(**arguments: Any) -> int:
    """Make the state say what is in the cluster; an up then repairs what the program does not want so."""
    options = _options(arguments)
    with _to_change(options) as (stack, file, snapshot):

        def confirm(outcome: Outcome) -> bool:
            return not has_changes(outcome.changes) or _confirmed(options, "refresh")

        def perform(console: Console) -> _Work:
            return run.refresh(stack, file, snapshot, console, parallel=options.parallel, confirm=confirm)

        return _change(options, "refresh", "Refreshing", None, perform)


@main.command()
@_run_options
@_yes_option
@click.option("--skip-preview", is_flag=True, help="Do not show first what would be deleted.")
@_failing
def destroy(skip_preview: bool, **arguments: Any) -> int:
    """Delete all of a stack's resources. The program does not run."""
    options = _options(arguments)
    with _to_change(options) as (stack, file, snapshot):

        def preview(console: Console) -> _Work:
            return run.destroy(stack, None, snapshot, console, parallel=options.parallel)

        def perform(console: Console) -> _Work:
            return run.destroy(stack, file, snapshot, console, parallel=options.parallel)

        return _change(options, "destroy", "Destroying", None if skip_preview else preview, perform)


@main.group()
def stack() -> None:
    """Look at a stack's state."""


@stack.command()
@click.argument("name", required=False)
@_common
@click.option("--json", "-j", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--show-secrets", is_flag=True, help="Show secret outputs in the clear.")
@_failing
def output(name: str | None, as_json: bool, show_secrets: bool, **arguments: Any) -> int:
    """Print the stack's outputs, or the one named NAME."""
    outputs = _stack(_options(arguments)).state_file().read().outputs()
    if name is not None and name not in outputs:
        message = f"no output {name!r}; this stack has {', '.join(sorted(outputs)) or 'none'}"
        raise EngineError(message)
    plain = values.to_plain(values.reveal(outputs) if show_secrets else masked(outputs))
    if name is not None:
        value = plain[name]
        click.echo(json.dumps(value, indent=2) if as_json or not isinstance(value, str) else value)
    elif as_json:
        click.echo(json.dumps(plain, indent=2))
    else:
        for key, value in sorted(plain.items()):
            click.echo(f"{key}: {value if isinstance(value, str) else json.dumps(value)}")
    return 0


@stack.command()
@_common
@click.option("--show-secrets", is_flag=True, help="Write secrets in the clear.")
@_failing
def export(show_secrets: bool, **arguments: Any) -> int:
    """Print the stack's state in Pulumi's deployment format."""
    file = _stack(_options(arguments)).state_file()
    snapshot = file.read()
    click.echo(file.export(snapshot, show_secrets=show_secrets))
    return 0


# --- steps of the commands ---


def _options(arguments: Mapping[str, Any]) -> Options:
    given = {key: value for key, value in arguments.items() if key not in ("as_json", "non_interactive")}
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not arguments.get("non_interactive")
    return Options(**given, json=arguments.get("as_json", False), interactive=interactive)


def _stack(options: Options, *, offline: bool = False) -> Stack:
    directory = options.directory.resolve()
    project = load_project(directory)
    environment = dict(os.environ)
    configuration = load_configuration(project, options.stack, options.config, environment)
    backend = directory if offline else backend_folder(environment)
    return Stack(options.stack, project, configuration, backend, environment)


@contextmanager
def _to_change(options: Options) -> Iterator[tuple[Stack, StateFile, Snapshot]]:
    """Yield a stack that no other run changes meanwhile, and its state.

    :raises EngineError: if nobody can be asked, or the state cannot be had.
    """
    if not options.yes and not options.interactive:
        message = "--yes must be passed in to proceed when running in non-interactive mode"
        raise EngineError(message)
    stack = _stack(options)
    with stack.state_file() as file:
        snapshot = file.read()
        file.prepare()
        yield stack, file, snapshot


def _change(
    options: Options,
    what: str,
    title: str,
    preview: Callable[[Console], _Work] | None,
    perform: Callable[[Console], _Work],
) -> int:
    """Show what would be done if there is a preview, do it if that is wanted, and return the exit code."""
    if preview is not None:
        console = _console(options, preview=True)
        code = _show(options, console, f"Previewing {what}", preview(console), preview=True, last=False)
        if code or not _confirmed(options, what):
            return code
    console = _console(options, preview=False)
    return _show(options, console, title, perform(console), preview=False)


def _confirmed(options: Options, what: str) -> bool:
    return options.yes or click.confirm(f"Do you want to perform this {what}?", default=False)


def _console(options: Options, *, preview: bool) -> Console:
    return Console(preview=preview, diff=options.diff, quiet=options.json)


def _show(
    options: Options,
    console: Console,
    title: str,
    work: _Work,
    *,
    preview: bool,
    last: bool = True,
) -> int:
    """Do the work, show it, and return the exit code; of an update's preview (not ``last``) JSON says nothing."""
    console.print(f"{title} ({options.stack}):")
    with console:
        outcome = _complete(work)
    errors = [item for item in console.diagnostics if item["severity"] == "error"]
    unexpected = options.expect_no_changes and last and has_changes(outcome.changes)
    if unexpected:
        message = "no changes were expected but changes " + ("were proposed" if preview else "occurred")
        console.message("error", message)
    if options.json and (last or outcome.failed):
        click.echo(json.dumps(to_json(outcome, console.diagnostics), indent=2))
    if not outcome.failed and not options.suppress_outputs:
        console.print("", *outputs(outcome, preview=preview))
    console.print("", *summary(outcome.changes, preview=preview), "", f"Duration: {outcome.seconds:.0f}s")
    if outcome.failed:
        click.echo(f"error: {title.lower()} failed, with {len(errors)} error(s)", err=True)
    return FAILURE if outcome.failed or unexpected else 0
