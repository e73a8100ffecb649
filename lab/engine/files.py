"""Files that only their owner reads, written whole or not at all, and locks that tell who holds them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO


class HeldError(Exception):
    """A lock is another process's; ``holder`` is its pid, as far as that is known."""

    def __init__(self, holder: str) -> None:
        """:param holder: a pid."""
        super().__init__(f"held by process {holder}")
        self.holder = holder


def lock(path: Path) -> IO[str]:
    """Take a lock and return the open file that holds it: to close it is to give the lock back.

    :raises HeldError: if another process has it.
    :raises OSError: if the file cannot be written.
    """
    file = path.open("a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise HeldError(holder) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


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
