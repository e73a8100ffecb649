"""``python -m lab.binaries``: build the commands that the cache does not have."""

import sys
import tempfile
from pathlib import Path

from lab.binaries.build import build, istioctl
from lab.errors import LabError
from lab.pulumi.engine import find

try:
    build()
    istioctl()
    with tempfile.TemporaryDirectory() as home:
        find(Path(home), print)
except LabError as error:
    sys.exit(f"error: {error}")
