"""What the stack's page in Pulumi Cloud refers to is among the outputs."""

from __future__ import annotations

import re

import pytest

from documentation.generated import ROOT
from lab.engine.testing import Program


@pytest.mark.engine
def test_each_output_that_the_page_names_is_there() -> None:
    page = (ROOT / "Pulumi.README.md").read_text(encoding="utf-8")
    outputs = Program(ROOT).preview(stack="dev").outputs
    paths = re.findall(r"\$\{outputs\.([\w.]+)\}", page)
    assert paths
    for path in paths:
        value = outputs
        for key in path.split("."):
            assert key in value, path
            value = value[key]
    assert outputs["readme"] == page
