"""``python -m lab.binaries``: build the control plane's commands and print where they are."""

from __future__ import annotations

import sys

from lab.binaries.build import BuildError, build

try:
    print(build())
except BuildError as error:
    sys.exit(f"error: {error}")
