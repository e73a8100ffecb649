"""The project's folder in the user's cache folder: expensive artifacts, each with a key of its inputs."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path


def folder() -> Path:
    """Return the folder, which need not exist."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kafka-on-istio"


def key(texts: Iterable[str], files: Iterable[Path]) -> str:
    """Return 16 hexadecimal digits of a hash of the texts, and of the files' names and contents."""
    digest = hashlib.sha256("\n".join(texts).encode())
    for file in files:
        digest.update(f"\n{file.name}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def once(name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder ``name`` of the cache; ``make`` creates it if it does not exist.

    It appears complete or not at all; a second process waits for the first and uses its result.

    :param make: fills the folder that it is given.
    """
    target = folder() / name
    if target.is_dir():
        # Whoever only reads, as a pod does, needs no right to write here.
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    # Whoever may open a file may lock it.
    path = target.parent / f"{name.partition('-')[0]}.lock"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as lock:
        os.fchmod(lock.fileno(), 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        for left in target.parent.glob(f"making-{name}-*"):
            shutil.rmtree(left, ignore_errors=True)
        making = Path(tempfile.mkdtemp(dir=target.parent, prefix=f"making-{name}-"))
        try:
            make(making)
            making.chmod(0o755)
            making.rename(target)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return target
