"""The consumer's report, from the lines of its log. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

LINE: Final = re.compile(
    r"(?P<start>\d{4}-\d\d-\d\dT[\d:]+Z)/(?P<end>\d{4}-\d\d-\d\dT[\d:]+Z)"
    r" (?P<origin>[^ :]+):(?P<version>[^ :]+):(?P<destination>[^ :]*) (?P<count>\d+)\n?"
)
"""A line of the report: start and end of the window in UTC, ``origin:version:destination``, number of calls."""

_WINDOWS: Final = 5


@dataclass
class Report:
    """The latest windows, and their window counts."""

    _windows: dict[tuple[str, str], dict[tuple[str, str, str], int]] = field(default_factory=dict)

    def take(self, line: str) -> None:
        """Add a line of the log, if it belongs to the report; repeated lines are ignored."""
        found = LINE.fullmatch(line)
        if found is None:
            return
        groups = self._windows.setdefault((found["start"], found["end"]), {})
        groups[found["origin"], found["version"], found["destination"]] = int(found["count"])
        while len(self._windows) > _WINDOWS:
            del self._windows[min(self._windows)]

    def rows(self) -> list[dict[str, Any]]:
        """Return the windows, the latest first: start, end, and groups of origin, version, destination and count."""
        return [
            {
                "start": start,
                "end": end,
                "groups": [
                    {"origin": origin, "version": version, "destination": destination, "count": count}
                    for (origin, version, destination), count in sorted(groups.items())
                ],
            }
            for (start, end), groups in sorted(self._windows.items(), reverse=True)
        ]
