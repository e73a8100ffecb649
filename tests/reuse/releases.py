"""What past releases left behind: states of stacks, and the plugin's schema; run as a command, it records one.

A state is one that an update of that release would have written, sealed with PASSPHRASE; nothing in it was ever real.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from documentation import plugin
from lab.engine.state import Snapshot, StateFile
from lab.engine.testing import Program
from tests.program.summary import ROOT

RELEASES: Final = Path(__file__).parent / "releases"
PASSPHRASE: Final = {"PULUMI_CONFIG_PASSPHRASE": "only for tests"}


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


def state(release: str, name: str) -> Snapshot:
    """Return a state that a release has made."""
    return StateFile(RELEASES / release / f"{name}.json", PASSPHRASE).read()


def record(release: str) -> None:
    """Record what the program makes now as that of a release.

    :raises FileExistsError: if there is a record of it; a release does not change.
    """
    folder = RELEASES / release
    folder.mkdir(parents=True)
    shutil.copy(plugin.SCHEMA, folder / "schema.json")
    for item in RECORDED:
        made = Program(item.folder).simulate(stack=item.stack, config=item.config).state
        file = StateFile(folder / f"{item.name}.json", PASSPHRASE)
        file.write(file.encode(made.resources, made.operations))


if __name__ == "__main__":
    record(sys.argv[1])
