"""Counts calls by kind in tumbling windows, and says when a window is closed. No I/O, and no clock of its own.

Windows are aligned to the epoch. A call is counted in the window of its timestamp, unless it is *late*: the window's
end plus the grace is not above the highest timestamp seen before in the call's own partition, or the window is
closed. A window *closes* when the wall clock and the time of every assigned partition have come to its end plus the
grace. The *time* of a partition is the highest timestamp seen in it. A partition whose end as Kafka last said it has
been read for the idle time has at least the time that the wall clock had that long ago: whatever its writer says,
nobody is kept waiting longer. So has one, read or not, in which something could not be read. A partition is *idle*
that was read to its end and from which nothing has come for that time; it holds no window open. While Kafka does not
answer neither counts, so calls that waited at their senders find their window open. When all partitions are idle, the
windows up to the last that has calls close.

Writers are not trusted. What is no call, of a service that is not declared to write the topic, from a time ahead of
the wall clock, of one kind too many, or cannot be read is skipped, moves no time, and is counted by its reason.

After a restart all of it goes on from checkpoints: what counts for an open window is read again, and windows that were
closed but whose lines may not be out are counted again from the very same records. Only a record that was ahead of the
wall clock may then count, for nobody but its own writer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby
from typing import Final, NamedTuple, Protocol

import msgspec

from services.batches import Batches
from services.checkpoint import Checkpoint
from services.window_count import WindowCount

Place = tuple[str, int]
"""A topic and the number of a partition of it."""

SKEW: Final = 10_000
"""Milliseconds that a writer's clock may be ahead of this process'."""

MAX_COUNTS_PER_WINDOW: Final = 1_000
"""How many kinds of calls a partition may add to a window."""

STALL: Final = 10.0
"""Seconds after which a partition stands still from which nothing has come, although there is more in it."""

MAX_WINDOW_COUNTS: Final = 100_000
"""How many there may be in all windows that are open; each partition has an equal part, and none takes another's."""

_NAME: Final = re.compile(r"[-._A-Za-z0-9]{1,63}")
"""A service or a version: without colons, so that a key is read one way alone, and short, so that a window count is."""


class Now(NamedTuple):
    """The time: seconds of a clock that does not jump, and the wall clock in milliseconds since the epoch."""

    steady: float
    wall: int


class Reason(str, Enum):
    """The reason why a record is not counted."""

    LATE = "late"
    MALFORMED = "malformed"
    """No timestamp, or no JSON object with ``origin``, ``originVersion`` and ``destination`` as names, the last of
    which may be missing or empty."""
    FOREIGN = "foreign"
    """Of a service that does not write the topic by the declaration."""
    AHEAD = "ahead"
    """More than ``SKEW`` ahead of the wall clock."""
    CROWDED = "crowded"
    """Of a kind beyond ``MAX_COUNTS_PER_WINDOW`` or ``MAX_WINDOW_COUNTS``."""
    UNREADABLE = "unreadable"
    """In a batch in which there is no record where one should be."""


class Record(Protocol):
    """The used methods of a ``confluent_kafka.Message`` without an error."""

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
    """The used fields of a RestServiceCall."""

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
    writers: Collection[str] | None
    """Origins that may be in it; any when None."""
    most: int
    """How many counts there may be in all its tallies."""
    since: float
    """When it was assigned, or something last came from it, or Kafka answered again."""
    read_since: float
    """Since when its end as Kafka last said it has been read whenever Kafka was asked for it."""
    next: int | None = None
    """The offset to read next, when known."""
    end: int | None = None
    """The end of the partition when Kafka was last asked."""
    is_hostile: bool = False
    """Whether it holds no window open for longer than the idle time, read or not."""
    high: int = 0
    """The highest timestamp of a call; of those that are not read again after a restart all windows are closed."""
    known: int = 0
    """The offset up to which a process before this one had read."""
    tallies: dict[int, _Tally] = field(default_factory=dict)
    """By the start of their window, in the order of their offsets."""
    window_counts: int = 0
    """How many counts there are in all tallies."""

    def is_read(self) -> bool:
        return self.next is not None and self.end is not None and self.next >= self.end

    def is_followed(self) -> bool:
        return self.is_hostile or self.is_read()

    def is_idle(self, now: float, idle: int) -> bool:
        return self.is_read() and (now - self.since) * 1000 >= idle

    def time(self, now: Now, idle: int) -> int:
        """Return the time that the partition has come to."""
        is_long = self.is_followed() and (now.steady - self.read_since) * 1000 >= idle
        return max(self.high, now.wall - idle) if is_long else self.high

    def is_read_again(self) -> bool:
        # A topic that was made anew ends earlier.
        return (self.next or 0) >= self.known or self.is_read()


@dataclass
class Skipped:
    """How many records were not counted, by topic and reason, and where the first of each is."""

    counts: Counter[tuple[str, Reason]] = field(default_factory=Counter)
    first: dict[tuple[str, Reason], tuple[int, int]] = field(default_factory=dict)
    """Partition and offset."""
    astray: set[Place] = field(default_factory=set)
    """Partitions of which nothing was taken, as it does not follow what was read before."""
    astray_records: int = 0
    """How many records these are."""

    def add(self, reason: Reason, record: Record) -> None:
        """Note a record."""
        self.add_all(reason, (record.topic(), record.partition()), record.offset(), 1)

    def add_all(self, reason: Reason, place: Place, offset: int, count: int) -> None:
        """Note records, the first of which is at an offset."""
        kind = (place[0], reason)
        self.counts[kind] += count
        self.first.setdefault(kind, (place[1], offset))


@dataclass(frozen=True)
class Closing:
    """Windows that closed: their window counts in order. Those of a ``recount`` were committed before a restart."""

    window_counts: tuple[WindowCount, ...]
    is_recount: bool


class Report:
    """The windows of all assigned partitions.

    After ``close`` returns closed windows: commit ``checkpoints`` and the window counts in one transaction, unless it
    is a recount; then print the window counts; then call ``printed``, and commit ``checkpoints`` again.
    """

    def __init__(self, windows: Windows, writers: Mapping[str, Collection[str]] | None = None) -> None:
        """:param writers: origins that may be in a topic; in one that is not named here, any."""
        self._windows = windows
        self._writers = writers or {}
        self._partitions: dict[Place, _Partition] = {}
        self._closed = 0
        self._reported = 0

    def assign(self, checkpoints: Mapping[Place, Checkpoint | None], now: float) -> None:
        """Forget everything, and begin with these partitions at what was committed for them, if anything was."""
        found = [checkpoint for checkpoint in checkpoints.values() if checkpoint]
        self._closed = max((checkpoint.closed for checkpoint in found), default=0)
        self._reported = max((checkpoint.reported for checkpoint in found), default=0)
        self._partitions = {}
        # The same part before and after a restart: what is counted again does not depend on other partitions.
        most = MAX_WINDOW_COUNTS // max(len(checkpoints), 1)
        for place, checkpoint in checkpoints.items():
            partition = _Partition(self._writers.get(place[0]), most, now, now)
            if checkpoint:
                partition.next, partition.known = checkpoint.offset, checkpoint.position
            self._partitions[place] = partition

    def take(self, records: Iterable[Record], now: Now) -> Skipped:
        """Count records, but those of partitions in which they do not follow each other and what was read before."""
        skipped = Skipped()
        for place, of_place in groupby(records, lambda record: (record.topic(), record.partition())):
            if (partition := self._partitions.get(place)) is None:
                continue
            found = list(of_place)
            first = found[0].offset() if partition.next is None else partition.next
            # A writer says which offset a record has in its batch, and librdkafka goes on after it.
            is_next = [record.offset() for record in found] == list(range(first, first + len(found)))
            if place in skipped.astray or not is_next:
                skipped.astray.add(place)
                skipped.astray_records += len(found)
                continue
            partition.since = now.steady
            self._count(partition, found, now.wall, skipped)
        return skipped

    def take_batches(self, place: Place, batches: Batches, now: Now) -> Skipped:
        """Count the records of batches, which are the next of their partition."""
        skipped = Skipped()
        if (partition := self._partitions.get(place)) is not None:
            if batches.records:
                partition.since = now.steady
                self._count(partition, batches.records, now.wall, skipped)
            for offset, count in batches.unreadable:
                if offset >= partition.known:
                    skipped.add_all(Reason.UNREADABLE, place, offset, count)
            partition.next = batches.next
        return skipped

    def distrust(self, place: Place, now: float) -> None:
        """Note that a partition has what cannot be read, which takes long to step over."""
        if (partition := self._partitions.get(place)) is not None and not partition.is_hostile:
            partition.is_hostile, partition.read_since = True, now

    def next(self, place: Place) -> int | None:
        """Return the offset to read next, if it is known."""
        partition = self._partitions.get(place)
        return partition.next if partition else None

    def stalled(self, now: float) -> list[Place]:
        """Return the partitions that stand still."""
        return [
            place
            for place, partition in self._partitions.items()
            if partition.end is not None and not partition.is_read() and now - partition.since >= STALL
        ]

    def _count(self, partition: _Partition, records: Sequence[Record], wall: int, skipped: Skipped) -> None:
        # This runs for each of millions of records: names are local, calls are few, and what is rare comes last.
        decode, size, tallies = _CALL.decode, self._windows.size, partition.tallies
        high, ahead = partition.high, wall + SKEW
        late, turn = self._bounds(high)
        start = end = -1
        counts: dict[str, _Count] = {}
        for record in records:
            try:
                call = decode(record.value())  # type: ignore[arg-type]  # for None it raises, too
            except (msgspec.DecodeError, TypeError, UnicodeDecodeError, RecursionError):
                skipped.add(Reason.MALFORMED, record)
                continue
            # Of what is no name no key is ever among the counts: it has a colon too many.
            key = f"{call.origin}:{call.origin_version}:{call.destination or ''}"
            time = record.timestamp()[1]
            if not start <= time < end or key not in counts:
                if (reason := self._reason(partition, record, call, ahead, late)) is not None:
                    if reason is not Reason.LATE or record.offset() >= partition.known:
                        skipped.add(reason, record)
                    continue
                start = time - time % size
                # Of a window that is counted again, or that is ahead in part, not every record counts.
                end = min(start + size, ahead + 1) if time >= late else start
                counts = tallies[start].counts if start in tallies else {}
                if key not in counts:
                    if len(counts) >= MAX_COUNTS_PER_WINDOW or partition.window_counts >= partition.most:
                        skipped.add(Reason.CROWDED, record)
                        continue
                    counts = tallies.setdefault(start, _Tally(record.offset(), counts)).counts
                    counts[key] = _Count(0, time, call)
                    partition.window_counts += 1
            count = counts[key]
            count.count += 1
            if time < count.time:
                count.time, count.first = time, call
            if time > high:
                high = partition.high = time
                if high >= turn:
                    late, turn = self._bounds(high)
        partition.next = records[-1].offset() + 1

    def _bounds(self, high: int) -> tuple[int, int]:
        """Return the time before which calls are late after a timestamp, and the timestamp that raises it."""
        passed = self._windows.floor(high - self._windows.grace)
        return max(passed, self._closed), passed + self._windows.size + self._windows.grace

    def _reason(self, partition: _Partition, record: Record, call: _Call, ahead: int, late: int) -> Reason | None:
        """Return why a record is not to be counted; None if it is."""
        time = record.timestamp()[1]
        if time < 0 or not _is_call(call):
            return Reason.MALFORMED
        if partition.writers is not None and call.origin not in partition.writers:
            return Reason.FOREIGN
        if time > ahead:
            return Reason.AHEAD
        if time < late and not self._counts_again(partition, record.offset(), time):
            return Reason.LATE
        return None

    def _counts_again(self, partition: _Partition, offset: int, time: int) -> bool:
        """Say whether a call was counted before a restart in a window whose lines may not be out."""
        was_late = time < self._windows.floor(partition.high - self._windows.grace)
        return self._reported <= time < self._closed and offset < partition.known and not was_late

    def read_to(self, place: Place, offset: int) -> None:
        """Note that there is nothing between the last record of a partition and this offset, at which it ends."""
        if (partition := self._partitions.get(place)) is not None:
            partition.next = max(offset, partition.next or 0)

    def ends(self, ends: Mapping[Place, int], now: float) -> None:
        """Note the offsets at which Kafka says that partitions end."""
        for place, end in ends.items():
            if (partition := self._partitions.get(place)) is not None:
                if not partition.is_followed():
                    partition.read_since = now
                partition.end = end

    def unanswered(self, now: float) -> None:
        """Record that Kafka does not respond."""
        for partition in self._partitions.values():
            partition.since = partition.read_since = now
            partition.end = None

    def close(self, now: Now) -> Closing | None:
        """Close what is to be closed; None when nothing comes of it."""
        is_recount = self._reported < self._closed
        if is_recount:
            if not all(partition.is_read_again() for partition in self._partitions.values()):
                return None
        else:
            self._closed = max(self._closed, self._boundary(now))
        window_counts = tuple(sorted(self._window_counts()))
        if window_counts or is_recount:
            return Closing(window_counts, is_recount)
        self._reported = self._closed
        return None

    def _boundary(self, now: Now) -> int:
        """Return the time at which the last window ends that is to be closed."""
        partitions, windows = self._partitions.values(), self._windows
        awake = [it.time(now, windows.idle) for it in partitions if not it.is_idle(now.steady, windows.idle)]
        most = windows.floor(now.wall - windows.grace)
        if awake:
            return min(windows.floor(min(awake) - windows.grace), most)
        return min(max((start + windows.size for it in partitions for start in it.tallies), default=0), most)

    def _window_counts(self) -> Iterator[WindowCount]:
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
            yield WindowCount(start, start + size, key, total, first.origin, first.origin_version, first.destination)

    def printed(self) -> None:
        """Record that the lines of all closed windows are printed, and drop these windows."""
        self._reported = self._closed
        for partition in self._partitions.values():
            for start in [start for start in partition.tallies if start + self._windows.size <= self._closed]:
                partition.window_counts -= len(partition.tallies.pop(start).counts)

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
        """The number of open windows with calls."""
        return len({start for partition in self._partitions.values() for start in partition.tallies})


def _is_call(call: _Call) -> bool:
    is_name = _NAME.fullmatch
    return bool(is_name(call.origin) and is_name(call.origin_version)) and (
        not call.destination or is_name(call.destination) is not None
    )
