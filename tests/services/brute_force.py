"""The report's rules once more, as slow and literal as can be; it shares no code with the services."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

Place = tuple[str, int]
Line = tuple[int, str, int]
"""Start of the window in milliseconds, key, count."""


def key_of(value: bytes | None) -> str | None:
    try:
        found = json.loads(value or b"")
        parts = [found["origin"], found["originVersion"], found.get("destination") or ""]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    if not all(isinstance(part, str) and part.isprintable() and " " not in part for part in parts):
        return None
    return ":".join(parts)


@dataclass
class Seen:
    """What every partition looked like when windows were last to be closed."""

    highs: dict[Place, int]
    idle: set[Place]
    last_end: int

    def closes(self, end: int, grace: int) -> bool:
        if self.idle == set(self.highs):
            return end <= self.last_end
        return all(end + grace <= high for place, high in self.highs.items() if place not in self.idle)


@dataclass
class BruteForce:
    """Takes records one by one; ``look`` is called whenever windows may close. Times are milliseconds."""

    places: list[Place]
    size: int
    grace: int
    idle: int
    accepted: list[tuple[int, str]] = field(default_factory=list)
    late: int = 0
    malformed: int = 0
    looks: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.timestamps: dict[Place, list[int]] = {place: [] for place in self.places}
        self.heard: dict[Place, int] = dict.fromkeys(self.places, 0)

    def end(self, timestamp: int) -> int:
        return (timestamp // self.size + 1) * self.size

    def is_closed(self, end: int) -> bool:
        return any(seen.closes(end, self.grace) for seen in self.looks)

    def take(self, place: Place, timestamp: int, value: bytes | None, now: int) -> None:
        self.heard[place] = now
        key = key_of(value)
        if key is None or timestamp < 0:
            self.malformed += 1
            return
        end = self.end(timestamp)
        highest = max(self.timestamps[place], default=-1)
        self.timestamps[place].append(timestamp)
        if end + self.grace <= highest or self.is_closed(end):
            self.late += 1
        else:
            self.accepted.append((end - self.size, key))

    def look(self, now: int) -> None:
        ends = {start + self.size for start, _ in self.accepted if not self.is_closed(start + self.size)}
        self.looks.append(
            Seen(
                {place: max(found, default=0) for place, found in self.timestamps.items()},
                {place for place in self.places if now - self.heard[place] >= self.idle},
                max(ends, default=0),
            )
        )

    def lines(self) -> set[Line]:
        counts = Counter(found for found in self.accepted if self.is_closed(found[0] + self.size))
        return {(start, key, count) for (start, key), count in counts.items()}
