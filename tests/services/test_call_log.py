"""The log of calls when Kafka fails, with a client that fails as told."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from prometheus_client import CollectorRegistry

from services.call_log import CallLog, configuration
from services.settings import CallLogging, Login

pytestmark = pytest.mark.unit


class FakeClient:
    """Buffers as librdkafka does; calls back when polled."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        self.configuration = configuration
        self.waiting: list[Callable[[KafkaError, None], None]] = []
        self.events: list[Callable[[], None]] = []
        self.failure: KafkaException | None = None

    def __len__(self) -> int:
        return len(self.waiting)

    def produce(self, topic: str, *, on_delivery: Callable[[KafkaError, None], None], **record: Any) -> None:
        if self.failure:
            raise self.failure
        if len(self.waiting) >= self.configuration["queue.buffering.max.messages"]:
            raise BufferError
        self.waiting.append(on_delivery)

    def poll(self, timeout: float) -> int:
        events, self.events = self.events, []
        for event in events:
            event()
        return len(events)

    def flush(self, timeout: float) -> int:
        if timeout:
            self.deliver()
        return len(self)

    def deliver(self) -> None:
        self.waiting.clear()

    def refuse(self, error: KafkaError) -> None:
        refused, self.waiting = self.waiting, []
        self.events += [lambda call=call: call(error, None) for call in refused]

    def purge(self) -> None:
        self.refuse(KafkaError(KafkaError._PURGE_QUEUE))

    def error(self, error: KafkaError) -> None:
        self.events.append(lambda: self.configuration["error_cb"](error))

    def statistics(self, *states: str) -> None:
        brokers = {str(number): {"state": state} for number, state in enumerate(states)}
        text = json.dumps({"brokers": brokers, "name": "rdkafka"})
        self.events.append(lambda: self.configuration["stats_cb"](text))


class Bench:
    """A log of calls, its clients, its clock, its numbers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.clients: list[FakeClient] = []
        self.now = 100.0
        settings = CallLogging("calls", Login("kafka:9092", "writer", "secret"), buffer=3)
        self.log = CallLog(settings, self.registry, self.connect, lambda: self.now)

    def connect(self, configuration: dict[str, Any]) -> FakeClient:
        self.clients.append(FakeClient(configuration))
        return self.clients[-1]

    @property
    def client(self) -> FakeClient:
        return self.clients[-1]

    def send(self, count: int) -> None:
        for _ in range(count):
            self.log.send(b"key", b"value")
        self.log.poll()

    def numbers(self) -> tuple[float | None, ...]:
        names = ("delivered_total", "lost_total", "dropped_total", "buffered")
        return tuple(self.registry.get_sample_value(f"kafka_records_{name}") for name in names)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_delivered_records_are_counted(bench: Bench) -> None:
    bench.send(2)
    assert bench.numbers() == (0, 0, 0, 2)
    bench.client.deliver()
    bench.log.poll()
    bench.send(1)
    assert bench.numbers() == (2, 0, 0, 1)


def test_what_finds_the_buffer_full_is_dropped_counted_and_told_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.send(10)
    assert bench.numbers() == (0, 0, 7, 3)
    (told,) = caplog.records
    assert "dropped" in told.getMessage()
    assert vars(told)["fields"] == {"topic": "calls", "records": 3}
    bench.client.deliver()
    bench.log.poll()
    bench.send(5)
    assert bench.numbers() == (3, 0, 9, 3)
    assert sum("dropped" in message for message in messages(caplog)) == 2


def test_it_is_logged_in_once_a_broker_is_up_and_stays_so(bench: Bench) -> None:
    bench.client.statistics("INIT", "AUTH_REQ", "CONNECT")
    bench.log.poll()
    assert not bench.log.logged_in
    bench.client.statistics("DOWN", "UP")
    bench.log.poll()
    bench.client.statistics("DOWN", "DOWN")
    bench.log.poll()
    assert bench.log.logged_in


def test_an_outage_is_told_once_with_its_end(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    down = KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down")
    for _ in range(5):
        bench.client.error(down)
        bench.client.statistics("DOWN")
        bench.now += 1
        bench.log.poll()
    for _ in range(8):
        bench.client.statistics("UP")
        bench.now += 1
        bench.log.poll()
    assert messages(caplog) == ["Kafka is not reached: records wait", "Kafka is reached again"]
    bench.client.error(down)
    bench.log.poll()
    assert messages(caplog)[2:] == ["Kafka is not reached: records wait"]


def test_a_refused_login_is_told_once_without_the_password(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        bench.client.error(KafkaError(KafkaError._AUTHENTICATION, "invalid credentials"))
        bench.client.error(KafkaError(KafkaError._ALL_BROKERS_DOWN))
        bench.log.poll()
    (told,) = caplog.records
    assert told.getMessage() == "Kafka refuses the login: it is tried again until it succeeds"
    assert vars(told)["fields"]["user"] == "writer"
    assert "secret" not in str(vars(told))


def test_records_that_kafka_refuses_are_lost_and_told_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    denied = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    for _ in range(2):
        bench.send(2)
        bench.client.refuse(denied)
        bench.log.poll()
    bench.client.failure = KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
    bench.send(1)
    assert bench.numbers() == (0, 5, 0, 0)
    assert [vars(record)["fields"]["error"] for record in caplog.records] == [
        "TOPIC_AUTHORIZATION_FAILED",
        "MSG_SIZE_TOO_LARGE",
    ]


def test_a_client_that_failed_for_good_is_replaced(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.send(2)
    bench.client.error(KafkaError(KafkaError._FATAL, "gone", True))
    bench.log.poll()
    assert len(bench.clients) == 2
    assert bench.numbers() == (0, 2, 0, 0)
    bench.send(1)
    bench.client.deliver()
    bench.log.poll()
    assert bench.numbers() == (1, 2, 0, 0)
    assert messages(caplog)[0] == "the Kafka client has failed for good: another one takes over"


def test_the_end_sends_what_came_last(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.log.send(b"key", b"value")
    bench.log.close(1)
    bench.log.poll()
    assert bench.numbers() == (1, 0, 0, 0)
    assert not caplog.records


def test_the_end_tells_what_is_left(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.send(1)
    bench.log.send(b"key", b"value")
    bench.log.close(-1)
    (told,) = caplog.records
    assert told.getMessage() == "records did not reach Kafka in time"
    assert vars(told)["fields"] == {"records": 2}


def test_all_brokers_are_connected_before_there_is_a_record_for_any() -> None:
    """A password that is replaced is asked for when a connection is made: none may be missing then."""
    states: list[str] = []

    def note(text: str) -> None:
        brokers = json.loads(text)["brokers"].values()
        states[:] = [broker["state"] for broker in brokers if broker["nodeid"] > 0]

    settings = configuration(CallLogging("calls", Login("kafka:9092", "writer", "secret"), buffer=3))
    mock = {"bootstrap.servers": "", "security.protocol": "plaintext", "test.mock.num.brokers": 3}
    producer = Producer({**settings, **mock, "stats_cb": note})
    deadline = time.monotonic() + 20
    while states != ["UP"] * 3 and time.monotonic() < deadline:
        producer.poll(0.1)
    assert states == ["UP"] * 3
