"""What the stack's page in Pulumi Cloud refers to is among the outputs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from documentation.generated import ROOT
from harness.program import Program
from kafka_on_istio.outputs import page
from tests.program.summary import STACKS

TEXT = (ROOT / "Pulumi.README.md").read_text(encoding="utf-8")
NAMED = r"\$\{outputs\.([\w.]+)\}"
ALONE = {"services": [], "routes": []}


@pytest.mark.program
@pytest.mark.parametrize(("stack", "config"), [*((stack, {}) for stack in STACKS), ("dev", ALONE)])
def test_each_output_that_a_stacks_page_names_is_there(stack: str, config: dict[str, Any]) -> None:
    outputs = Program(ROOT).preview(stack=stack, config=config).outputs
    paths = re.findall(NAMED, outputs["readme"])
    assert "namespaces.istio" in paths
    for path in paths:
        value = outputs
        for key in path.split("."):
            assert key in value, path
            value = value[key]


@pytest.mark.program
def test_a_stack_that_has_all_shows_all() -> None:
    config = {"strimziNamespace": "strimzi"}
    shown = re.findall(NAMED, Program(ROOT).preview(stack="dev", config=config).outputs["readme"])
    platform = {"commands.istio", "commands.strimzi"}
    assert set(re.findall(NAMED, TEXT)) - set(shown) == platform


@pytest.mark.unit
def test_what_speaks_of_an_output_that_is_not_there_goes() -> None:
    text = "# Page\n\nCalled at ${outputs.a},\nin short.\n\n| x | y |\n|---|---|\n| 1 | ${outputs.b.c} |\n| 2 | ${outputs.b.d} |\n\nTry:\n\n```\n${outputs.e}\n```\n\nEnd.\n"
    assert page.of(text, {"a": 1, "b": {"c": 1, "d": 2}, "e": 3}) == text
    assert page.of(text, {"b": {"c": 1}}) == "# Page\n\n| x | y |\n|---|---|\n| 1 | ${outputs.b.c} |\n\nEnd.\n"
    assert page.of(text, {"a": 1, "b": {}, "e": 1}) == (
        "# Page\n\nCalled at ${outputs.a},\nin short.\n\nTry:\n\n```\n${outputs.e}\n```\n\nEnd.\n"
    )
