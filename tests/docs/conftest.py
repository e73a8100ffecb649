"""What the tests of the documents share."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tools.documentation import generated, plugin


@pytest.fixture(scope="session")
def parts() -> Mapping[str, str]:
    """Return the generated parts of the documents."""
    return generated.parts(plugin.schema())
