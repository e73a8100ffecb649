"""The log of calls on a real broker: what arrives, and that no reply ever fails or waits for it."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Mapping
from typing import Self

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from lab.kafka.broker import Broker
from tests.services.running import Running, Services

pytestmark = pytest.mark.lab

TRACE, SPAN = "80f198ee56343ba864fe8b2a57d3eff7", "e457b5a2e4d86bd1"
PARTITIONS = 10


def logging_to(broker: Broker, topic: str, password: str = "one") -> Mapping[str, str]:
    """Return the environment of a service that logs to a topic, made here, as the user named like it."""
    if topic not in broker.admin.list_topics(timeout=20).topics:
        broker.create_topic(topic, PARTITIONS)
        broker.set_password(topic, "one")
        broker.add_acls(topic, "topic", topic, ["Write", "Create", "Describe"])
    return {
        "KAFKA_TOPIC": topic,
        "KAFKA_BOOTSTRAP_SERVER": broker.bootstrap,
        "KAFKA_USER_NAME": topic,
        "KAFKA_PASSWORD": password,
    }


def records(broker: Broker, topic: str) -> list[Message]:
    """Return all records of a topic, each partition's in order."""
    consumer = Consumer({**broker.client(), "group.id": "test", "enable.auto.commit": False, "log_level": 0})
    places = [TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(PARTITIONS)]
    expected = sum(consumer.get_watermark_offsets(place, timeout=20)[1] for place in places)
    consumer.assign(places)
    found: list[Message] = []
    while len(found) < expected:
        messages = consumer.consume(expected - len(found), timeout=20)
        assert messages, (len(found), expected)
        found += messages
    consumer.close()
    return found


def comments(broker: Broker, topic: str) -> list[int]:
    return [json.loads(record.value() or b"")["comment"] for record in records(broker, topic)]


class Load:
    """Callers that keep their connections, in threads, until told to end; ``answered`` are the replies with status."""

    def __init__(self, service: Running, callers: int = 4) -> None:
        self.answered: list[tuple[int, str]] = []
        self.slowest = 0.0
        self._port = service.port
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(callers)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _call(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        while not self._ending.is_set():
            began = time.monotonic()
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                self.answered.append((response.status, response.read().decode()))
            except (OSError, http.client.HTTPException):
                break
            self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(0.002)
        connection.close()

    def counts(self) -> list[str]:
        assert {status for status, _ in self.answered} == {200}
        return [text.rpartition(": ")[2].strip() for _, text in self.answered]


def test_a_call_makes_three_records(services: Services, shared_broker: Broker) -> None:
    recommendation = services.start("recommendation", **logging_to(shared_broker, "three-recommendation"))
    preference = services.start(
        "preference", UPSTREAM_URL=recommendation.url, **logging_to(shared_broker, "three-preference")
    )
    customer = services.start(
        "customer", UPSTREAM_URL=preference.url, SERVICE_VERSION="v2", **logging_to(shared_broker, "three-customer")
    )
    customer.get(headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
    said = "recommendation v1 from 'pod-1': 1"
    expected = {
        "customer": {"destination": "LOCALHOST", "originVersion": "v2", "comment": f"preference => {said}"},
        "preference": {"destination": "LOCALHOST", "originVersion": "v1", "comment": said},
        "recommendation": {"originVersion": "v1", "comment": "1"},
    }
    for service in (customer, preference, recommendation):
        service.wait_for_metric("kafka_records_delivered_total", 1)
        (call,) = service.log("call")
        name = next(name for name in expected if call["reply"].startswith(name))
        (record,) = records(shared_broker, f"three-{name}")
        assert record.key() == b"\0\0\0\1"
        assert json.loads(record.value() or b"") == {"origin": name.upper(), **expected[name]}
        headers = dict(record.headers() or [])
        assert headers["b3"] == f"{TRACE}-{call['spanId']}-1".encode()
        assert headers["traceparent"].startswith(f"00-{TRACE}-{call['spanId']}-0".encode())


def test_what_fails_is_not_logged(services: Services, shared_broker: Broker) -> None:
    recommendation = services.start("recommendation", **logging_to(shared_broker, "failing"))
    recommendation.get("misbehave")
    recommendation.get()
    recommendation.get("behave")
    recommendation.get()
    recommendation.wait_for_metric("kafka_records_delivered_total", 1)
    assert comments(shared_broker, "failing") == ["2"]


def test_calls_go_on_while_kafka_is_away_and_are_delivered_in_order(services: Services, broker: Broker) -> None:
    recommendation = services.start("recommendation", **logging_to(broker, "away"))
    recommendation.wait_for("ready")
    with Load(recommendation) as load:
        recommendation.wait_for_metric("kafka_records_delivered_total", 1)
        broker.kill()
        time.sleep(3)
        broker.start()
        time.sleep(1)
    assert load.slowest < 1
    made = load.counts()
    recommendation.wait_for_metric("kafka_records_delivered_total", len(made))
    assert recommendation.get("ready").status == 200
    assert len(recommendation.log("Kafka is not reached: records wait")) == 1
    assert comments(broker, "away") == sorted(made, key=int)


def test_a_service_that_starts_without_kafka_answers_and_is_ready_once_it_is_there(
    services: Services, broker: Broker
) -> None:
    environment = logging_to(broker, "late")
    broker.kill()
    recommendation = services.start("recommendation", **environment)
    assert recommendation.get().status == 200
    time.sleep(1.5)
    assert recommendation.get("ready").status == 503
    broker.start()
    recommendation.wait_for("ready")
    recommendation.wait_for_metric("kafka_records_delivered_total", 1)
    assert comments(broker, "late") == ["1"]


def test_records_beyond_the_bound_are_dropped_and_counted(services: Services, broker: Broker) -> None:
    environment = logging_to(broker, "bounded")
    recommendation = services.start("recommendation", KAFKA_BUFFER_RECORDS="5", **environment)
    recommendation.wait_for("ready")
    broker.kill()
    for _ in range(12):
        assert recommendation.get().status == 200
    recommendation.wait_for_metric("kafka_records_dropped_total", 7)
    assert recommendation.metric("kafka_records_buffered") == 5
    assert len(recommendation.log("the buffer for Kafka is full: records are dropped until it is reached")) == 1
    broker.start()
    recommendation.wait_for_metric("kafka_records_delivered_total", 5)
    assert comments(broker, "bounded") == ["1", "2", "3", "4", "5"]


def test_a_stop_under_load_loses_no_record(services: Services, shared_broker: Broker) -> None:
    environment = logging_to(shared_broker, "stopped")
    recommendation = services.start("recommendation", STOP_DELAY_SECONDS="0.5", **environment)
    recommendation.wait_for("ready")
    with Load(recommendation) as load:
        time.sleep(1)
        assert recommendation.terminate() == 0
    assert len(load.answered) > 50
    assert comments(shared_broker, "stopped") == sorted(load.counts(), key=int)


def test_a_stop_while_kafka_is_away_ends_in_time_and_tells_what_is_lost(services: Services, broker: Broker) -> None:
    recommendation = services.start("recommendation", **logging_to(broker, "gone"))
    recommendation.wait_for("ready")
    broker.kill()
    recommendation.get()
    began = time.monotonic()
    assert recommendation.terminate() == 0
    assert 20 < time.monotonic() - began < 27
    (told,) = recommendation.log("records did not reach Kafka in time")
    assert told["records"] == 1


def test_a_wrong_password_is_told_once_and_tried_until_it_is_right(services: Services, shared_broker: Broker) -> None:
    recommendation = services.start("recommendation", **logging_to(shared_broker, "wrong", password="two"))
    assert recommendation.get().status == 200
    time.sleep(4)
    assert recommendation.get("ready").status == 503
    (told,) = recommendation.log("Kafka refuses the login: it is tried again until it succeeds")
    assert told["user"] == "wrong"
    assert "two" not in recommendation.output.read_text()
    shared_broker.set_password("wrong", "two")
    recommendation.wait_for("ready")
    recommendation.wait_for_metric("kafka_records_delivered_total", 1)
    assert comments(shared_broker, "wrong") == ["1"]


def test_a_rotation_loses_no_record_of_the_process_with_the_old_password(
    services: Services, shared_broker: Broker
) -> None:
    environment = {**logging_to(shared_broker, "rotated")}
    # As in a cluster, the broker itself has another name than that from which clients start.
    environment["KAFKA_BOOTSTRAP_SERVER"] = environment["KAFKA_BOOTSTRAP_SERVER"].replace("127.0.0.1", "localhost")
    recommendation = services.start("recommendation", **environment)
    recommendation.wait_for("ready")
    time.sleep(1)
    shared_broker.set_password("rotated", "two")
    recommendation.get()
    assert recommendation.terminate() == 0
    assert comments(shared_broker, "rotated") == ["1"]


def test_the_password_is_in_no_argument(services: Services, shared_broker: Broker) -> None:
    recommendation = services.start("recommendation", **logging_to(shared_broker, "arguments", password="sesame"))
    with open(f"/proc/{recommendation.process.pid}/cmdline") as arguments:
        assert "sesame" not in arguments.read()
