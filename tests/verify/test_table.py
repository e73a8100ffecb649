"""What a proof prints, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from verify import table
from verify.check import Check, Part

pytestmark = pytest.mark.unit

GOOD = Check(Part.HTTP, "a -> b:80 GET /", "allowed", "allowed", "status 200")
BAD = Check(Part.NETWORK, "a -> c:80", "refused by NetworkPolicy", "allowed", "status 200")


def test_a_table_counts_and_names_what_is_not_as_declared() -> None:
    text = table.table([GOOD, GOOD, BAD])
    assert [line.split() for line in text.splitlines()[:3]] == [
        ["part", "expected", "found", "checks"],
        ["http", "allowed", "allowed", "2", "ok"],
        ["network", "refused", "by", "NetworkPolicy", "allowed", "1", "NOT", "AS", "DECLARED"],
    ]
    assert "[network] a -> c:80: allowed, should be refused by NetworkPolicy (status 200)" in text
    assert "a -> b:80" not in text
    assert "[http] a -> b:80 GET /: allowed" in table.table([GOOD], every=True)
    assert table.summary([GOOD, BAD]) == "2 checks: 1 not as declared"
    assert table.summary([GOOD]) == "1 checks: all as declared"


def test_json_has_every_check() -> None:
    found = json.loads(table.as_json([GOOD, BAD]))
    assert (found["checks"], found["failed"]) == (2, 1)
    assert found["results"][1] == {
        "part": "network",
        "subject": "a -> c:80",
        "expected": "refused by NetworkPolicy",
        "found": "allowed",
        "passed": False,
        "evidence": "status 200",
    }


def verify(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "verify", "--kubeconfig", "/nowhere", *arguments]
    root = Path(__file__).parents[2]
    return subprocess.run(command, cwd=root, input=text, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--stack or --model: set exactly one of them"),
        (("--model", "/nowhere/model.json"), "--model /nowhere/model.json: No such file"),
        (("--stack", "x", "--pulumi", "/nowhere/pulumi"), "--pulumi /nowhere/pulumi: No such file"),
        (("--stack", "x", "--pulumi", "false"), "--stack x: no outputs"),
        (("--model", "-"), "access model: "),
    ],
)
def test_a_fault_is_one_line_that_names_it(arguments: tuple[str, ...], said: str) -> None:
    result = verify(*arguments, text='{"mesh": 1}')
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: {said}")
    assert len(result.stderr.splitlines()) == 1


def test_a_system_without_sidecars_and_a_cluster_that_is_not_there_are_told(shipped: dict[str, Any]) -> None:
    result = verify("--model", "-", text=json.dumps(shipped))
    assert (result.returncode, result.stderr.splitlines()[0][:33]) == (2, "error: --kubeconfig /nowhere: Con")
    shipped = {**shipped, "mesh": {**shipped["mesh"], "dataPlane": "none"}}
    result = verify("--model", "-", text=json.dumps(shipped))
    assert (result.returncode, "dataPlane is none" in result.stderr) == (2, True)
