"""How the commands of this package end, and what they call."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn


class CommandError(Exception):
    """A command cannot do what it is asked to; the message is one clear line with the fix."""


def leave(main: Callable[[Sequence[str]], int]) -> NoReturn:
    """Run a command's ``main`` and exit with what it returns, or with 2 and one line for a CommandError."""
    try:
        code = main(sys.argv[1:])
    except CommandError as error:
        sys.stderr.write(f"error: {error}\n")
        code = 2
    sys.exit(code)


def git(directory: Path, *arguments: str) -> str:
    """Return what git prints.

    :raises CommandError: if there is no git, or it fails.
    """
    try:
        result = subprocess.run(["git", "-C", str(directory), *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    except FileNotFoundError as error:
        raise CommandError("git is not on PATH; install it") from error
    if result.returncode:
        said = (result.stderr.strip().splitlines() or ["nothing found"])[-1]
        raise CommandError(f"git {' '.join(arguments)}: {said}")
    return result.stdout
