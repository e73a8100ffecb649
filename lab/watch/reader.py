"""Counts the records of calls, in the consumer's container and with its user; Python there reads this file from stdin.

Every second it prints a JSON line: ``complete`` (whether what was there at the start is counted), ``unreadable``
(number of records that are no calls, or of too many kinds), ``records`` (lists of topic, origin, version, destination,
answered version and number) and ``reported`` (number of records of each topic that the group has committed). It joins
no group and commits nothing. It ends when the partitions change or Kafka refuses something, and then is to be started
again; and when for half a minute nothing more comes on stdin: whoever listened is gone, which a container's runtime
need not tell.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections import Counter

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

_SECONDS = 10
_PATIENCE = 30
_LONGEST = 100
"""Characters of a name that are looked at."""
_KINDS = 1000
"""How many kinds of records are told apart: whoever may write could make any number."""


def call(value: bytes | None) -> tuple[str, str, str, str] | None:
    """Return origin, version, destination and the version that answered; None for what is no call."""
    try:
        found = json.loads(value or b"")
        origin, version = found["origin"], found["originVersion"]
        destination, comment = found.get("destination") or "", found.get("comment") or ""
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    if not all(isinstance(text, str) for text in (origin, version, destination, comment)):
        return None
    # A service says first who it is: "recommendation v2 from ...".
    words = comment.split(maxsplit=2)[:2]
    answered = words[1] if destination and len(words) == 2 and words[0].upper() == destination else ""  # noqa: PLR2004
    return origin[:_LONGEST], version[:_LONGEST], destination[:_LONGEST], answered[:_LONGEST]


def _partitions(consumer: Consumer, topics: list[str]) -> list[tuple[str, int]]:
    found = consumer.list_topics(timeout=_SECONDS).topics
    return sorted((topic, partition) for topic in topics if topic in found for partition in found[topic].partitions)


def _heard() -> bool:
    """Take what came on stdin, and say whether that was anything.

    :raises SystemExit: if no more will come.
    """
    if not select.select([sys.stdin], [], [], 0)[0]:
        return False
    if not os.read(sys.stdin.fileno(), 1024):
        sys.exit()
    return True


def _value(message: Message) -> bytes | None:
    error = message.error()
    if error is not None:
        raise KafkaException(error)
    return message.value()


def main() -> None:
    """Count until a signal or the end of stdin."""
    topics = os.environ["KAFKA_TOPICS"].split(",")
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVER"],
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": os.environ["KAFKA_USER_NAME"],
            "sasl.password": os.environ["KAFKA_PASSWORD"],
            "group.id": os.environ["KAFKA_GROUP_ID"],
            "enable.auto.commit": False,
            # Records that are gone, or a topic that was made anew: then all is counted from the start.
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
        }
    )
    places = _partitions(consumer, topics)
    low, unread = {}, {}
    for topic, partition in places:
        first, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_SECONDS)
        low[topic, partition] = first
        if end > first:
            unread[topic, partition] = end
    consumer.assign([TopicPartition(topic, partition, low[topic, partition]) for topic, partition in places])
    records: Counter[tuple[str, ...]] = Counter()
    unreadable, told, looked = 0, 0.0, time.monotonic()
    heard = looked
    while time.monotonic() - heard < _PATIENCE:
        if _heard():
            heard = time.monotonic()
        for message in consumer.consume(10_000, timeout=0.5):
            found = call(_value(message))
            place = (message.topic() or "", message.partition() or 0)
            key = (place[0], *(found or ()))
            if found is None or (key not in records and len(records) == _KINDS):
                unreadable += 1
            else:
                records[key] += 1
            if place in unread and (message.offset() or 0) + 1 >= unread[place]:
                del unread[place]
        now = time.monotonic()
        if now - told < 1:
            continue
        told = now
        reported = dict.fromkeys(topics, 0)
        for committed in consumer.committed(
            [TopicPartition(topic, partition) for topic, partition in places], timeout=_SECONDS
        ):
            place = (committed.topic, committed.partition)
            reported[committed.topic] += max(committed.offset - low[place], 0)
        print(  # noqa: T201
            json.dumps(
                {
                    "complete": not unread,
                    "unreadable": unreadable,
                    "records": [[*key, number] for key, number in records.items()],
                    "reported": reported,
                }
            ),
            flush=True,
        )
        if now - looked > _SECONDS:
            looked = now
            if _partitions(consumer, topics) != places:
                return


if __name__ == "__main__":
    try:
        main()
    except KafkaException as error:
        sys.exit(f"Kafka: {error.args[0].str() or error.args[0].name()}")
