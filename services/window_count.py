"""The count of one kind of calls in a window, as a line and as a record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import orjson


@dataclass(frozen=True, order=True)
class WindowCount:
    """How many calls of a kind began in the window from ``start`` to before ``end`` (milliseconds since the epoch).

    ``key`` is ``origin:originVersion:destination``; the fields are those of the first call.
    """

    start: int
    end: int
    key: str
    count: int
    origin: str
    origin_version: str
    destination: str | None

    def text(self) -> str:
        """Return ``START/END KEY COUNT``, the times as ISO 8601 in UTC."""
        return f"{_iso(self.start)}/{_iso(self.end)} {self.key} {self.count}"

    def json(self) -> bytes:
        """Return a JSON object: windowStart, windowEnd, key, origin, originVersion, destination (or null), count."""
        return orjson.dumps(
            {
                "windowStart": _iso(self.start),
                "windowEnd": _iso(self.end),
                "key": self.key,
                "origin": self.origin,
                "originVersion": self.origin_version,
                "destination": self.destination,
                "count": self.count,
            }
        )


def _iso(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds" if milliseconds % 1000 else "seconds").replace("+00:00", "Z")
