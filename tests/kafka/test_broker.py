"""The broker that other tests rely on: who may log in, what it refuses, and what it keeps."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from lab.errors import LabError
from lab.kafka.broker import Broker
from lab.kafka.distribution import distribution

pytestmark = pytest.mark.lab


def send(broker: Broker, topic: str, value: bytes, **settings: object) -> KafkaError | None:
    found: list[KafkaError | None] = []
    producer = Producer({**broker.client("writer"), "message.timeout.ms": 20_000, "log_level": 0, **settings})
    producer.produce(topic, value, on_delivery=lambda error, _: found.append(error))
    assert producer.flush(30) == 0
    return found[0]


def test_what_was_written_survives_a_kill_and_a_stop(broker: Broker) -> None:
    broker.create_topic("kept")
    broker.set_password("writer", "one")
    broker.add_acls("writer", "topic", "kept", ["Write", "Describe"])
    assert send(broker, "kept", b"1") is None
    broker.kill()
    assert broker.pid is None
    broker.start()
    assert send(broker, "kept", b"2") is None
    broker.stop()
    broker.start()
    consumer = Consumer(broker.client() | {"group.id": "reader", "auto.offset.reset": "earliest"})
    consumer.subscribe(["kept"])
    messages = []
    while len(messages) < 2:
        messages += consumer.consume(2, timeout=20)
    consumer.close()
    assert [message.value() for message in messages] == [b"1", b"2"]


def test_refuses_what_no_acl_allows_and_a_wrong_password(shared_broker: Broker) -> None:
    shared_broker.create_topic("forbidden")
    shared_broker.set_password("writer", "one")
    error = send(shared_broker, "forbidden", b"1")
    assert error is not None
    assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    admin = AdminClient({**shared_broker.client("writer", "wrong"), "log_level": 0})
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=1)


def test_an_unknown_version_is_said_with_its_fix() -> None:
    with pytest.raises(LabError, match=r"'9\.9\.9' is not on Maven Central; use a release such as 4\.3\.1"):
        distribution("9.9.9", say=lambda _: None)
