"""``python -m lab.charts``: put the charts together where that was not done yet."""

import sys
from pathlib import Path

from lab.charts.assemble import assemble
from lab.errors import LabError

try:
    assemble(Path(".lab") / "charts")
except LabError as error:
    sys.exit(f"error: {error}")
