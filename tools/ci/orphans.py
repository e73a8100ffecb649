"""``python -m tools.ci.orphans``: print the stacks of pull requests that need them no more, as a JSON array.

Standard input has what ``pulumi stack ls --json`` prints.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tools.ci.command import CommandError, leave
from tools.ci.github import GitHub

LABEL: Final = "review"
"""The label by which a pull request asks for a stack of its own."""
_STACK = re.compile(r"(?:.*/)?pr-([1-9][0-9]*)")


def orphans(stacks: Iterable[str], pulls: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the stacks whose pull request is not open, or no longer labelled. Pure.

    :param stacks: the names of all stacks, with or without an organization and a project in front.
    :param pulls: the open pull requests, as GitHub lists them.
    """
    kept = {item["number"] for item in pulls if LABEL in (label["name"] for label in item["labels"])}
    found = ((stack, _STACK.fullmatch(stack)) for stack in stacks)
    return sorted(stack.rpartition("/")[2] for stack, match in found if match and int(match[1]) not in kept)


def main(arguments: Sequence[str]) -> int:
    """Print the orphans, and return an exit code."""
    description = "Print the stacks of pull requests that need them no more, of those that standard input lists."
    argparse.ArgumentParser(prog="python -m tools.ci.orphans", description=description).parse_args(arguments)
    try:
        stacks = [item["name"] for item in json.load(sys.stdin)]
    except (ValueError, TypeError, KeyError) as error:
        raise CommandError("standard input is no list of stacks; pipe `pulumi stack ls --json` into this") from error
    sys.stdout.write(json.dumps(orphans(stacks, GitHub().listed("/pulls", state="open"))) + "\n")
    return 0


if __name__ == "__main__":
    leave(main)
