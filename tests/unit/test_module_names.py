"""Names of modules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]


def test_no_module_has_the_name_of_one_of_the_standard_library() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = {path: Path(path).stem for path in listed.stdout.splitlines() if not path.startswith("tests/")}
    shadowed = sys.stdlib_module_names - {"__main__", "__init__"}
    assert [path for path, name in names.items() if name in shadowed] == []
