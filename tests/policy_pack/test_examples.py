"""The examples keep every rule."""

from __future__ import annotations

import pytest

from harness.program import Program
from harness.randomness import DRAWN
from tests.policy_pack.conftest import ROOT, Judge, resources
from tests.program.summary import EXAMPLES

pytestmark = pytest.mark.program


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_keeps_every_rule(example: str, judge: Judge) -> None:
    config = {"enforced": True} if example == "adopt-cluster" else {}
    assert judge(resources(Program(ROOT / "examples" / example).preview(config=config, outputs=DRAWN))) == {}


def test_a_cluster_that_is_being_adopted_is_told_to_be_open(judge: Judge) -> None:
    said = judge(resources(Program(ROOT / "examples" / "adopt-cluster").preview(outputs=DRAWN)))
    assert set(said) == {"mesh-strict", "default-deny"}
