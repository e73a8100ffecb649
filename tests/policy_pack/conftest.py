"""The guard rails, and the stacks that they judge."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest
from guardrails.registered import Resource
from guardrails.rule import Rule, violations

from harness.graph import Graph
from harness.program import Program
from harness.randomness import DRAWN
from harness.values import reveal

ROOT = Path(__file__).parents[2]
PACK = ROOT / "policy_pack"

Judge = Callable[[Sequence[Resource]], dict[str, list[str]]]


@pytest.fixture(scope="session")
def rules() -> tuple[Rule, ...]:
    """The pack's rules, as its program lists them."""
    found: tuple[Rule, ...] = runpy.run_path(str(PACK / "__main__.py"), run_name="pack")["RULES"]
    return found


@pytest.fixture(scope="session")
def judge(rules: tuple[Rule, ...]) -> Judge:
    """Hold resources against all rules but those for production; what they say, by rule."""

    def hold(resources: Sequence[Resource]) -> dict[str, list[str]]:
        judging = [rule for rule in rules if not getattr(rule, "production", False)]
        said = {rule.name: [found.message for found in violations(rule, resources)] for rule in judging}
        return {name: messages for name, messages in said.items() if messages}

    return hold


def resources(preview: Graph) -> list[Resource]:
    """Return a preview's resources as the rules see them: inputs, and the outputs of the stack itself."""
    return [
        Resource(
            item.type,
            item.urn,
            reveal(preview.outputs if item.type == "pulumi:pulumi:Stack" else item.inputs | item.outputs),
        )
        for item in preview.resources
    ]


@pytest.fixture(scope="session")
def graph() -> Callable[..., list[Resource]]:
    """Return the resources of a stack as a first update would make them, with settings laid over its own."""

    @cache
    def made(stack: str, config: str) -> list[Resource]:
        return resources(Program(ROOT).preview(stack=stack, config=json.loads(config), outputs=DRAWN))

    return lambda stack, **config: made(stack, json.dumps(config))
