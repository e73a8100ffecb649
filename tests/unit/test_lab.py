"""Which labs there can be."""

from __future__ import annotations

import pytest

from lab.errors import LabError
from lab.lab import Lab

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", ["Lab", "charts", "a/b", "", "x" * 40])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="must be lower-case letters"):
        Lab(name)
