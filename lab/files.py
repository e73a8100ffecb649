"""Atomic writes of files that only their owner may read, and locks that name their holder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO, Final

_LOCKS: Final = Path("/proc/locks")


class HeldError(Exception):
    """A lock is another process's; ``holder`` is its pid, as far as that is known."""

    def __init__(self, holder: str) -> None:
        """:param holder: a pid."""
        super().__init__(f"held by process {holder}")
        self.holder = holder


def lock(path: Path) -> IO[str]:
    """Take a lock and return the open file that holds it: to close it is to give the lock back.

    Its mode is 600, for whoever may open a file may lock it.

    :raises HeldError: if another process has it.
    :raises OSError: if the file cannot be written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.fchmod(descriptor, 0o600)
    file = os.fdopen(descriptor, "w+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        with file:
            raise HeldError(_holder(os.fstat(descriptor).st_ino)) from error
    return file


def _holder(inode: int) -> str:
    """Return the process that has locked a file, as the kernel says (proc_locks(5))."""
    for line in _LOCKS.read_text(encoding="ascii").splitlines() if _LOCKS.exists() else ():
        words = line.split()
        if words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(inode):
            return words[4]
    return "unknown"


def replace(path: Path, content: bytes) -> None:
    """Write a file of mode 600: a reader sees what was there before, or all of the new content.

    :raises OSError: if the disk is full or the folder may not be written; the file is as it was then.
    """
    temporary = path.with_name(f"{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
