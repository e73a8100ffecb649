"""Reads batches of records as they are in a topic (Kafka's format 2, uncompressed), and trusts nothing in them.

Brokers take batches that librdkafka does not get past: with lengths below -1, or offsets that are not in order. Of such
a batch the records up to the first that is none are read here, which are those that librdkafka reads, and the rest is
stepped over. This is slower, so it is for partitions that have such batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

_HEAD: Final = Struct(">qiibIhiqqqhii")
"""Offset, length of what follows, epoch of the leader, format, checksum, attributes, number of records less one, time,
highest time, producer with epoch and sequence, number of records."""

_LENGTH_ENDS: Final = 12
_MARK: Final = Struct(">hh")
"""Version and type of a control record's key."""

_CODEC, _LOG_APPEND, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
_ABORT: Final = 0
_MORE: Final = 0x80
"""What a byte of a number has that is not its last."""

_FORMAT: Final = 2


@dataclass(frozen=True, slots=True)
class DirectRecord:
    """A record, with the used methods of a ``confluent_kafka.Message``."""

    place: tuple[str, int]
    at: int
    time: int
    content: bytes | None

    def topic(self) -> str:
        """Topic."""
        return self.place[0]

    def partition(self) -> int:
        """Partition."""
        return self.place[1]

    def offset(self) -> int:
        """Offset."""
        return self.at

    def timestamp(self) -> tuple[int, int]:
        """Return 1 and milliseconds since the epoch."""
        return 1, self.time

    def value(self) -> bytes | None:
        """Value."""
        return self.content


@dataclass
class Batches:
    """Part of a partition: records, unreadable batches (offset and number), and the offset to continue from."""

    next: int
    records: list[DirectRecord] = field(default_factory=list)
    unreadable: list[tuple[int, int]] = field(default_factory=list)


class _UnreadableError(Exception):
    """The bytes are not a record."""


def read(data: bytes, place: tuple[str, int], start: int, aborted: Mapping[int, Sequence[int]]) -> Batches:
    """Read the complete batches in a broker's response.

    :param start: the offset from which records are wanted.
    :param aborted: by producer, the first offsets of its aborted transactions.
    """
    found = Batches(start)
    left = {producer: sorted(begins) for producer, begins in aborted.items()}
    at = 0
    while at + _HEAD.size <= len(data):
        head = _HEAD.unpack_from(data, at)
        offset, length, _, kind, _, attributes, last, time, highest, producer, _, _, count = head
        end = at + _LENGTH_ENDS + length
        if end > len(data) or length < _HEAD.size - _LENGTH_ENDS:
            break
        body = data[at + _HEAD.size : end]
        at = end
        if kind != _FORMAT:
            last = 0
        after = offset + last + 1
        if after <= found.next:
            continue
        begins = left.get(producer, [])
        if kind == _FORMAT and attributes & _CONTROL:
            if begins and _is_abort(body) and begins[0] <= offset:
                begins.pop(0)
        elif not (attributes & _TRANSACTIONAL and begins and begins[0] <= offset):
            is_readable = kind == _FORMAT and not attributes & _CODEC
            try:
                for index, (is_fixed, delta, value) in enumerate(_records(body, count if is_readable else 0)):
                    if offset + index >= found.next:
                        moment = highest if is_fixed or attributes & _LOG_APPEND else time + delta
                        found.records.append(DirectRecord(place, offset + index, moment, value))
                        found.next = offset + index + 1
            except _UnreadableError:
                is_readable = False
            if not is_readable:
                first = max(offset, found.next)
                found.unreadable.append((first, after - first))
        found.next = after
    return found


def _records(body: bytes, count: int) -> Iterator[tuple[bool, int, bytes | None]]:
    """Yield of each record whether it has the batch's highest time, its time after the batch's, and its value.

    :raises _UnreadableError: where there is none.
    """
    at = 0
    for index in range(count):
        length, at = _number(body, at)
        end = at + length
        if not at < end <= len(body):
            raise _UnreadableError
        attributes = body[at]
        delta, at = _number(body, at + 1)
        offset, at = _number(body, at)
        if offset != index:
            raise _UnreadableError
        _, at = _bytes(body, at)
        value, at = _bytes(body, at)
        if at > end:
            raise _UnreadableError
        at = end
        yield bool(attributes & _LOG_APPEND), delta, value


def _bytes(body: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = _number(body, at)
    if length == -1:
        return None, at
    if length < 0 or at + length > len(body):
        raise _UnreadableError
    return body[at : at + length], at + length


def _number(body: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends."""
    found = shift = 0
    for byte in body[at : at + 10]:
        at += 1
        found |= (byte & ~_MORE) << shift
        if not byte & _MORE:
            return (found >> 1) ^ -(found & 1), at
        shift += 7
    raise _UnreadableError


def _is_abort(body: bytes) -> bool:
    try:
        _, at = _number(body, 0)
        _, at = _number(body, at + 1)
        _, at = _number(body, at)
        key, _ = _bytes(body, at)
    except _UnreadableError:
        return False
    return key is not None and len(key) >= _MARK.size and _MARK.unpack_from(key)[1] == _ABORT
