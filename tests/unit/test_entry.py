"""A call through the application's way in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab import entry

pytestmark = pytest.mark.unit


def test_a_stack_that_lets_nothing_in_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    lab: Any = SimpleNamespace(access_model=lambda: {"entries": []})
    entry.call(lab)
    assert capsys.readouterr().out == "nothing to call: the stack has no routes\n"
