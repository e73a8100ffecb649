"""A stack's program at a git ref and now."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.comparison import Change, compare
from harness.errors import HarnessError
from harness.graph import EMPTY, Graph
from harness.program import Program, ProgramFailedError
from harness.project import load_project, settings_file
from harness.randomness import DRAWN

Notes = Callable[[Mapping[str, Any] | None, Mapping[str, Any]], list[str]]
"""Says in a line each what outputs, None for those of a new stack, and later ones have to tell a reviewer."""


@dataclass(frozen=True)
class Section:
    """The result for one stack: two graphs, the earlier one None for a new stack, or a fault."""

    stack: str
    before: Graph | None = None
    after: Graph = EMPTY
    fault: str = ""

    def changes(self) -> tuple[Change, ...]:
        """Return what an update would do."""
        return compare(self.before or EMPTY, self.after)


@contextmanager
def checked_out(directory: Path, ref: str) -> Iterator[Path]:
    """Yield a temporary copy of a folder at a git ref.

    Ignored files, such as generated charts, are in no ref; both programs use the current ones.

    :raises HarnessError: if the ref does not exist, or git is missing.
    """
    top = Path(_git(directory, "rev-parse", "--show-toplevel").decode().strip())
    commit = _git(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", what=ref)
    archive = _git(top, "archive", "--format=tar", commit.decode().strip())
    listed = _git(top, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
    with tempfile.TemporaryDirectory(prefix="pulumi-against-") as folder:
        target = Path(folder).resolve()
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(target, filter="data")
        for name in filter(None, listed.decode().split("\0")):
            link = target / name.rstrip("/")
            if not link.exists() and not link.is_symlink():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(top / name.rstrip("/"))
        yield target / directory.resolve().relative_to(top)


def _git(directory: Path, *arguments: str, what: str = "") -> bytes:
    try:
        result = subprocess.run(["git", "-C", str(directory), *arguments], capture_output=True, check=False)  # noqa: S603, S607
    except FileNotFoundError as error:
        raise HarnessError("--against needs git, which is not on PATH; install it") from error
    if result.returncode:
        said = result.stderr.decode(errors="replace").strip() or "no such commit"
        raise HarnessError(f"--against {what}: {said}; name a branch, tag or commit of the repository of {directory}")
    return result.stdout


def section(then: Path, now: Path, stack: str, config: Mapping[str, Any]) -> Section:
    """Run a stack's program at the ref and now. Passwords have values, so that resources with them can be compared.

    A stack with new settings was empty before.
    """
    before: Graph | None = None
    what = "the program as it was"
    try:
        if settings_file(then, stack).exists() or not settings_file(now, stack).exists():
            was, is_now = load_project(then).name, load_project(now).name
            if was != is_now:
                return Section(stack, fault=f"the project was {was!r} then and is {is_now!r} now")
            before = Program(then).preview(stack=stack, config=config, outputs=DRAWN)
        what = "the program"
        return Section(stack, before, Program(now).preview(stack=stack, config=config, outputs=DRAWN))
    except (HarnessError, ProgramFailedError) as error:
        return Section(stack, fault="\n".join(f"{what}: {line}" for line in str(error).splitlines()))
