"""``python -m lab.binaries``: build the commands where that was not done yet."""

import sys

from lab.binaries.build import build, istioctl
from lab.errors import LabError

try:
    build()
    istioctl()
except LabError as error:
    sys.exit(f"error: {error}")
