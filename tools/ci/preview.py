"""``python -m tools.ci.preview``: write for a pull request, as Markdown, what it changes in each stack that it touches.

No cluster is looked at and no credentials are needed: the harness runs the program as it was and as it is.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tools.ci.command import CommandError, leave
from tools.ci.stacks import base, touched_since

_ROOT = Path(__file__).parents[2]
_LIMIT: Final = 64_000
"""Characters of a document at most: a comment (``tools.ci.comment.LIMIT``) adds text of its own."""
_FIRST: Final = (
    "AuthorizationPolicy",
    "NetworkPolicy",
    "PeerAuthentication",
    "RequestAuthentication",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "KafkaUser",
    "Kafka",
    "Sidecar",
    "ServiceEntry",
    "Namespace",
    "NamespacePatch",
    "Secret",
    "RandomPassword",
    "ServiceAccount",
    "Gateway",
    "Route",
    "VirtualService",
)
"""Kinds of which every change is listed, however long the document: who may do what, and what is reached."""


def removal(ref: str, stacks: Iterable[str]) -> str:
    """Return the Markdown about stacks whose settings are gone. Pure."""
    return "\n\n".join(
        f"### Stack `{stack}` against `{ref}`\n\nIts settings were removed. Its resources still exist:"
        f" `pulumi destroy --remove --stack {stack}`, from `{ref}`."
        for stack in stacks
    )


def _differences(directory: Path, stacks: Sequence[str], commit: str, ref: str, limit: int) -> tuple[str, list[str]]:
    """Return the Markdown about stacks, and the lines about those whose preview failed.

    :raises CommandError: if there is none.
    """
    command = [sys.executable, "-m", "harness", "diff", "--against", commit, "--ref", ref, "--limit", str(limit)]
    command += [
        "--first",
        ",".join(_FIRST),
        "--notes",
        "review.access:output_changes",
        "--cwd",
        str(directory.resolve()),
    ]
    command += [word for stack in stacks for word in ("--stack", stack)]
    result = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)  # noqa: S603 our own
    if result.returncode and not result.stdout:
        raise CommandError(result.stderr.strip().removeprefix("error: "))
    return result.stdout, [line for line in result.stderr.splitlines() if line.startswith("error: ")]


def main(arguments: Sequence[str]) -> int:
    """Write the Markdown, and return 1 if a stack's preview failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.ci.preview",
        description="Write what the working tree changes in each stack that it touches.",
    )
    parser.add_argument("--against", required=True, metavar="REF", help="what the working tree is compared with")
    parser.add_argument("--without", default="", metavar="STACKS", help="leave these out, parted by spaces")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there instead of to standard output")
    parser.add_argument("--cwd", default=".", type=Path, help="the project's folder (default: this one)")
    options = parser.parse_args(arguments)
    commit = base(options.cwd, options.against)
    found = touched_since(options.cwd, commit)
    wanted = [stack for stack in found.present if stack not in options.without.split()]
    parts = ["## Preview"]
    faults: list[str] = []
    gone = removal(options.against, found.removed)
    if wanted:
        limit = _LIMIT - len(gone)
        text, faults = _differences(options.cwd, wanted, commit, options.against, limit)
        parts.append(text.strip())
    parts += [gone] if gone else []
    text = "\n\n".join(parts) + "\n" if len(parts) > 1 else ""
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text or "No stack is touched.\n")
    sys.stderr.writelines(f"{line}\n" for line in faults)
    return 1 if faults else 0


if __name__ == "__main__":
    leave(main)
