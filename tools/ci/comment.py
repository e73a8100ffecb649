"""``python -m tools.ci.comment``: keep one comment of a pull request current with what a run of a workflow wrote.

It is called for a finished run (event ``workflow_run``), with a token that may write comments, and runs none of the
pull request's code. The text is that code's, so it is only ever passed on; which pull request it is for is what
GitHub says of the run, not what the run says.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.ci.command import CommandError, leave
from tools.ci.github import GitHub

MARK: Final = "<!-- kafka-on-istio preview -->"
"""The first line of the comment, by which it is found again."""
LIMIT: Final = 65_000
"""The most characters of a comment; GitHub takes 65,536."""
_AUTHOR: Final = "github-actions[bot]"
_DETAILS = re.compile(r"\n*^<details>.*?^</details>$", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"^(?=### )", re.MULTILINE)
_MENTION = re.compile(r"@(?=\w)")


@dataclass(frozen=True)
class Action:
    """One request: ``POST`` a comment to the pull request, or ``PATCH`` or ``DELETE`` the one with that id."""

    method: str
    comment: int | None = None
    body: str | None = None


def body(text: str, run: str) -> str:
    """Return a comment's text: marked, within the limit, and mentioning nobody. Pure.

    :param text: Markdown from a pull request's code.
    :param run: the run's address, where the whole of it is.
    """
    quiet = _MENTION.sub("@\u200b", text.strip())
    short = _shortened(quiet)
    foot = "Offline, without a look at any cluster." if short == quiet else "**Cut short.**"
    return f"{MARK}\n{short}\n\n{foot} [The run]({run}) has all of it.\n"


def _shortened(text: str) -> str:
    """Leave out what is to be unfolded, from the end on, and then whole stacks, until the text is within the limit."""
    for found in reversed([*_DETAILS.finditer(text)]):
        if len(text) <= LIMIT:
            break
        text = text[: found.start()] + text[found.end() :]
    if len(text) > LIMIT:
        ends = [found.start() for found in _SECTION.finditer(text) if found.start() <= LIMIT]
        text = text[: ends[-1] if ends else 0].rstrip()
    return text


def plan(comments: Iterable[Mapping[str, Any]], text: str) -> Action | None:
    """Say what is to be done for the pull request to have the text, once; an empty one is no comment. Pure.

    :param comments: the pull request's, as GitHub lists them. Those of others are left alone, whatever they say.
    """
    ours = [item for item in comments if item["user"]["login"] == _AUTHOR and item["body"].startswith(MARK)]
    if not ours:
        return Action("POST", body=text) if text else None
    first = ours[0]
    if not text:
        return Action("DELETE", first["id"])
    return None if first["body"] == text else Action("PATCH", first["id"], text)


def pull_request(pulls: Iterable[Mapping[str, Any]], run: Mapping[str, Any]) -> int | None:
    """Return the number of the pull request that a run is for, None if it has moved on since. Pure.

    :param pulls: the open ones from the run's branch.
    :param run: ``workflow_run`` of the event.
    """
    return next((int(item["number"]) for item in pulls if item["head"]["sha"] == run["head_sha"]), None)


def main(arguments: Sequence[str]) -> int:
    """Make the comment current, and return an exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.ci.comment", description="Keep a pull request's comment current."
    )
    parser.add_argument("file", type=Path, help="Markdown; nothing is done if there is none")
    options = parser.parse_args(arguments)
    if not options.file.is_file():
        sys.stdout.write(f"{options.file}: the run left none\n")
        return 0
    event = Path(os.environ.get("GITHUB_EVENT_PATH", ""))
    if not event.is_file():
        raise CommandError(f"GITHUB_EVENT_PATH is {str(event)!r}: must name the event's file, as on a runner")
    run = json.loads(event.read_text(encoding="utf-8"))["workflow_run"]
    github = GitHub()
    owner = (run["head_repository"] or {"owner": {"login": ""}})["owner"]["login"]
    number = pull_request(github.listed("/pulls", state="open", head=f"{owner}:{run['head_branch']}"), run)
    if number is None:
        sys.stdout.write(f"no open pull request ends with {run['head_sha']}\n")
        return 0
    text = options.file.read_text(encoding="utf-8", errors="replace")
    comments = github.listed(f"/issues/{number}/comments")
    action = plan(comments, body(text, run["html_url"]) if text.strip() else "")
    if action is not None:
        path = f"/issues/{number}/comments" if action.comment is None else f"/issues/comments/{action.comment}"
        github.request(action.method, path, None if action.body is None else {"body": action.body})
    return 0


if __name__ == "__main__":
    leave(main)
