"""``python -m tools.ci.stacks``: print which stacks a change touches, as a JSON array for a matrix of jobs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.ci.command import CommandError, git, leave

_SETTINGS: Final = "Pulumi.{}.yaml"
_PROGRAM: Final = ("Pulumi.README.md", "Pulumi.yaml", "__main__.py", "requirements.txt")
"""The files, beside those in _FOLDERS, that every stack's resources follow from."""
_FOLDERS: Final = ("components/", "kafka_on_istio/")


@dataclass(frozen=True)
class Touched:
    """The stacks that a change touches, in alphabetical order; of those ``removed`` the settings are gone."""

    present: tuple[str, ...]
    removed: tuple[str, ...]


def name(path: str) -> str | None:
    """Return the stack whose settings a file of the project holds, None for another file.

    >>> name("Pulumi.dev.yaml"), name("Pulumi.yaml"), name("docs/Pulumi.dev.yaml")
    ('dev', None, None)
    """
    start, end = _SETTINGS.split("{}")
    found = path.removeprefix(start).removesuffix(end)
    return found if found and "/" not in found and path == _SETTINGS.format(found) else None


def touched(files: Iterable[str], changed: Collection[str]) -> Touched:
    """Say which stacks a change touches: all of them if the program changed, else those whose settings did. Pure.

    :param files: the project's files, by their paths in its folder.
    :param changed: those that were added, changed or removed.
    """
    present = {stack for path in files if (stack := name(path))}
    mentioned = {stack for path in changed if (stack := name(path))}
    every = any(path in _PROGRAM or path.startswith(_FOLDERS) for path in changed)
    return Touched(tuple(sorted(present if every else present & mentioned)), tuple(sorted(mentioned - present)))


def base(directory: Path, ref: str, head: str = "HEAD") -> str:
    """Return the commit from which ``head``, by default the working tree's, and ``ref`` went different ways.

    :raises CommandError: if there is none.
    """
    try:
        return git(directory, "merge-base", "--end-of-options", ref, head).strip()
    except CommandError as error:
        raise CommandError(
            f"--against {ref}: {error}; name a branch, tag or commit that {directory}'s history goes back to"
        ) from error


def touched_since(directory: Path, commit: str) -> Touched:
    """Say which stacks the working tree touches, compared with a commit.

    :param directory: the project's folder.
    :raises CommandError: if git fails.
    """

    def listed(*arguments: str) -> list[str]:
        return [path for path in git(directory, *arguments).split("\0") if path]

    others = listed("ls-files", "-z", "--others", "--exclude-standard")
    changed = [*listed("diff", "--name-only", "--no-renames", "--relative", "-z", commit), *others]
    files = [path for path in (*listed("ls-files", "-z"), *others) if (directory / path).exists()]
    return touched(files, changed)


def touched_between(directory: Path, start: str, end: str) -> Touched:
    """Say which stacks a commit touches, compared with another; the working tree is not looked at.

    :param directory: the project's folder.
    :raises CommandError: if git fails.
    """

    def listed(*arguments: str) -> list[str]:
        return [path for path in git(directory, *arguments).split("\0") if path]

    changed = listed("diff", "--name-only", "--no-renames", "--relative", "-z", "--end-of-options", start, end)
    return touched(listed("ls-tree", "-r", "--name-only", "-z", "--end-of-options", end), changed)


def main(arguments: Sequence[str]) -> int:
    """Print the stacks, and return an exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.ci.stacks", description="Print which stacks a change touches."
    )
    parser.add_argument("--against", required=True, metavar="REF", help="what the working tree is compared with")
    parser.add_argument(
        "--head",
        metavar="COMMIT",
        help="look at a commit in place of the working tree, so that none of its files are used or run",
    )
    parser.add_argument("--among", default="", metavar="STACKS", help="print no others than these, parted by spaces")
    parser.add_argument("--cwd", default=".", type=Path, help="the project's folder (default: this one)")
    options = parser.parse_args(arguments)
    start = base(options.cwd, options.against, options.head or "HEAD")
    found = (
        touched_between(options.cwd, start, options.head) if options.head else touched_since(options.cwd, start)
    ).present
    sys.stdout.write(json.dumps([stack for stack in found if stack in options.among.split()]) + "\n")
    return 0


if __name__ == "__main__":
    leave(main)
