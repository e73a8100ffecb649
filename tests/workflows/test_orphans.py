"""Which stacks of pull requests are needed no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ci.orphans import orphans

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
LABELLED = {"number": 12, "labels": [{"name": "bug"}, {"name": "review"}]}
PLAIN = {"number": 13, "labels": []}


def test_what_is_closed_or_no_longer_labelled_goes_and_nothing_else() -> None:
    stacks = ["dev", "prod", "platform", "pr-12", "pr-13", "pr-14", "pr-014", "pr-12-notes", "my-pr-14"]
    assert orphans(stacks, [LABELLED, PLAIN]) == ["pr-13", "pr-14"]


def test_names_may_be_in_full() -> None:
    assert orphans(["acme/pr-12", "acme/kafka-on-istio/pr-14"], [LABELLED]) == ["pr-14"]


def test_what_is_no_list_of_stacks_is_one_line() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "ci.orphans"],
        cwd=ROOT,
        env=dict(os.environ),
        input="no stacks",
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr == "error: standard input is no list of stacks; pipe `pulumi stack ls --json` into this\n"
