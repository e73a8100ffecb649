"""The pytest plugin: ``-p harness.plugin`` gives tests the fixture ``pulumi_program``.

It makes a ``Program`` of a project's folder::

    def test_password_is_secret(pulumi_program):
        graph = pulumi_program(FOLDER).preview(stack="dev", config={"replicas": 3})
        secret = graph.one("kubernetes:core/v1:Secret", "database")
        assert has_secret(secret.inputs["stringData"])
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.program import Program


@pytest.fixture(name="pulumi_program")
def _pulumi_program() -> Callable[[Path], Program]:
    """Make a ``Program`` of a project's folder."""
    return Program
