"""``python -m tests.lab.previewed FOLDER STACK [ROOT]``: print what ``pulumi preview --json`` gives of a program.

It runs in the workspace that the engine runs from, with the variables that the engine needs; ROOT is where the CLI is
installed, if it is not the one on PATH.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from pulumi import automation


def main(folder: str, stack: str, root: str | None = None) -> None:
    """Preview a program.

    :raises automation.errors.CommandError: if the preview fails.
    """
    workspace = automation.LocalWorkspace(
        work_dir=str(Path.cwd()),
        program=lambda: runpy.run_path(f"{folder}/__main__.py", run_name="__main__"),
        pulumi_command=automation.PulumiCommand(root=root),
    )
    selected = automation.Stack.create_or_select(stack, workspace)
    os.chdir(folder)
    sys.path.insert(0, folder)
    print(selected.preview(json=True, parallel=64).stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
