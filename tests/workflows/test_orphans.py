"""Which stacks of pull requests are needed no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.workflows.conftest import ROOT, Api
from tools.ci.orphans import orphans

pytestmark = pytest.mark.unit

LABELLED = {"number": 12, "labels": [{"name": "bug"}, {"name": "review"}]}
PLAIN = {"number": 13, "labels": []}


def test_what_is_closed_or_no_longer_labelled_goes_and_nothing_else() -> None:
    stacks = ["dev", "prod", "platform", "pr-12", "pr-13", "pr-14", "pr-014", "pr-12-notes", "my-pr-14"]
    assert orphans(stacks, [LABELLED, PLAIN]) == ["pr-13", "pr-14"]


def test_names_may_be_in_full() -> None:
    assert orphans(["acme/pr-12", "acme/kafka-on-istio/pr-14"], [LABELLED]) == ["pr-14"]


def run(stacks: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.ci.orphans"]
    return subprocess.run(command, cwd=ROOT, env=environment, input=stacks, capture_output=True, text=True, check=False)


def test_the_open_pull_requests_are_those_of_github_on_all_pages(api: Api, runner: dict[str, str]) -> None:
    api.pulls = [{"number": number, "labels": []} for number in range(100, 200)] + [LABELLED]
    stacks = json.dumps([{"name": name, "current": False} for name in ("dev", "pr-12", "acme/kafka-on-istio/pr-13")])
    result = run(stacks, runner)
    assert result.returncode == 0, result.stderr
    assert result.stdout == '["pr-13"]\n'
    assert [(method, path.partition("?")[0]) for method, path, *_ in api.requests] == [
        ("GET", "/repos/owner/name/pulls"),
        ("GET", "/repos/owner/name/pulls"),
    ]
    assert all("state=open" in path for _, path, *_ in api.requests)


def test_without_an_answer_of_github_nothing_is_an_orphan(api: Api, runner: dict[str, str]) -> None:
    api.status = 500
    result = run('[{"name": "pr-12"}]', runner)
    assert (result.returncode, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1


def test_what_is_no_list_of_stacks_is_one_line() -> None:
    result = run("no stacks", dict(os.environ))
    assert result.returncode == 2
    assert result.stderr == "error: standard input is no list of stacks; pipe `pulumi stack ls --json` into this\n"
