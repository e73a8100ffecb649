"""``python -m lab``: the lab's one command line."""

from __future__ import annotations

import functools
import shutil
import sys
from collections.abc import Callable
from typing import Any

import click

from lab.binaries.build import build
from lab.charts.assemble import assemble
from lab.control_plane import PORT
from lab.errors import LabError
from lab.lab import ENGINES, ROOT, Lab

_FAILURE = 1


def _command(work: Callable[..., int | None]) -> Callable[..., None]:
    """Give a command the options that say which lab, and turn its faults into lines and an exit code."""

    @functools.wraps(work)
    def run(name: str, port: int, engine: str, **rest: Any) -> None:
        try:
            code = work(Lab(name, port, engine), **rest) or 0
        except LabError as error:
            for line in str(error).splitlines():
                click.echo(f"error: {line}", err=True)
            code = _FAILURE
        except KeyboardInterrupt:
            click.echo("error: interrupted; run the same command again to go on", err=True)
            code = 130
        sys.exit(code)

    options = (
        click.option("--name", default="lab", show_default=True, envvar="LAB_NAME", help="Which lab."),
        click.option(
            "--port",
            default=PORT,
            show_default=True,
            envvar="LAB_PORT",
            type=click.IntRange(1024, 65533),
            help="The API server's port; etcd has the two after it.",
        ),
        click.option(
            "--engine",
            default="lab",
            show_default=True,
            type=click.Choice(ENGINES),
            help="What runs the program: the lab's engine, or the real pulumi.",
        ),
    )
    for option in reversed(options):
        run = option(run)
    return run


_config = click.option(
    "--config",
    "-c",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set a configuration key for this run. Repeatable.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Run the system on this machine: a real Kubernetes API server, and the unmodified Pulumi program on it."""


@main.command()
@_config
@_command
def up(lab: Lab, config: tuple[str, ...]) -> int:
    """Start the lab where it is not running, and make in it what the program declares."""
    with lab.locked():
        plane, binaries = lab.control_plane(), build(click.echo)
        assemble(ROOT / ".lab" / "charts", click.echo)
        click.echo("control plane: starting" if plane.processes()[1].pid() is None else "control plane: running")
        plane.start(binaries)
        click.echo(f"control plane: ready at {plane.address} (KUBECONFIG={plane.kubeconfig})")
        return lab.run("up", "--yes", config=config)


@main.command()
@_config
@click.option("--diff", is_flag=True, help="Show what changes in each resource.")
@_command
def preview(lab: Lab, config: tuple[str, ...], diff: bool) -> int:
    """Show what up would change in a running lab; without one, what it would make."""
    with lab.locked():
        assemble(ROOT / ".lab" / "charts", click.echo)
        arguments = ["--diff"] if diff else []
        if not lab.state_file().exists() and lab.engine == "lab":
            return lab.run("preview", "--offline", *arguments, config=config)
        _running(lab)
        return lab.run("preview", *arguments, config=config)


@main.command()
@_command
def refresh(lab: Lab) -> int:
    """Make the stack's state say what is in the cluster."""
    with lab.locked():
        _running(lab)
        return lab.run("refresh", "--yes", "--diff")


@main.command()
@click.option("--force", is_flag=True, help="Remove the lab even if its resources cannot be destroyed one by one.")
@_command
def down(lab: Lab, force: bool) -> int:
    """Destroy what the program made, stop the lab and remove everything of it."""
    with lab.locked():
        if not lab.folder.exists():
            click.echo(f"lab {lab.name}: there is none")
            return 0
        plane = lab.control_plane()
        if lab.resources() and not force:
            plane.start(build(click.echo))
            code = lab.run("destroy", "--yes", "--skip-preview")
            if code:
                click.echo("error: not all could be destroyed; `down --force` removes the lab all the same", err=True)
                return code
        plane.stop()
        shutil.rmtree(lab.folder)
        click.echo(f"lab {lab.name}: removed")
        return 0


@main.command()
@_command
def status(lab: Lab) -> int:
    """Show what runs."""
    plane = lab.control_plane()
    rows = [("component", "pid", "ready", "address")]
    for process in plane.processes():
        pid = process.pid()
        is_api_server = process.name == "kube-apiserver"
        ready = pid is not None and (not is_api_server or plane.is_ready())
        address = plane.address if is_api_server else ""
        rows.append((process.name, str(pid or "-"), "yes" if ready else "no", address))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    click.echo(f"stack: {lab.resources()} resources")
    return 0 if all(row[2] == "yes" for row in rows[1:]) else _FAILURE


def _running(lab: Lab) -> None:
    """Refuse to go on without a control plane.

    :raises LabError: if it does not run.
    """
    plane = lab.control_plane()
    if not plane.folder.exists() or not plane.is_ready():
        message = f"lab {lab.name} is not running; start it with: make up"
        raise LabError(message)
