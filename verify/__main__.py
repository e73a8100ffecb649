"""``python -m verify``: prove that a cluster allows what the stack's access model declares, and nothing else."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click

from verify import table
from verify.access import read
from verify.check import Part
from verify.cluster import Cluster
from verify.errors import VerifyError
from verify.proof import prove

_FAILED = 1
_FAULT = 2


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--kubeconfig", required=True, envvar="KUBECONFIG", help="Kubeconfig of a cluster administrator.")
@click.option("--context", help="Context of the kubeconfig.  [default: the current one]")
@click.option("--stack", help="Stack with the output accessModel.")
@click.option("--model", help="File with that output as JSON instead; `-` for standard input.")
@click.option("--pulumi", default="pulumi", show_default=True, help="Command that prints the stack's output.")
@click.option("--cwd", default=".", show_default=True, help="Folder of the stack's project.")
@click.option("--image", help="Image of the probes' containers.  [default: the services' image]")
@click.option(
    "--only", multiple=True, type=click.Choice([part.value for part in Part]), help="Run only this part. Repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print all checks as JSON.")
@click.option("--all", "every", is_flag=True, help="Print a line for every check.")
def main(
    kubeconfig: str,
    context: str | None,
    stack: str | None,
    model: str | None,
    pulumi: str,
    cwd: str,
    image: str | None,
    only: tuple[str, ...],
    *,
    as_json: bool,
    every: bool,
) -> None:
    """Try allowed and denied connections from the pods.

    Exits with 0 if everything is as declared, 1 if not, 2 if a check could not run.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        declared = read(_model(stack, model, pulumi, cwd))
        cluster = Cluster(kubeconfig, context)
        parts = [Part(part) for part in only] or list(Part)
        checks = prove(cluster, declared, parts, image, lambda text: click.echo(text, err=True))
    except VerifyError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(_FAULT)
    click.echo(table.as_json(checks) if as_json else table.table(checks, every=every))
    click.echo(table.summary(checks), err=as_json)
    sys.exit(0 if checks and all(check.passed for check in checks) else _FAILED)


def _model(stack: str | None, model: str | None, pulumi: str, cwd: str) -> bytes:
    """Return the access model from the given source.

    :raises VerifyError: if it is missing.
    """
    if (stack is None) == (model is None):
        raise VerifyError("--stack or --model: set exactly one of them")
    if model == "-":
        return sys.stdin.buffer.read()
    if model is not None:
        try:
            return Path(model).read_bytes()
        except OSError as error:
            raise VerifyError(f"--model {model}: {error.strerror}") from error
    words = [*shlex.split(pulumi), "stack", "output", "accessModel", "--json", "--stack", str(stack), "--cwd", cwd]
    try:
        result = subprocess.run(words, capture_output=True, check=False)  # noqa: S603 the user's own pulumi
    except OSError as error:
        raise VerifyError(f"--pulumi {pulumi}: {error.strerror}; install it, or give --model") from error
    if result.returncode:
        said = result.stderr.decode(errors="replace").strip().splitlines()
        raise VerifyError(f"--stack {stack}: {said[-1] if said else 'no outputs'}")
    return result.stdout


if __name__ == "__main__":
    main()
