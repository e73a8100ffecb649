"""Counts calls by kind in tumbling windows, and says when a window is closed. No I/O, and no clock of its own.

Windows are aligned to the epoch. A call is counted in the window of its timestamp, unless it is *late*: the window's
end plus the grace is not above the highest timestamp seen before in the call's own partition, or the window is closed.
A window *closes* when every assigned partition has seen a timestamp of at least the window's end plus the grace, or is
idle. A partition is *idle* that was read to its end and from which nothing has come for a given time, in which Kafka
answered; so calls that waited at their senders while Kafka was away find their window open. When all partitions are
idle, the windows up to the last that has calls close.

After a restart all of it goes on from checkpoints: what counts for an open window is read again, and windows that were
closed but whose lines may not be out are counted again from the very same records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, Protocol

import msgspec

from services.checkpoint import Checkpoint
from services.group import Group

Place = tuple[str, int]
"""A topic and the number of a partition of it."""


class Record(Protocol):
    """What is used of a ``confluent_kafka.Message`` that is no error."""

    def topic(self) -> str:
        """Topic."""

    def partition(self) -> int:
        """Partition."""

    def offset(self) -> int:
        """Offset."""

    def timestamp(self) -> tuple[int, int]:
        """Type, and milliseconds since the epoch; negative when there is none."""

    def value(self) -> bytes | None:
        """Value."""


@dataclass(frozen=True)
class Windows:
    """Sizes in milliseconds: the windows', the grace after a window's end, and the time that makes idle."""

    size: int
    grace: int
    idle: int

    def floor(self, time: int) -> int:
        """Return the start of the window that a time is in."""
        return time - time % self.size


class _Call(msgspec.Struct, rename="camel", gc=False):
    """What is used of a RestServiceCall."""

    origin: str
    origin_version: str
    destination: str | None = None


_CALL: Final = msgspec.json.Decoder(_Call)


@dataclass(slots=True)
class _Count:
    """How many calls have a key, and the first of them in time."""

    count: int
    time: int
    first: _Call


@dataclass(slots=True)
class _Tally:
    """What a partition adds to a window: the offset of its first call, and the counts by key."""

    offset: int
    counts: dict[str, _Count]


@dataclass
class _Partition:
    since: float
    """When it was assigned, or something last came from it, or Kafka answered again."""
    next: int | None = None
    """The offset to read next, when known."""
    end: int | None = None
    """The end of the partition when Kafka was last asked."""
    high: int = 0
    """The highest timestamp of a call; of those that are not read again after a restart all windows are closed."""
    known: int = 0
    """The offset up to which a process before this one had read."""
    tallies: dict[int, _Tally] = field(default_factory=dict)
    """By the start of their window, in the order of their offsets."""

    def is_read(self) -> bool:
        return self.next is not None and self.end is not None and self.next >= self.end

    def is_idle(self, now: float, idle: int) -> bool:
        return self.is_read() and (now - self.since) * 1000 >= idle

    def is_read_again(self) -> bool:
        # A topic that was made anew ends earlier.
        return (self.next or 0) >= self.known or self.is_read()


@dataclass
class Taken:
    """What became of records that are not counted: the number of late ones, and where those are that are no calls.

    No call is a record without a timestamp, and one whose value is not a JSON object with ``origin``,
    ``originVersion`` and ``destination`` as text without blanks and unprintable characters; the last may be missing.
    """

    late: int = 0
    malformed: list[tuple[Place, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Closing:
    """Windows that closed: their groups in order. Those of a ``recount`` were committed before a restart."""

    groups: tuple[Group, ...]
    is_recount: bool


class Report:
    """The windows of all assigned partitions. ``now`` is in seconds of any clock that does not jump.

    When ``close`` says that windows closed: commit ``checkpoints`` and the groups in one transaction, unless it is a
    recount; then print the groups; then call ``printed``, and commit ``checkpoints`` again.
    """

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._partitions: dict[Place, _Partition] = {}
        self._closed = 0
        self._reported = 0

    def assign(self, checkpoints: Mapping[Place, Checkpoint | None], now: float) -> None:
        """Forget everything, and begin with these partitions at what was committed for them, if anything was."""
        found = [checkpoint for checkpoint in checkpoints.values() if checkpoint]
        self._closed = max((checkpoint.closed for checkpoint in found), default=0)
        self._reported = max((checkpoint.reported for checkpoint in found), default=0)
        self._partitions = {
            place: _Partition(now, checkpoint.offset, known=checkpoint.position) if checkpoint else _Partition(now)
            for place, checkpoint in checkpoints.items()
        }

    def take(self, records: Iterable[Record], now: float) -> Taken:
        """Count records; those of a partition come in the order of their offsets."""
        taken = Taken()
        for place, of_place in groupby(records, lambda record: (record.topic(), record.partition())):
            if (partition := self._partitions.get(place)) is not None:
                partition.since = now
                self._count(place, partition, list(of_place), taken)
        return taken

    def _count(self, place: Place, partition: _Partition, records: Sequence[Record], taken: Taken) -> None:
        # This runs for each of millions of records: names are local, calls are few, and what is rare comes last.
        decode, size, tallies = _CALL.decode, self._windows.size, partition.tallies
        high = partition.high
        late, turn = self._bounds(high)
        start = end = -1
        counts: dict[str, _Count] = {}
        for record in records:
            try:
                call = decode(record.value())  # type: ignore[arg-type]  # for None it raises, too
            except (msgspec.DecodeError, TypeError, UnicodeDecodeError, RecursionError):
                taken.malformed.append((place, record.offset()))
                continue
            key = f"{call.origin}:{call.origin_version}:{call.destination or ''}"
            time = record.timestamp()[1]
            if not start <= time < end or key not in counts:
                offset = record.offset()
                if time < 0 or not key.isprintable() or " " in key:
                    taken.malformed.append((place, offset))
                    continue
                if time < late and not self._counts_again(partition, offset, time, high):
                    taken.late += offset >= partition.known
                    continue
                start = time - time % size
                # Of a window that is counted again not every record counts.
                end = start + size if time >= late else start
                if start not in tallies:
                    tallies[start] = _Tally(offset, {})
                counts = tallies[start].counts
                counts.setdefault(key, _Count(0, time, call))
            count = counts[key]
            count.count += 1
            if time < count.time:
                count.time, count.first = time, call
            if time > high:
                high = time
                if high >= turn:
                    late, turn = self._bounds(high)
        partition.high = high
        partition.next = records[-1].offset() + 1

    def _bounds(self, high: int) -> tuple[int, int]:
        """Return the time before which calls are late after a timestamp, and the timestamp that raises it."""
        passed = self._windows.floor(high - self._windows.grace)
        return max(passed, self._closed), passed + self._windows.size + self._windows.grace

    def _counts_again(self, partition: _Partition, offset: int, time: int, high: int) -> bool:
        """Say whether a call was counted before a restart in a window whose lines may not be out."""
        was_late = time < self._windows.floor(high - self._windows.grace)
        return self._reported <= time < self._closed and offset < partition.known and not was_late

    def read_to(self, place: Place, offset: int) -> None:
        """Note that there is nothing between the last record of a partition and this offset, at which it ends."""
        if (partition := self._partitions.get(place)) is not None:
            partition.next = max(offset, partition.next or 0)

    def ends(self, ends: Mapping[Place, int]) -> None:
        """Note the offsets at which Kafka says that partitions end."""
        for place, end in ends.items():
            if (partition := self._partitions.get(place)) is not None:
                partition.end = end

    def unanswered(self, now: float) -> None:
        """Note that Kafka does not answer."""
        for partition in self._partitions.values():
            partition.since, partition.end = now, None

    def close(self, now: float) -> Closing | None:
        """Close what is to be closed; None when nothing comes of it."""
        is_recount = self._reported < self._closed
        if is_recount:
            if not all(partition.is_read_again() for partition in self._partitions.values()):
                return None
        else:
            self._closed = max(self._closed, self._boundary(now))
        groups = tuple(sorted(self._groups()))
        if groups or is_recount:
            return Closing(groups, is_recount)
        self._reported = self._closed
        return None

    def _boundary(self, now: float) -> int:
        """Return the time at which the last window ends that is to be closed."""
        partitions = self._partitions.values()
        awake = [partition.high for partition in partitions if not partition.is_idle(now, self._windows.idle)]
        if awake:
            return self._windows.floor(min(awake) - self._windows.grace)
        return max((start + self._windows.size for partition in partitions for start in partition.tallies), default=0)

    def _groups(self) -> Iterator[Group]:
        size = self._windows.size
        found: dict[tuple[int, str], list[_Count]] = {}
        for _, partition in sorted(self._partitions.items()):
            for start, tally in partition.tallies.items():
                if start + size <= self._closed:
                    for key, count in tally.counts.items():
                        found.setdefault((start, key), []).append(count)
        for (start, key), counts in found.items():
            first = min(counts, key=lambda count: count.time).first
            total = sum(count.count for count in counts)
            yield Group(start, start + size, key, total, first.origin, first.origin_version, first.destination)

    def printed(self) -> None:
        """Note that the lines of all closed windows are out, and forget these windows."""
        self._reported = self._closed
        for partition in self._partitions.values():
            for start in [start for start in partition.tallies if start + self._windows.size <= self._closed]:
                del partition.tallies[start]

    def checkpoints(self) -> dict[Place, Checkpoint]:
        """Return what is to be committed, for every partition whose next offset is known."""
        found = {}
        for place, partition in self._partitions.items():
            if partition.next is not None:
                first = next(iter(partition.tallies.values()), None)
                found[place] = Checkpoint(
                    offset=first.offset if first else partition.next,
                    position=partition.next,
                    closed=self._closed,
                    reported=self._reported,
                )
        return found

    @property
    def open_windows(self) -> int:
        """How many windows have calls and are not closed."""
        return len({start for partition in self._partitions.values() for start in partition.tallies})
