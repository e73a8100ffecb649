"""What past releases left behind: states of stacks, and the plugin's schema; run as a command, it records one.

A state is one that an update of that release would have written, sealed with PASSPHRASE; nothing in it was ever real.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from documentation import plugin
from lab.engine.state import Snapshot, StateFile
from lab.engine.testing import Program
from tests.program.summary import ROOT

RELEASES: Final = Path(__file__).parent / "releases"
STACKS: Final = ("dev", "platform", "prod", "test")
"""Those recorded: between them they have every kind of resource that is not of OpenShift alone."""

PASSPHRASE: Final = {"PULUMI_CONFIG_PASSPHRASE": "only for tests"}


def state(release: str, stack: str) -> Snapshot:
    """Return the state of a stack that a release has made."""
    return StateFile(RELEASES / release / f"{stack}.json", PASSPHRASE).read()


def record(release: str) -> None:
    """Record what the program makes now as that of a release.

    :raises FileExistsError: if there is a record of it; a release does not change.
    """
    folder = RELEASES / release
    folder.mkdir(parents=True)
    shutil.copy(plugin.SCHEMA, folder / "schema.json")
    for stack in STACKS:
        made = Program(ROOT).simulate(stack=stack).state
        file = StateFile(folder / f"{stack}.json", PASSPHRASE)
        file.write(file.encode(made.resources, made.operations))


if __name__ == "__main__":
    record(sys.argv[1])
