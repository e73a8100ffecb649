"""``python -m lab``: the lab's command line."""

from __future__ import annotations

import functools
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lab import entry, proof
from lab.binaries.build import build
from lab.charts.assemble import assemble
from lab.cluster import Cluster
from lab.errors import LabError
from lab.kafka.distribution import distribution
from lab.lab import EXAMPLES, ROOT, Lab
from lab.network import LABS
from lab.outside.hosts import described
from lab.pulumi import access, operation
from lab.pulumi.workspace import PASSPHRASE
from lab.tracing import query
from lab.watch.consumer import Consumer
from lab.watch.report import LINE
from lab.watch.run import run

_FAILURE = 1


def _command(work: Callable[..., int | None]) -> Callable[..., None]:
    """Add the options that select a lab to a command, and report its errors as lines and an exit code."""

    @functools.wraps(work)
    def run(name: str, network: int | None, **rest: Any) -> None:
        try:
            code = work(Lab(name, network), **rest) or 0
        except LabError as error:
            for line in str(error).splitlines():
                click.echo(f"error: {line}", err=True)
            code = _FAILURE
        except KeyboardInterrupt:
            click.echo("error: interrupted; run the same command again to continue", err=True)
            code = 130
        sys.exit(code)

    options = (
        click.option("--name", default="lab", show_default=True, envvar="LAB_NAME", help="Name of the lab."),
        click.option(
            "--network",
            envvar="LAB_NETWORK",
            type=click.IntRange(0, LABS - 1),
            help="Number of its network, 10.(192 + number).0.0/16.  [default: a free one]",
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
    """Run the unmodified Pulumi program on this machine, with a real Kubernetes API server."""


@main.command()
@_config
@_command
def up(lab: Lab, config: tuple[str, ...]) -> int:
    """Start the lab if it is not running, and deploy the program to it."""
    with lab.locked():
        return _up(lab, config)


def _up(lab: Lab, config: tuple[str, ...]) -> int:
    _start(lab)
    code = lab.run("up", click.echo, config, suppress_outputs=True)
    if code:
        return code
    click.echo()
    if access.recorded(lab.workspace()) is None:
        click.echo("nothing to call: the stack has no application")
        return 0
    if line := described(lab.access_model().external_hosts):
        click.echo(line)
    entry.call(lab)
    click.echo(_NEXT)
    return 0


def _start(lab: Lab) -> None:
    refuse_unprivileged()
    binaries = build(click.echo)
    assemble(ROOT / ".lab" / "charts", click.echo)
    distribution(say=click.echo)
    lab.engine(click.echo)
    lab.start(binaries, click.echo)


_NEXT = """
next steps:
  make call                          call the application again
  make report                        show the consumer's report
  make logs SERVICE=customer         show the logs of a service
  make verify                        prove that declared access works, and all other access is denied
  make trace                         show the last call as a trace
  make rotate USER=customer-writer   rotate the password of a Kafka user, without a failed call
  make status                        show what runs, and where
  make watch                         serve a page with the call graph, live counts and the report
  make down                          destroy the stack and remove the lab"""


def refuse_unprivileged() -> None:
    """Require root.

    :raises LabError: for any other user.
    """
    if os.geteuid() != 0:
        message = f"user id {os.geteuid()}: root is required: each pod gets its own network namespace"
        raise LabError(message)


@main.command()
@_command
def call(lab: Lab) -> None:
    """Call the application and print the response."""
    _running(lab)
    entry.call(lab)


@main.command()
@click.option("--follow", "-f", is_flag=True, help="Keep printing new lines.")
@_command
def report(lab: Lab, *, follow: bool) -> int:
    """Show the consumer's report: a line per window, caller, version and callee."""
    _running(lab)
    consumer = Consumer.of(lab.access_model())
    return Cluster(lab.control_plane().kubeconfig).show_lines(consumer.logs(follow=follow), LINE)


@main.command()
@click.option(
    "--port",
    default=8090,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of the page; 0 selects a free one.",
)
@_command
def watch(lab: Lab, port: int) -> None:
    """Serve a page on loopback with the call graph, live counts from Kafka, and the latest report."""
    _running(lab)
    run(lab.name, lab.access_model(), Cluster(lab.control_plane().kubeconfig), port, click.echo)


@main.command()
@click.argument("service")
@click.option("--follow", "-f", is_flag=True, help="Keep printing new lines.")
@click.option("--tail", default=50, show_default=True, type=click.IntRange(0), help="Lines of each pod's log.")
@_command
def logs(lab: Lab, service: str, *, follow: bool, tail: int) -> int:
    """Show the logs of SERVICE's pods (its label `app`)."""
    _running(lab)
    services = {service.name: service.namespace for service in lab.access_model().services}
    if service not in services:
        message = f"service {service}: not found; the services are {', '.join(sorted(services))}"
        raise LabError(message)
    more = ["--follow", "--max-log-requests=20"] if follow else []
    selector = ["-l", f"app={service}", "-c", service, "--prefix", f"--tail={tail}", *more]
    return Cluster(lab.control_plane().kubeconfig).show(["-n", services[service], "logs", *selector])


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@_command
def verify(lab: Lab, arguments: tuple[str, ...]) -> int:
    """Prove that the lab allows what the stack declares, and nothing else, with ARGUMENTS of `python -m verify`."""
    _running(lab)
    return proof.verify(lab, arguments)


@main.command()
@click.argument("identifier", required=False)
@_command
def trace(lab: Lab, identifier: str | None) -> None:
    """Show the last trace as a tree, or the trace with an IDENTIFIER (32 hexadecimal digits, as in logs)."""
    _running(lab)
    for line in query.trace(lab, identifier):
        click.echo(line)


@main.command()
@click.argument("user")
@_command
def rotate(lab: Lab, user: str) -> int:
    """Rotate the password of the Kafka user USER, and roll the pods that use it."""
    with lab.locked():
        _running(lab)
        users = [item.name for item in lab.access_model().users]
        if user not in users:
            message = f"user {user}: not found; the users are {', '.join(users)}"
            raise LabError(message)
        lab.rotate(user)
        return lab.run("up", click.echo, suppress_outputs=True)


@main.command()
@click.argument("example")
@click.option("--destroy", is_flag=True, help="Destroy it.")
@_config
@_command
def example(lab: Lab, example: str, config: tuple[str, ...], *, destroy: bool) -> int:
    """Run a Pulumi program on the lab: the name of an EXAMPLE, or the folder of a program of your own."""
    program = EXAMPLES / example if (EXAMPLES / example).is_dir() else Path(example).resolve()
    with lab.locked():
        _start(lab)
        return lab.run("destroy" if destroy else "up", click.echo, config, program)


@main.command()
@_config
@_command
def preview(lab: Lab, config: tuple[str, ...]) -> int:
    """Show what up would change in a running lab; without one, what it would create."""
    with lab.locked():
        if not lab.is_running():
            click.echo(f"lab {lab.name} is not running; make up would create:")
            return lab.listed(config)
        return lab.run("preview", click.echo, config)


@main.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@_command
def pulumi(lab: Lab, arguments: tuple[str, ...]) -> int:
    """Run the Pulumi CLI in the lab's workspace, such as `pulumi stack export`."""
    with lab.locked():
        engine, workspace = lab.engine(click.echo), lab.prepare()
        return operation.show(workspace, engine, arguments)


@main.command()
@_command
def env(lab: Lab) -> None:
    """Print the variables for kubectl and pulumi: eval "$(python -m lab env)"."""
    _running(lab)
    workspace, engine = lab.workspace(), lab.engine(functools.partial(click.echo, err=True))
    tools = f"{Path(sys.executable).parent}:{engine.command.parent}"
    variables = {**workspace.variables(engine), "PATH": f"{tools}:{os.environ['PATH']}"}
    click.echo(f"unset {PASSPHRASE}")
    for key, value in variables.items():
        click.echo(f"export {key}={shlex.quote(value)}")


@main.command()
@_command
def refresh(lab: Lab) -> int:
    """Update the stack's state from the cluster."""
    with lab.locked():
        _running(lab)
        return lab.run("refresh", click.echo)


@main.command()
@click.option("--force", is_flag=True, help="Remove the lab even if its resources cannot be destroyed one by one.")
@_command
def down(lab: Lab, *, force: bool) -> int:
    """Destroy the stack, stop the lab and remove its files."""
    with lab.locked():
        if not lab.folder.exists():
            click.echo(f"lab {lab.name}: not found")
            return 0
        if lab.resources() and not force:
            lab.start(build(click.echo), click.echo)
            code = lab.run("destroy", click.echo)
            if code:
                click.echo("error: some resources could not be destroyed; `down --force` removes the lab", err=True)
                return code
        lab.remove()
        click.echo(f"lab {lab.name}: removed")
        return 0


@main.command()
@_command
def status(lab: Lab) -> int:
    """Show what runs, whether it is ready, and its address."""
    plane = lab.control_plane()
    up = plane.folder.exists() and plane.is_ready()
    rows = [("component", "ready", "address")]
    for process in (*plane.processes(), *lab.node(Path())):
        is_api_server = process.name == "kube-apiserver"
        ready = process.pid() is not None and (up or not is_api_server)
        rows.append((process.name, "yes" if ready else "no", plane.address if is_api_server else ""))
    if up:
        rows += Cluster(plane.kubeconfig).pods()
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    click.echo(f"stack: {lab.resources()} resources")
    return 0 if all(row[1] == "yes" for row in rows[1:]) else _FAILURE


def _running(lab: Lab) -> None:
    """Refuse to continue without a control plane.

    :raises LabError: if it does not run.
    """
    if not lab.is_running():
        message = f"lab {lab.name} is not running; start it with: make up"
        raise LabError(message)
