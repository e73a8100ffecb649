"""The examples keep every rule."""

from __future__ import annotations

import pytest

from lab.engine.testing import Program
from tests.policies.conftest import ROOT, Judge, resources
from tests.program.summary import EXAMPLES

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_keeps_every_rule(example: str, judge: Judge) -> None:
    assert judge(resources(Program(ROOT / "examples" / example).simulate())) == {}
