"""Locks: who may take them, and who is said to have them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import cache, locks

pytestmark = pytest.mark.unit


def test_nobody_else_may_open_a_lock_which_they_could_hold_then(tmp_path: Path) -> None:
    path = tmp_path / "lab.lock"
    path.write_text("of an earlier release")
    path.chmod(0o644)
    with locks.lock(path):
        assert path.stat().st_mode & 0o777 == 0o600
    with locks.lock(tmp_path / "new.lock"):
        assert (tmp_path / "new.lock").stat().st_mode & 0o777 == 0o600


def test_nobody_else_may_open_the_locks_of_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache.once("thing-1", lambda folder: (folder / "made").touch())
    (lock,) = tmp_path.rglob("*.lock")
    assert lock.stat().st_mode & 0o777 == 0o600


def test_a_lock_that_is_held_names_its_holder_whatever_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "lab.lock"
    path.write_text(str(os.getpid()))
    code = f"import fcntl, sys; f = open({str(path)!r}, 'a'); fcntl.flock(f, fcntl.LOCK_EX); print(); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(locks.HeldError) as held:
            locks.lock(path)
        assert held.value.holder == str(other.pid)
        other.communicate()
    with locks.lock(path) as mine:
        assert not mine.closed
        with path.open() as second, pytest.raises(BlockingIOError):
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
