"""What is read directly of a partition: whole batches, from an offset on, and nothing that was aborted."""

from __future__ import annotations

import struct

import pytest

from services.batches import Batches, read
from tests.services.hostile_batches import GZIP, batch, field, many, record

pytestmark = pytest.mark.unit

PLACE = ("calls", 3)
TRANSACTIONAL, CONTROL = 0x10, 0x20
ABORT, COMMIT = b"\0\0\0\0", b"\0\0\0\1"


def at(offset: int, content: bytes, producer: int = -1) -> bytes:
    """A batch as a broker stores it."""
    return struct.pack(">q", offset) + content[8:43] + struct.pack(">q", producer) + content[51:]


def offsets(found: Batches) -> list[int]:
    return [record.offset() for record in found.records]


def mark(offset: int, producer: int, kind: bytes) -> bytes:
    return at(offset, batch(record(0, b"", field(kind)), 1, 1, TRANSACTIONAL | CONTROL), producer)


def test_records_have_what_was_sent() -> None:
    found = read(at(7, batch(*many([b"a", None]), at=1000)), PLACE, 7, {})
    told = [(it.topic(), it.partition(), it.offset(), it.timestamp()[1], it.value()) for it in found.records]
    assert told == [("calls", 3, 7, 1000, b"a"), ("calls", 3, 8, 1000, None)]
    assert found.next == 9


def test_what_is_below_the_start_or_cut_off_is_left_out() -> None:
    data = at(0, batch(*many([b"a"] * 3))) + at(3, batch(*many([b"b"] * 3))) + at(6, batch(*many([b"c"])))
    found = read(data[:-1], PLACE, 4, {})
    assert offsets(found) == [4, 5]
    assert found.next == 6
    assert read(b"", PLACE, 4, {}) == Batches(4)


@pytest.mark.parametrize(
    "second",
    [
        record(1, b"b", field(None, -2)),
        record(1, b"b", field(None, 1 << 40)),
        record(0, b"b"),
        record(5, b"b"),
        b"\xff" * 20,
        b"\x00",
        field(b"\0\0\2"),
        b"",
    ],
)
def test_after_the_first_that_is_no_record_the_rest_of_a_batch_is_unreadable(second: bytes) -> None:
    data = at(10, batch(record(0, b"a") + second, 3)) + at(13, batch(*many([b"d"])))
    found = read(data, PLACE, 10, {})
    assert offsets(found) == [10, 13]
    assert found.unreadable == [(11, 2)]
    assert read(data, PLACE, 12, {}).unreadable == [(12, 1)]


@pytest.mark.parametrize("content", [batch(*many([b"a"] * 4), codec=GZIP), batch(*many([b"a"] * 4), codec=7)])
def test_a_compressed_batch_is_unreadable(content: bytes) -> None:
    found = read(at(5, content), PLACE, 5, {})
    assert (offsets(found), found.unreadable, found.next) == ([], [(5, 4)], 9)


def test_what_a_producer_aborted_is_no_record_and_what_it_committed_is() -> None:
    mine = batch(*many([b"a"]), codec=TRANSACTIONAL)
    data = b"".join(
        [
            at(0, mine, 1),
            at(1, mine, 2),
            mark(2, 1, ABORT),
            at(3, mine, 1),
            mark(4, 2, COMMIT),
            mark(5, 1, COMMIT),
            at(6, mine, 1),
            mark(7, 1, ABORT),
        ]
    )
    found = read(data, PLACE, 0, {1: [6, 0]})
    assert offsets(found) == [1, 3]
    assert (found.unreadable, found.next) == ([], 8)
