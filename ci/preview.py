"""``python -m ci.preview``: write for a pull request, as Markdown, what it changes in each stack that it touches.

No cluster is looked at and no credentials are needed: the lab's engine runs the program as it was and as it is.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci.command import leave
from ci.stacks import base, touched_since

_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Section:
    """What was found of one stack: Markdown, or the lines of the faults that kept it from being found."""

    text: str
    failed: bool = False


def document(ref: str, sections: Mapping[str, Section], removed: Iterable[str]) -> str:
    """Return the whole Markdown, empty if no stack is touched. Pure.

    :param sections: by stack, in their order.
    :param removed: stacks whose settings are gone.
    """
    parts = [
        section.text.strip()
        if not section.failed
        else f"### Stack `{stack}` against `{ref}`\n\nThe preview failed:\n\n```\n{section.text.strip()}\n```"
        for stack, section in sections.items()
    ]
    parts += [
        f"### Stack `{stack}` against `{ref}`\n\nIts settings were removed. What it made is still there:"
        f" `pulumi destroy --remove --stack {stack}`, from `{ref}`."
        for stack in removed
    ]
    return "\n\n".join(["## Preview", *parts]) + "\n" if parts else ""


def _preview(directory: Path, stack: str, commit: str, ref: str) -> Section:
    command = [sys.executable, "-m", "lab.engine", "preview", "--offline", "--against", commit, "--stack", stack]
    result = subprocess.run(  # noqa: S603 our own engine
        [*command, "--cwd", str(directory.resolve())], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    said = result.stderr if result.returncode else result.stdout
    return Section(said.replace(commit, ref), failed=bool(result.returncode))


def main(arguments: Sequence[str]) -> int:
    """Write the Markdown, and return 1 if a stack's preview failed."""
    parser = argparse.ArgumentParser(
        prog="python -m ci.preview", description="Write what the working tree changes in each stack that it touches."
    )
    parser.add_argument("--against", required=True, metavar="REF", help="what the working tree is compared with")
    parser.add_argument("--without", default="", metavar="STACKS", help="leave these out, parted by spaces")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there instead of to standard output")
    parser.add_argument("--cwd", default=".", type=Path, help="the project's folder (default: this one)")
    options = parser.parse_args(arguments)
    commit = base(options.cwd, options.against)
    found = touched_since(options.cwd, commit)
    wanted = [stack for stack in found.present if stack not in options.without.split()]
    sections = {stack: _preview(options.cwd, stack, commit, options.against) for stack in wanted}
    text = document(options.against, sections, found.removed)
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text or "No stack is touched.\n")
    failed = [stack for stack, section in sections.items() if section.failed]
    for stack in failed:
        sys.stderr.write(f"error: the preview of stack {stack} failed; the document says why\n")
    return 1 if failed else 0


if __name__ == "__main__":
    leave(main)
