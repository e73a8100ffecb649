"""The report's rules once more, as slow and literal as can be; it shares no code with the services."""

from __future__ import annotations

import json
import string
from collections import Counter
from dataclasses import dataclass, field

Place = tuple[str, int]
Line = tuple[int, str, int]
"""Start of the window in milliseconds, key, count."""

ALLOWED = set(string.ascii_letters + string.digits + "-._")
SKEW = 10_000


def parts_of(value: bytes | None) -> list[str] | None:
    """Return origin, version and destination of a record that is a call."""
    try:
        found = json.loads(value or b"")
        parts = [found["origin"], found["originVersion"], found.get("destination") or ""]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    if not all(isinstance(part, str) and set(part) <= ALLOWED and len(part) < 64 for part in parts):
        return None
    return parts if parts[0] and parts[1] else None


@dataclass
class Seen:
    """What every partition looked like when windows were last to be closed."""

    times: dict[Place, int]
    idle: set[Place]
    last_end: int
    wall: int

    def closes(self, end: int, grace: int) -> bool:
        if end + grace > self.wall:
            return False
        if self.idle == set(self.times):
            return end <= self.last_end
        return all(end + grace <= time for place, time in self.times.items() if place not in self.idle)


@dataclass
class BruteForce:
    """Takes records one by one; ``look`` is called whenever windows may close.

    All times are milliseconds of one clock, and every partition has been read to its end from ``since`` on.
    """

    places: list[Place]
    size: int
    grace: int
    idle: int
    since: int = 0
    writers: dict[str, set[str]] = field(default_factory=dict)
    accepted: list[tuple[int, str]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    looks: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.timestamps: dict[Place, list[int]] = {place: [] for place in self.places}
        self.heard: dict[Place, int] = dict.fromkeys(self.places, self.since)

    def end(self, timestamp: int) -> int:
        return (timestamp // self.size + 1) * self.size

    def is_closed(self, end: int) -> bool:
        return any(seen.closes(end, self.grace) for seen in self.looks)

    def take(self, place: Place, timestamp: int, value: bytes | None, now: int) -> None:
        self.heard[place] = now
        parts = parts_of(value)
        if parts is None or timestamp < 0:
            self.skipped["malformed"] += 1
            return
        if place[0] in self.writers and parts[0] not in self.writers[place[0]]:
            self.skipped["foreign"] += 1
            return
        if timestamp > now + SKEW:
            self.skipped["ahead"] += 1
            return
        end = self.end(timestamp)
        highest = max(self.timestamps[place], default=-1)
        if end + self.grace <= highest or self.is_closed(end):
            self.skipped["late"] += 1
        else:
            self.accepted.append((end - self.size, ":".join(parts)))
            self.timestamps[place].append(timestamp)

    def time(self, place: Place, now: int) -> int:
        highest = max(self.timestamps[place], default=0)
        return max(highest, now - self.idle) if now - self.since >= self.idle else highest

    def look(self, now: int) -> None:
        ends = {start + self.size for start, _ in self.accepted if not self.is_closed(start + self.size)}
        self.looks.append(
            Seen(
                {place: self.time(place, now) for place in self.places},
                {place for place in self.places if now - self.heard[place] >= self.idle},
                max(ends, default=0),
                now,
            )
        )

    def lines(self) -> set[Line]:
        counts = Counter(found for found in self.accepted if self.is_closed(found[0] + self.size))
        return {(start, key, count) for (start, key), count in counts.items()}
