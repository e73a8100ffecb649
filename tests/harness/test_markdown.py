"""What a reviewer gets to read of a change, and what is left out of it when it gets long."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness import urn
from harness.against import Section
from harness.graph import Graph, Resource
from harness.markdown import document
from harness.values import Secret

pytestmark = pytest.mark.unit

POLICY = "kubernetes:security.istio.io/v1:AuthorizationPolicy"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SECRET = "kubernetes:core/v1:Secret"
COMPONENT = "demo:index:Application"


def resource(token: str, name: str, **inputs: Any) -> Resource:
    custom = not token.startswith("demo:")
    return Resource(urn.make("dev", "demo", "", token, name), token, custom=custom, inputs=inputs)


def section(before: list[Resource], after: list[Resource], stack: str = "dev", **outputs: Any) -> Section:
    return Section(stack, Graph(tuple(before), {"port": 80}), Graph(tuple(after), {"port": 80, **outputs}))


def many(token: str, count: int, size: int) -> tuple[list[Resource], list[Resource]]:
    """Return resources before and after, each of which differs by about as many characters."""
    names = [f"{token.rpartition(':')[2].lower()}-{number}" for number in range(count)]
    fields = size // 100
    return (
        [resource(token, name, spec={f"f{field}": f"{'a' * 40}{name}" for field in range(fields)}) for name in names],
        [resource(token, name, spec={f"f{field}": f"{'b' * 40}{name}" for field in range(fields)}) for name in names],
    )


def test_nothing_that_differs_is_one_line() -> None:
    same = [resource(DEPLOYMENT, "web", spec={"replicas": 1})]
    assert document([section(same, same)], "main") == "### Stack `dev` against `main`\n\nNo resource changes.\n"


def test_what_matters_most_comes_first_and_components_last() -> None:
    before = [resource(DEPLOYMENT, "web", a=1), resource(COMPONENT, "all", a=1), resource(POLICY, "web", a=1)]
    after = [resource(DEPLOYMENT, "web", a=2), resource(COMPONENT, "all", a=2), resource(POLICY, "web", a=2)]
    text = document([section(before, after)], "main", first=["AuthorizationPolicy"])
    assert re.findall(r"^\| update \| `(.*)` \| `(.*)` \|$", text, re.MULTILINE) == [
        (POLICY, "web"),
        (DEPLOYMENT, "web"),
        (COMPONENT, "all"),
    ]
    assert "3 to update." in text
    # What a component takes reaches what is in it.
    assert re.findall(r"<summary>(.*)</summary>", text) == [
        "update AuthorizationPolicy <code>web</code>",
        "update Deployment <code>web</code>",
    ]


def test_a_new_resource_is_shown_whole_and_a_gone_one_by_its_row() -> None:
    text = document([section([resource(DEPLOYMENT, "old", a=1)], [resource(POLICY, "new", spec={"b": 2})])], "main")
    assert "+ spec:\n+   b: 2\n" in text
    assert f"| delete | `{DEPLOYMENT}` | `old` |" in text
    assert "<code>old</code>" not in text


def test_a_protected_resource_that_would_go_is_marked() -> None:
    kept = Resource(urn.make("dev", "demo", "", DEPLOYMENT, "web"), DEPLOYMENT, protect=True)
    assert f"| delete (protected) | `{DEPLOYMENT}` | `web` |" in document([section([kept], [])], "main")


def test_notes_are_said_once_with_the_stacks_for_which_they_go() -> None:
    sections = [section([], [], stack, port=port) for stack, port in (("dev", 81), ("prod", 82))]

    def notes(before: Any, after: Any) -> list[str]:
        return ["for all", f"from {before['port']} to {after['port']}"]

    text = document(sections, "main", notes=notes)
    assert text.startswith("- `for all`\n- `from 80 to 81` (dev)\n- `from 80 to 82` (prod)\n\n### Stack `dev`")


def test_the_same_difference_in_another_stack_is_not_shown_again() -> None:
    before, after = [resource(POLICY, "web", a=1)], [resource(POLICY, "web", a=2)]
    text = document([section(before, after), section(before, after, "prod")], "main")
    assert text.count("! a: 1 => 2") == 1
    assert text.endswith("Shown at stack `dev`, with the same fields: 1.\n")


def test_a_big_output_is_counted_and_a_small_one_shown() -> None:
    model = {f"key{number}": "x" * 50 for number in range(100)}
    text = document([section([], [], port=81, model=model, other={"a": 1})], "main")
    assert "! port: 80 => 81" in text
    assert "+ other: {a: 1}" in text
    assert re.search(r"^\+ model: .{300}\.\.\. \(\d{4} characters\)$", text, re.MULTILINE)
    changed = {f"key{number}": "y" * 50 for number in range(100)}
    before = Section("dev", Graph((), {"model": model}), Graph((), {"model": changed}))
    assert "! model: differs in 100 fields" in document([before], "main")


def test_no_secret_is_shown_even_where_nothing_marks_it() -> None:
    password = "correct horse"
    holder = resource(SECRET, "holder", stringData=Secret({"password": password}))
    leaking = resource(DEPLOYMENT, "web", args=[f"--password={password}"])
    text = document([section([], [holder, leaking], leaked=password)], "main")
    assert password not in text
    assert '+ args: ["--password=[secret]"]' in text


def test_a_long_document_loses_what_matters_least_first_and_says_how_much() -> None:
    policies, deployments = many(POLICY, 20, 1_000), many(DEPLOYMENT, 60, 2_000)
    found = section(policies[0] + deployments[0], policies[1] + deployments[1])
    full = document([found], "main", first=["AuthorizationPolicy"], limit=10**9)
    assert len(full) > 150_000
    text = document([found], "main", first=["AuthorizationPolicy"])
    assert len(text) <= 65_000
    assert len(text) > 60_000
    shown = re.findall(r"<summary>update (\w+)", text)
    assert shown.count("AuthorizationPolicy") == 20
    assert 0 < shown.count("Deployment") < 60
    left = 60 - shown.count("Deployment")
    assert f"**Left out, not shown field by field: {left}** ({left} Deployment)." in text
    assert text.count(f"| update | `{DEPLOYMENT}`") == 60


def test_rows_go_before_any_field_of_what_matters_most() -> None:
    policies, deployments = many(POLICY, 20, 1_000), many(DEPLOYMENT, 600, 200)
    found = section(policies[0] + deployments[0], policies[1] + deployments[1])
    text = document([found], "main", first=["AuthorizationPolicy"], limit=40_000)
    assert len(text) <= 40_000
    assert re.findall(r"<summary>update (\w+)", text) == ["AuthorizationPolicy"] * 20
    rows = text.count(f"| update | `{DEPLOYMENT}`")
    assert 0 < rows < 600
    assert f"**Left out, not listed: {600 - rows}** ({600 - rows} Deployment)." in text


def test_of_what_matters_most_every_change_stays_listed() -> None:
    policies = many(POLICY, 300, 2_000)
    text = document([section(*policies)], "main", first=["AuthorizationPolicy"], limit=65_000)
    assert len(text) <= 65_000
    assert text.count(f"| update | `{POLICY}`") == 300
    shown = len(re.findall(r"<summary>", text))
    assert f"**Left out, not shown field by field: {300 - shown}**" in text


def test_a_document_is_never_longer_than_its_limit() -> None:
    text = document([section(*many(POLICY, 300, 100))], "main", first=["AuthorizationPolicy"], limit=5_000)
    assert len(text) <= 5_000
    assert text.endswith("**Cut short.**\n")


def test_a_fault_stands_in_the_place_of_its_stack() -> None:
    text = document([Section("dev", fault="no\n```\n<b>"), section([], [], "prod")], "main")
    assert (
        "### Stack `dev` against `main`\n\nThe preview failed:\n\n```\nno\n` ` `\n<b>\n```\n\n### Stack `prod`" in text
    )
