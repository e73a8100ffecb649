"""``python -m lab.strimzi OPERATOR``: cluster-operator, topic-operator or user-operator, in its Pod's container."""

from __future__ import annotations

import importlib
import os
import sys

from lab.errors import LabError

OPERATORS = ("cluster-operator", "topic-operator", "user-operator")


def main(arguments: list[str]) -> int:
    """Run the operator that is asked for until it is told to stop; return the exit code."""
    if len(arguments) != 1 or arguments[0] not in OPERATORS:
        sys.stderr.write(
            f"error: operator {' '.join(arguments) or 'not given'}: must be one of {', '.join(OPERATORS)}\n"
        )
        return 2
    # Each needs but a part of what there is to import.
    module = importlib.import_module(f"lab.strimzi.{arguments[0].replace('-', '_')}")
    try:
        module.main(os.environ)
    except LabError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
