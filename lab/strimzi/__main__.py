"""``python -m lab.strimzi COMMAND``: run what a container of Strimzi's operator image runs, by its command's path."""

from __future__ import annotations

import importlib
import os
import sys

from lab.errors import LabError

_FOLDER = "/opt/strimzi/bin"
COMMANDS = {
    f"{_FOLDER}/{name}_run.sh": name for name in ("cluster_operator", "topic_operator", "user_operator", "kafka_init")
}
"""Modules of this package by the commands that they stand for."""


def main(arguments: list[str]) -> int:
    """Run what is asked for; an operator runs until it is told to stop. Return the exit code."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        sys.stderr.write(f"error: command {' '.join(arguments) or 'not given'}: must be one of {', '.join(COMMANDS)}\n")
        return 2
    # Each needs but a part of what there is to import.
    module = importlib.import_module(f"lab.strimzi.{COMMANDS[arguments[0]]}")
    try:
        module.main(os.environ)
    except LabError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
