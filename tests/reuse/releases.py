"""What past releases left behind: states of stacks, and the plugin's schema; run as a command, it records one.

A state is one that an update of that release would have written, without the values of its secrets.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness.graph import Graph
from harness.program import Program
from harness.randomness import DRAWN
from harness.recorded import from_deployment, to_deployment
from tests.program.summary import ROOT
from tools.documentation import plugin

RELEASES: Final = Path(__file__).parent / "releases"


@dataclass(frozen=True)
class Recorded:
    """A program and a stack of it whose states are recorded."""

    name: str
    folder: Path
    stack: str
    config: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


RECORDED: Final = (
    *(Recorded(stack, ROOT, stack) for stack in ("dev", "platform", "prod", "test")),
    Recorded("own-service", ROOT / "examples" / "own-service", "test"),
    Recorded("adopt-cluster", ROOT / "examples" / "adopt-cluster", "test", {"enforced": True}),
)
"""Between them they have every component, and every kind of resource that is not of OpenShift alone."""


def state(release: str, name: str) -> Graph:
    """Return what there was of a stack after an update by a release."""
    return from_deployment(json.loads((RELEASES / release / f"{name}.json").read_text(encoding="utf-8")))


def record(release: str) -> None:
    """Record what the program makes now as that of a release.

    :raises FileExistsError: if there is a record of it; a release does not change.
    """
    folder = RELEASES / release
    folder.mkdir(parents=True)
    shutil.copy(plugin.SCHEMA, folder / "schema.json")
    for item in RECORDED:
        made = to_deployment(Program(item.folder).preview(stack=item.stack, config=item.config, outputs=DRAWN))
        (folder / f"{item.name}.json").write_text(json.dumps(made) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record(sys.argv[1])
