"""What the stack's page in Pulumi Cloud refers to is among the outputs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness.program import Program
from tests.program.summary import STACKS
from tools.documentation.generated import ROOT

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
def test_a_page_shows_what_a_stack_has_and_nothing_else() -> None:
    def page(stack: str) -> str:
        return str(Program(ROOT).preview(stack=stack).outputs["readme"])

    assert "Call the application:\n\n```\n${outputs.commands.open}\n${outputs.commands.call}\n```\n" in page("dev")
    assert "| Kafka, its topics and users | `${outputs.namespaces.kafka}` |\n" in page("dev")
    for words in ("Call the application", "namespaces.kafka", "bootstrapAddress", "report"):
        assert words not in page("platform")
    assert "```\n${outputs.commands.istio}\n${outputs.commands.strimzi}\n```\n" in page("platform")
