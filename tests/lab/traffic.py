"""Calls to the application while something is done to it, and the records that they leave in Kafka."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from typing import Any, Self

from tests.lab.conftest import System, eventually

TOPICS = [f"demo-application-log-{name}" for name in ("customer", "preference", "recommendation")]

READ = """
import base64, json, os
from confluent_kafka import Consumer, TopicPartition
consumer = Consumer({
    "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVER"], "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": os.environ["KAFKA_USER_NAME"],
    "sasl.password": os.environ["KAFKA_PASSWORD"], "group.id": os.environ["KAFKA_GROUP_ID"],
    "enable.auto.commit": False, "auto.offset.reset": "earliest", "isolation.level": "read_committed",
})
ends = {}
for topic in TOPICS:
    for partition in consumer.list_topics(topic, timeout=20).topics[topic].partitions:
        ends[topic, partition] = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=20)[1]
waited = {key for key, end in ends.items() if end}
consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in waited])
found = []
while waited:
    for message in consumer.consume(1000, timeout=1):
        assert message.error() is None, message.error()
        found.append({
            "topic": message.topic(), "partition": message.partition(), "timestamp": message.timestamp()[1], "key": message.key().hex(),
            "value": json.loads(message.value()),
            "headers": {name: value.decode() for name, value in message.headers() or []},
        })
        if message.offset() + 1 >= ends[message.topic(), message.partition()]:
            waited.discard((message.topic(), message.partition()))
print(json.dumps(found))
"""


LOG_IN = """
import os, sys
from confluent_kafka import KafkaException, Producer
errors = []
producer = Producer({
    "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVER"], "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": os.environ["KAFKA_USER_NAME"],
    "sasl.password": PASSWORD or os.environ["KAFKA_PASSWORD"], "error_cb": errors.append,
})
try:
    producer.list_topics(os.environ["KAFKA_TOPIC"], timeout=5)
    print("in")
except KafkaException:
    producer.poll(1)
    print(sorted({error.name() for error in errors}))
"""


def records(system: System) -> list[Any]:
    """Return all records of the three topics, each partition's in order, read as the consumer's own user."""
    return json.loads(system.script("deployment/consumer-v1", f"TOPICS = {TOPICS!r}\n{READ}"))


def by_topic(found: list[Any]) -> dict[str, list[Any]]:
    """Return records by topic."""
    result = defaultdict(list)
    for record in found:
        result[record["topic"]].append(record)
    return result


def address(system: System) -> str:
    """Return the URL of customer, at the gateway."""
    return f"http://{system.get('-n', 'istio-system', 'service', 'istio-ingressgateway')['spec']['clusterIP']}/customer"


def call(url: str, **headers: str) -> tuple[int, str]:
    """Call once, over a connection of its own; return status and text, status 0 where there was no answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, repr(error)


class Traffic:
    """Calls one after the other, some twenty a second, from when it is entered until it is left."""

    def __init__(self, system: System, url: str | None = None) -> None:
        self._url = url or address(system)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.answers: list[tuple[int, str]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        eventually(lambda: len(self.answers) > 5)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.answers.append(call(self._url))
            time.sleep(0.03)

    def failed(self) -> list[tuple[int, str]]:
        """Return the answers that were no success."""
        return [answer for answer in self.answers if answer[0] != 200]

    def some(self, count: int = 20) -> None:
        """Wait for some more calls."""
        wanted = len(self.answers) + count
        eventually(lambda: len(self.answers) >= wanted)


def counted(found: list[Any]) -> dict[str, int]:
    """Return how many records each topic has."""
    return {topic: len(by_topic(found)[topic]) for topic in TOPICS}


def settled(system: System) -> dict[str, int]:
    """Return how many records each topic has, once no more come."""
    before: list[dict[str, int]] = []

    def check() -> Any:
        before.append(counted(records(system)))
        return before[-2:] == [before[-1]] * 2 and before[-1]

    found: dict[str, int] = eventually(check)
    return found


def arrived(system: System, before: dict[str, int], calls: int) -> list[Any]:
    """Return all records once each topic has ``calls`` more than ``before``, and no more."""

    def complete() -> Any:
        found = records(system)
        assert counted(found) == {topic: count + calls for topic, count in before.items()}, f"{before} + {calls}"
        return found

    found: list[Any] = eventually(complete, 60)
    return found


def counts_in_order(found: list[Any], before: dict[str, int]) -> None:
    """Assert that what each instance of recommendation counted since ``before`` stands in order in each partition."""
    for topic in ("demo-application-log-customer", "demo-application-log-preference"):
        numbers = defaultdict(list)
        for record in by_topic(found)[topic][before[topic] :]:
            text = record["value"]["comment"]
            instance = text.partition("from '")[2].partition("'")[0]
            numbers[record["partition"], instance].append(int(text.rpartition(": ")[2]))
        assert numbers
        assert all(row == sorted(row) for row in numbers.values()), numbers
