"""Programs for the harness's tests, written into a folder of the test's own."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.program import Program

WriteProgram = Callable[..., Program]


@pytest.fixture
def write_program(tmp_path: Path, pulumi_program: Callable[[Path], Program]) -> WriteProgram:
    """Write a project named ``demo`` and return it; written again it is changed."""

    def write(source: str, *, config: str = "") -> Program:
        (tmp_path / "Pulumi.yaml").write_text(f"name: demo\nruntime: python\n{textwrap.dedent(config)}")
        imports = "import pulumi\nimport pulumi_kubernetes as kubernetes\nimport pulumi_random as random\n"
        (tmp_path / "__main__.py").write_text(imports + textwrap.dedent(source))
        return pulumi_program(tmp_path)

    return write
