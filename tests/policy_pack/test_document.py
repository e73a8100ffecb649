"""What people read about the guard rails is what the pack says."""

from __future__ import annotations

import json

import pytest
from guardrails.rule import ResourceRule, Rule

from tests.policy_pack.conftest import PACK, ROOT

pytestmark = pytest.mark.unit

DOCUMENT = ROOT / "docs" / "guard-rails.md"


def row(rule: Rule) -> str:
    """Return a rule's line in the table."""
    scope = "each resource" if isinstance(rule, ResourceRule) else "production" if rule.production else "the stack"
    return f"| `{rule.name}` | {scope} | {rule.reason} | {rule.fix} |"


def test_the_document_has_every_rule_in_order_with_its_reason_and_fix(rules: tuple[Rule, ...]) -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("| `")] == [row(rule) for rule in rules]


def test_the_configuration_for_production_turns_on_every_rule_that_is_off(rules: tuple[Rule, ...]) -> None:
    off = {rule.name for rule in rules if not isinstance(rule, ResourceRule) and rule.production}
    assert json.loads((PACK / "production.json").read_text(encoding="utf-8")) == dict.fromkeys(off, "mandatory")
