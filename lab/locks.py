"""Locks that name their holder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO, Final

_LOCKS: Final = Path("/proc/locks")


class HeldError(Exception):
    """Another process holds the lock; ``holder`` is its pid, or ``unknown``."""

    def __init__(self, holder: str) -> None:
        """:param holder: a pid."""
        super().__init__(f"held by process {holder}")
        self.holder = holder


def lock(path: Path) -> IO[str]:
    """Take a lock and return the open file that holds it; closing the file releases the lock.

    Its mode is 600, because everyone who may open a file may lock it.

    :raises HeldError: if another process holds it.
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
    """Return the process that holds the lock of a file, from the kernel (proc_locks(5))."""
    for line in _LOCKS.read_text(encoding="ascii").splitlines() if _LOCKS.exists() else ():
        words = line.split()
        if words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(inode):
            return words[4]
    return "unknown"
