"""``python -m lab.pulumi``: run a program on any cluster, with a workspace in any folder."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import click

from lab.errors import LabError
from lab.pulumi import operation
from lab.pulumi.engine import find
from lab.pulumi.workspace import Workspace

_PATH = click.Path(exists=True, file_okay=False, path_type=Path, resolve_path=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("command", type=click.Choice(["up", "preview", "refresh", "destroy"]))
@click.option("--stack", required=True, help="The stack's name.")
@click.option("--cwd", default=".", type=_PATH, help="The folder of the program.  [default: this one]")
@click.option("--folder", required=True, type=click.Path(path_type=Path, resolve_path=True), help="For the workspace.")
@click.option("--kubeconfig", required=True, envvar="KUBECONFIG", type=Path, help="Of the cluster.")
@click.option("--config", "-c", multiple=True, metavar="KEY=VALUE", help="Set a configuration key. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print the steps as JSON.")
@click.option("--expect-no-changes", is_flag=True, help="Fail if there are changes.")
def main(
    command: str,
    stack: str,
    cwd: Path,
    folder: Path,
    kubeconfig: Path,
    config: tuple[str, ...],
    *,
    as_json: bool,
    expect_no_changes: bool,
) -> None:
    """Run COMMAND of the Pulumi engine on a stack of a Python program."""
    say = functools.partial(click.echo, err=as_json)
    options = {"expect_no_changes": True} if expect_no_changes else {}
    try:
        workspace = Workspace(folder, cwd, stack, kubeconfig)
        workspace.prepare({}, config)
        engine = find(folder / "home", say)
        sys.exit(operation.run(workspace, engine, command, say, as_json=as_json, **options))
    except LabError as error:
        sys.exit("\n".join(f"error: {line}" for line in str(error).splitlines()))


if __name__ == "__main__":
    main()
