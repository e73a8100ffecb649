"""What becomes of an update that is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]


def test_after_a_kill_at_any_moment_the_next_update_ends_where_an_undisturbed_one_does(
    tmp_path: Path,
) -> None:
    result = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("crashes.py")), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    # The password, its Secret, three more objects and a deletion each: a call and two writes, before and after.
    assert report["moments"] >= 30
    assert report["faults"] == []
