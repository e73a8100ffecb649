"""What a release has made goes on under the program of today: nothing is made anew, and nothing that it had is gone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.comparison import Step, compare, steps
from harness.graph import Graph
from harness.program import Program
from tests.program.summary import ROOT
from tests.reuse import releases
from tools.documentation import plugin

pytestmark = pytest.mark.program

RECORDED = sorted(path.name for path in releases.RELEASES.iterdir())
ANEW = {Step.REPLACE, Step.DELETE}


def anew(release: str, before: Graph, after: Graph) -> set[str]:
    """Return what would be ended of a release's resources, be it for another in its place.

    What the changelog gives a reason for is left out: 0.1.0 gave NetworkPolicies names that Strimzi uses, and took a
    namespace over that was there before.
    """
    found = steps(compare(before, after))

    def is_known(title: str) -> bool:
        kind, _, name = title.partition(" ")
        instead = {
            "kubernetes:networking.k8s.io/v1:NetworkPolicy": f"{title}-access",
            "kubernetes:core/v1:Namespace": f"kubernetes:core/v1:NamespacePatch {name}",
        }.get(kind, "")
        return release == "0.1.0" and found.get(instead) is Step.CREATE

    return {title for title, step in found.items() if step in ANEW and not is_known(title)}


def test_the_first_release_is_recorded() -> None:
    assert RECORDED[0] == "0.1.0"


@pytest.mark.parametrize("recorded", releases.RECORDED)
@pytest.mark.parametrize("release", RECORDED)
def test_a_stack_of_a_release_is_updated_without_a_replacement(release: str, recorded: releases.Recorded) -> None:
    """Whatever was renamed since has an alias."""
    before = releases.state(release, recorded.name)
    assert len(before.resources) > 10
    after = Program(recorded.folder).preview(stack=recorded.stack, config=recorded.config)
    assert anew(release, before, after) == set()


def renamed(tmp_path: Path, alias: str) -> Program:
    """Return our program with another name for the object of each topic, with or without an alias."""
    source = ROOT / "components" / "kafka_topic.py"
    text = source.read_text(encoding="utf-8")
    changed = text.replace('f"{name}-topic",', 'f"{name}-renamed",').replace(
        "custom_timeouts=timeouts(", f"{alias}custom_timeouts=timeouts("
    )
    assert changed.count("-renamed") == 1
    for path in ROOT.iterdir():
        if path.name not in (".venv", ".lab", ".git", "components"):
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "components").mkdir()
    for path in (ROOT / "components").glob("*.py"):
        (tmp_path / "components" / path.name).write_text(
            changed if path == source else path.read_text(encoding="utf-8"), encoding="utf-8"
        )
    return Program(tmp_path)


def test_a_rename_without_an_alias_would_be_found(tmp_path: Path) -> None:
    lost = anew(RECORDED[0], releases.state(RECORDED[0], "test"), renamed(tmp_path, "").preview(stack="test"))
    assert len(lost) == 4
    assert all("KafkaTopic" in title for title in lost)


def test_a_rename_with_an_alias_is_none(tmp_path: Path) -> None:
    program = renamed(tmp_path, 'aliases=[pulumi.Alias(name=f"{name}-topic")], ')
    assert anew(RECORDED[0], releases.state(RECORDED[0], "test"), program.preview(stack="test")) == set()


def fits(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> bool:
    """Tell whether what was given as a field can be given still: the same type, and no output where it was one."""
    if before is None or after is None:
        return before is after
    return (
        before.get("type") == after.get("type")
        and before.get("$ref") == after.get("$ref")
        and bool(before.get("plain")) >= bool(after.get("plain"))
        and all(fits(before.get(part), after.get(part)) for part in ("items", "additionalProperties"))
    )


def test_an_input_that_takes_outputs_no_more_would_be_found() -> None:
    text = {"type": "string"}
    assert fits(text, {"type": "string", "description": "Another."})
    assert fits({"type": "string", "plain": True}, text)
    assert not fits(text, {"type": "string", "plain": True})
    assert not fits({"type": "array", "items": text}, {"type": "array", "items": {"type": "integer"}})


def wordless(schema: Any) -> Any:
    """Return a schema without its descriptions."""
    if isinstance(schema, dict):
        return {key: wordless(value) for key, value in schema.items() if key != "description"}
    return [wordless(item) for item in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize("release", RECORDED)
def test_what_a_release_offered_is_offered_still(release: str) -> None:
    """Every type token with its inputs and outputs, and nothing more is required."""
    then = json.loads((releases.RELEASES / release / "schema.json").read_text(encoding="utf-8"))
    now = json.loads(plugin.SCHEMA.read_text(encoding="utf-8"))
    gone, required = [], []
    for part, fields, needs in (
        ("resources", "inputProperties", "requiredInputs"),
        ("resources", "properties", "required"),
        ("types", "properties", "required"),
    ):
        for token, before in then[part].items():
            after = now[part].get(token, {})
            offered = after.get(fields, {})
            gone += [
                f"{token}.{name}"
                for name, field in before.get(fields, {}).items()
                if name not in offered or not fits(field, offered[name])
            ]
            if fields != "properties" or part == "types":
                required += [f"{token}.{name}" for name in set(after.get(needs, ())) - set(before.get(needs, ()))]
    assert (gone, required) == ([], [])
    # What is offered otherwise, and not only described otherwise, is another version.
    assert (wordless(then) == wordless(now)) == (then["version"] == now["version"])
