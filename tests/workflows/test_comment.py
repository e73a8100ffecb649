"""The comment that a run leaves, on a stand-in for GitHub's API."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.conftest import ROOT, Api
from tools.ci.comment import LIMIT, MARK, body, plan, pull_request

pytestmark = pytest.mark.unit

RUN = "https://github.example/run/1"
OURS = {"id": 7, "user": {"login": "github-actions[bot]"}, "body": f"{MARK}\nold"}


def section(stack: str, size: int) -> str:
    return f"### Stack `{stack}`\n\n| create |\n\n<details><summary>x</summary>\n\n{'x' * size}\n\n</details>\n"


def test_the_text_is_marked_and_mentions_nobody() -> None:
    text = body("## Preview\n\nby @somebody and @org/team, a@b", RUN)
    assert text.startswith(f"{MARK}\n## Preview")
    assert RUN in text
    assert "@somebody" not in text
    assert "@org" not in text


def test_a_long_text_keeps_every_stack_and_loses_details_from_the_end() -> None:
    text = body("\n".join(section(stack, 30_000) for stack in "abc"), RUN)
    assert len(text) < 65_536
    assert [f"### Stack `{stack}`" in text for stack in "abc"] == [True, True, True]
    assert text.count("<details>") == text.count("</details>") == 2
    assert "Cut short" in text


def test_a_text_that_is_too_long_without_details_is_cut_between_stacks() -> None:
    text = body("\n".join(f"### Stack `{stack}`\n{'x' * 40_000}" for stack in "ab"), RUN)
    assert len(text) < LIMIT
    assert "`a`" in text
    assert "`b`" not in text


@pytest.mark.parametrize(
    ("comments", "text", "expected"),
    [
        ([], "new", ("POST", None)),
        ([OURS], f"{MARK}\nnew", ("PATCH", 7)),
        ([OURS], OURS["body"], None),
        ([OURS], "", ("DELETE", 7)),
        ([], "", None),
        ([OURS | {"user": {"login": "mallory"}}], "new", ("POST", None)),
        ([OURS | {"body": f"quoted: {MARK}"}], "new", ("POST", None)),
    ],
)
def test_there_is_one_comment_and_it_is_current(
    comments: list[dict[str, Any]], text: str, expected: tuple[str, int | None] | None
) -> None:
    action = plan(comments, text)
    assert (action and (action.method, action.comment)) == expected


def test_a_run_of_a_commit_that_is_no_longer_the_last_is_for_no_pull_request() -> None:
    pulls = [{"number": 1, "head": {"sha": "a"}}, {"number": 2, "head": {"sha": "b"}}]
    assert pull_request(pulls, {"head_sha": "b"}) == 2
    assert pull_request(pulls, {"head_sha": "c"}) is None


@pytest.fixture
def environment(tmp_path: Path, runner: dict[str, str]) -> dict[str, str]:
    run = {
        "head_sha": "abc",
        "head_branch": "change",
        "head_repository": {"owner": {"login": "contributor"}},
        "html_url": RUN,
    }
    (tmp_path / "event.json").write_text(json.dumps({"workflow_run": run}))
    return runner | {"GITHUB_EVENT_PATH": str(tmp_path / "event.json")}


def comment(file: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.ci.comment", str(file)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_pull_request_of_a_forks_run_gets_the_comment(
    tmp_path: Path, api: Api, environment: dict[str, str]
) -> None:
    (tmp_path / "preview.md").write_text("## Preview\n")
    result = comment(tmp_path / "preview.md", environment)
    assert result.returncode == 0, result.stderr
    assert "head=contributor%3Achange" in api.requests[0][1]
    method, path, token, sent = api.requests[-1]
    assert (method, path, token) == ("POST", "/repos/owner/name/issues/12/comments", "Bearer s3cret")
    assert sent["body"].startswith(f"{MARK}\n## Preview")


def test_the_comment_is_found_on_a_later_page_and_updated(
    tmp_path: Path, api: Api, environment: dict[str, str]
) -> None:
    api.comments = [{"id": number, "user": {"login": "a"}, "body": ""} for number in range(100)]
    api.comments.append(OURS)
    (tmp_path / "preview.md").write_text("## Preview\n")
    result = comment(tmp_path / "preview.md", environment)
    assert result.returncode == 0, result.stderr
    assert api.requests[-1][:2] == ("PATCH", "/repos/owner/name/issues/comments/7")


def test_a_run_that_left_nothing_asks_nothing(tmp_path: Path, api: Api, environment: dict[str, str]) -> None:
    assert comment(tmp_path / "preview.md", environment).returncode == 0
    assert api.requests == []


def test_a_refusal_is_one_line_without_the_token(tmp_path: Path, api: Api, environment: dict[str, str]) -> None:
    (tmp_path / "preview.md").write_text("## Preview\n")
    api.status = 403
    result = comment(tmp_path / "preview.md", environment)
    assert result.returncode == 2
    assert result.stderr.startswith("error: GET http://127.0.0.1:")
    assert len(result.stderr.splitlines()) == 1
    assert "s3cret" not in result.stderr


def test_a_missing_token_is_named(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "preview.md").write_text("## Preview\n")
    result = comment(tmp_path / "preview.md", environment | {"GITHUB_TOKEN": ""})
    assert result.returncode == 2
    assert (
        result.stderr == "error: GITHUB_TOKEN is not set; a runner sets it, but for GITHUB_TOKEN: ${{ github.token }}\n"
    )
