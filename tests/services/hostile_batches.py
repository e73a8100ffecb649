"""A writer with a client of its own: what it sends is in a batch as no library would make it."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable
from typing import Self

from kafka.protocol.producer import ProduceRequest
from kafka.record.util import calc_crc32c, encode_varint

from lab.kafka.broker import Broker
from services.report import Place
from verify.inside.questions import Connection

GZIP = 1


def number(value: int) -> bytes:
    found = bytearray()
    encode_varint(value, found.append)
    return bytes(found)


def field(value: bytes | None, length: int | None = None) -> bytes:
    """A value after its length, or after another one."""
    value_length = -1 if value is None else len(value)
    return number(value_length if length is None else length) + (value or b"")


def record(offset: int, value: bytes | None, key: bytes = field(None)) -> bytes:
    """A record, its offset as it says it is in its batch."""
    body = b"\0" + number(0) + number(offset) + key + field(value) + number(0)
    return field(body)


def batch(records: bytes, count: int, at: int | None = None, codec: int = 0) -> bytes:
    """A batch of the time ``at``, in milliseconds since the epoch."""
    at = int(time.time() * 1000) if at is None else at
    content = struct.pack(">hiqqqhii", codec, count - 1, at, at, -1, -1, -1, count) + records
    rest = struct.pack(">ibI", -1, 2, calc_crc32c(content)) + content
    return struct.pack(">qi", 0, len(rest)) + rest


def many(values: Iterable[bytes | None]) -> tuple[bytes, int]:
    """Records that follow each other, and their number."""
    found = [record(offset, value) for offset, value in enumerate(values)]
    return b"".join(found), len(found)


class Writer:
    """A user who may write a topic and nothing else."""

    def __init__(self, broker: Broker, user: str, topics: Iterable[str]) -> None:
        broker.set_password(user, "secret")
        for topic in topics:
            broker.add_acls(user, "topic", topic, ["Write", "Describe"])
        self._connection = Connection(broker.bootstrap)
        assert self._connection.log_in(user, "SCRAM-SHA-512", "secret")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.__exit__(*error)

    def send(self, place: Place, content: bytes) -> int:
        """Send a batch, and return the broker's error."""
        topic, index = place
        partition = ProduceRequest.TopicProduceData.PartitionProduceData(index=index, records=content)
        data = ProduceRequest.TopicProduceData(name=topic, partition_data=[partition])
        request = ProduceRequest[12](transactional_id=None, acks=-1, timeout_ms=10_000, topic_data=[data])
        return int(self._connection.ask(request).responses[0].partition_responses[0].error_code)
