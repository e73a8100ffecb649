"""What the workflows do, where a linter would not see it go: order, guards, and flags that everything hangs on."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.workflows.conftest import ROOT, WORKFLOWS, load, script, workflow
from tools.ci.stacks import touched

pytestmark = pytest.mark.unit

ORDER = ("dev", "platform", "openshift", "prod")
OWN = "owner/name"


def evaluated(expression: str, facts: Mapping[str, Any]) -> Any:
    """Return what an expression of GitHub's comes to; what ``facts`` lack is empty, as it is there."""

    def looked_up(path: str) -> Any:
        value: Any = facts
        for key in path.split("."):
            if key == "*":
                continue
            value = [item[key] for item in value] if isinstance(value, list) else (value or {}).get(key)
        return "" if value is None else value

    text = " ".join(expression.removeprefix("${{").removesuffix("}}").split())
    text = re.sub(r"[a-z_]+(?:\.[\w*]+)+(?=[^']*(?:'[^']*'[^']*)*$)", lambda found: f"at({found[0]!r})", text)
    text = re.sub(r"!(?!=)", " not ", text).replace("&&", " and ").replace("||", " or ").strip()
    return eval(text, {"at": looked_up, "contains": lambda whole, part: part in whole})


def event(action: str, *, labels: tuple[str, ...], **changes: Any) -> dict[str, Any]:
    """Return the facts of an event of a pull request from a branch of the repository."""
    pull = {
        "state": "closed" if action == "closed" else "open",
        "head": {"repo": {"full_name": changes.get("head", OWN)}},
        "labels": [{"name": name} for name in labels],
    }
    return {
        "github": {
            "repository": OWN,
            "event_name": "pull_request",
            "event": {"action": action, "label": {"name": changes.get("label", "")}, "pull_request": pull},
        },
        "vars": {"PLATFORM_STACK": "organization/kafka-on-istio/platform", "PREVIEW_STACKS": "dev prod"}
        | changes.get("vars", {}),
    }


REVIEW = ("bug", "review")
FORK: dict[str, Any] = {"head": "mallory/name"}


@pytest.mark.parametrize(
    ("facts", "up", "orphans"),
    [
        (event("labeled", labels=REVIEW, label="review"), True, False),
        (event("synchronize", labels=REVIEW), True, False),
        (event("synchronize", labels=("bug",)), False, False),
        (event("unlabeled", labels=("bug",), label="review"), False, True),
        (event("unlabeled", labels=REVIEW, label="wip"), True, False),
        (event("closed", labels=REVIEW), False, True),
        (event("closed", labels=("bug",)), False, False),
        (event("labeled", labels=REVIEW, label="review", **FORK), False, False),
        (event("synchronize", labels=REVIEW, **FORK), False, False),
        (event("closed", labels=REVIEW, **FORK), False, False),
        (event("unlabeled", labels=(), label="review", **FORK), False, False),
        (event("synchronize", labels=REVIEW, vars={"PLATFORM_STACK": ""}), False, False),
        (event("closed", labels=REVIEW, vars={"PLATFORM_STACK": ""}), False, False),
        ({"github": {"event_name": "schedule"}, "vars": {"PLATFORM_STACK": "platform"}}, False, True),
        ({"github": {"event_name": "schedule"}, "vars": {}}, False, False),
    ],
)
def test_a_stack_of_a_pull_request_is_for_labelled_branches_of_this_repository(
    facts: dict[str, Any], up: bool, orphans: bool
) -> None:
    jobs = workflow("review")["jobs"]
    assert bool(evaluated(jobs["up"]["if"], facts)) == up
    assert bool(evaluated(jobs["orphans"]["if"], facts)) == orphans


def test_a_fork_has_no_stack_previewed_with_credentials() -> None:
    jobs = workflow("preview")["jobs"]
    assert evaluated(jobs["stacks"]["if"], event("synchronize", labels=()))
    assert not evaluated(jobs["stacks"]["if"], event("synchronize", labels=(), **FORK))
    assert not evaluated(jobs["stacks"]["if"], event("synchronize", labels=(), vars={"PREVIEW_STACKS": ""}))
    assert jobs["live"]["needs"] == "stacks"
    assert jobs["live"]["strategy"]["matrix"]["stack"] == "${{ fromJSON(needs.stacks.outputs.live) }}"


def test_no_two_workflows_share_the_credentials_of_an_environment() -> None:
    """A preview runs a pull request's code: what it is given must not be what drift or a deployment has."""
    found: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for job in load(path)["jobs"].values():
            if "environment" in job:
                found.setdefault(job["environment"], set()).add(path.stem)
    assert {name for name, users in found.items() if len(users) > 1} == set()
    assert found["preview-${{ matrix.stack }}"] == {"preview"}
    assert found["drift-${{ matrix.stack }}"] == {"drift"}


def test_stacks_are_deployed_one_after_the_other_and_none_after_a_failure() -> None:
    jobs = workflow("deploy")["jobs"]
    assert tuple(jobs) == ORDER
    assert [job.get("needs") for job in jobs.values()] == [None, *ORDER[:-1]]
    for name, job in jobs.items():
        (given,) = (step["with"] for step in job["steps"] if "command" in step.get("with", {}))
        assert (given["command"], given["stack-name"], job["environment"]) == ("up", name, name)
        condition = job["if"].removeprefix("${{").removesuffix("}}").strip()
        wanted = f"contains(fromJSON(vars.DEPLOY_STACKS || '[]'), '{name}')"
        # A job whose need was skipped runs only if its condition has a function of the status.
        assert condition == (wanted if "needs" not in job else f"!cancelled() && !failure() && {wanted}")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_whatever_changes_or_previews_a_stack_by_the_action_is_held_against_the_guard_rails(path: Any) -> None:
    for job in load(path)["jobs"].values():
        for given in (step["with"] for step in job["steps"] if "command" in step.get("with", {})):
            assert given["policyPacks"] == "policy_pack"
            for stack in ORDER:
                config = given.get("policyPackConfigs", "")
                if "${{" in config:
                    config = evaluated(config, {"matrix": {"stack": stack}})
                if given["stack-name"] in (stack, "${{ matrix.stack }}"):
                    assert config == ("policy_pack/production.json" if stack == "prod" else "")


def test_drift_is_looked_for_in_the_cluster_and_changes_nothing() -> None:
    words = script("drift", "drift", "Refresh and preview").split()
    assert words[:2] == ["pulumi", "preview"]
    assert {"--refresh", "--expect-no-changes", "--non-interactive"} <= {*words}


def test_what_only_lists_stacks_has_no_way_to_the_cluster() -> None:
    assert "KUBECONFIG" not in str(workflow("review")["jobs"]["orphans"])


def test_a_change_of_the_program_or_of_settings_is_deployed() -> None:
    patterns = workflow("deploy")["on"]["push"]["paths"]

    def is_deployed(path: str) -> bool:
        # `*` is within a folder, `**` is not.
        return any(
            fnmatchcase(path, pattern) and ("**" in pattern or pattern.count("/") == path.count("/"))
            for pattern in patterns
        )

    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = listed.stdout.splitlines()
    program = [path for path in files if touched(files, [path]).present]
    assert {"Pulumi.dev.yaml", "Pulumi.README.md", "__main__.py", "kafka_on_istio/settings/settings.py"} <= {*program}
    assert [path for path in program if not is_deployed(path)] == []


def test_the_tests_are_run_as_the_readme_says() -> None:
    assert "\n$ make test " in (ROOT / "README.md").read_text(encoding="utf-8")
    assert script("test", "test", "The README's test command").endswith(" make test")
    assert {"push", "pull_request", "merge_group"} == {*workflow("test")["on"]}
