"""``python -m lab.charts``: assemble the charts that the cache does not have."""

import sys
from pathlib import Path

from lab.charts.assemble import assemble
from lab.errors import LabError

try:
    assemble(Path(".lab") / "charts")
except LabError as error:
    sys.exit(f"error: {error}")
