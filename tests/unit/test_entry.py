"""A call through the application's ingress."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab import entry

pytestmark = pytest.mark.unit


def test_a_stack_without_routes_has_nothing_to_call(capsys: pytest.CaptureFixture[str]) -> None:
    lab: Any = SimpleNamespace(access_model=lambda: SimpleNamespace(entries=()))
    entry.call(lab)
    assert capsys.readouterr().out == "nothing to call: the stack has no routes\n"
