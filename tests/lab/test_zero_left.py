"""The end of the program's stack, after all other tests have had their use of it."""

from __future__ import annotations

import pytest

from tests.lab.conftest import Before, System, everything

pytestmark = pytest.mark.lab


def test_destroy_leaves_what_was_there_before(system: System, before: Before) -> None:
    result = system.engine("destroy", "--stack", "lab")
    assert result.returncode == 0, result.stdout + result.stderr
    assert everything(system) == before.names
    assert system.get("pods", "--all-namespaces")["items"] == []
    assert system.lab.network().attachments() == ["outside"]
