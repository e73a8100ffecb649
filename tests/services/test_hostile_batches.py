"""What a writer can do to the consumer with batches that no library makes: nothing, to its memory and to others."""

from __future__ import annotations

import gzip
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Producer

from kafka_on_istio.settings.loading import load
from lab.kafka.broker import Broker
from services.call_log import configuration
from services.record import KEY
from services.report import Place
from services.settings import CallLogging, Login
from tests.services.hostile_batches import GZIP, Writer, batch, field, many, number, record
from tests.services.test_consumer import CALLS, LIVE, NEVER_IDLE, SIZE, START, Running, now

pytestmark = pytest.mark.lab

LIMIT = 256
"""MiB that a pod has (``resources`` of Pulumi.yaml)."""


def topic_settings() -> dict[str, str]:
    """The configuration of a topic that the program creates."""
    return {key: str(value) for key, value in load({}).topic_config.items()}


@pytest.fixture
def running(shared_broker: Broker, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    name = tmp_path.name.replace("_", "-")
    found = Running(shared_broker, tmp_path, name, getattr(request, "param", {}), topic_settings())
    yield found
    if found.process is not None:
        found.process.kill()
        found.process.wait()


@pytest.fixture
def writer(running: Running) -> Iterator[Writer]:
    with Writer(running.broker, f"{running.name}-writer", running.topics[:1]) as found:
        yield found


def peak(running: Running) -> float:
    """Return the most memory that the consumer ever had, in MiB."""
    assert running.process is not None
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def end_window(running: Running) -> tuple[int, str, int]:
    """Send a legitimate call to every partition, and one that ends its window; return the line that is to come."""
    for at in (START, START + 2 * SIZE):
        for place in running.places:
            running.send(place, at, CALLS[0])
    running.producer.flush(30)
    return START, "CUSTOMER:v1:PREFERENCE", len(running.places)


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
@pytest.mark.parametrize("running", [NEVER_IDLE], indirect=True)
def test_a_record_that_inflates_costs_the_consumer_no_memory(running: Running, writer: Writer, codec: str) -> None:
    bomb = {"compression.type": codec, "message.max.bytes": 1_000_000_000, "log_level": 0}
    producer = Producer({**running.broker.client(f"{running.name}-writer"), **bomb})
    for _, partition in running.places[:2]:
        producer.produce(running.topics[0], bytes(200_000_000), partition=partition, timestamp=START)
        producer.flush(60)
    line = end_window(running)
    running.start()
    running.wait_for({line})
    assert peak(running) < LIMIT
    running.end(signal.SIGKILL)
    running.start()
    time.sleep(3)
    assert peak(running) < LIMIT
    assert running.records() == [line]


@pytest.mark.parametrize("running", [NEVER_IDLE], indirect=True)
def test_very_many_records_of_a_few_bytes_cost_the_consumer_no_memory(running: Running, writer: Writer) -> None:
    wide = [(f"{running.name}-wide", partition) for partition in range(20)]
    running.broker.create_topic(wide[0][0], len(wide), topic_settings())
    running.broker.add_acls(f"{running.name}-writer", "topic", wide[0][0], ["Write", "Describe"])
    running.broker.add_acls(f"{running.name}-reader", "topic", wide[0][0], ["Read", "Describe"])
    running.environment["KAFKA_TOPICS"] += f",{wide[0][0]}"
    content = batch(*many([None] * 29_000), at=START)
    for _ in range(8):
        for place in wide:
            assert writer.send(place, content) == 0
    for place in wide:
        running.send(place, START + 2 * SIZE, CALLS[0])
    line = end_window(running)
    running.start()
    running.wait_for({line})
    assert peak(running) < LIMIT
    assert running.metric("report_records_malformed_total") == 8 * len(wide) * 29_000


def unreadable(kind: str) -> tuple[bytes, int]:
    """Return records that a broker takes, one that can be read and four that cannot, and their number."""
    first, last = record(0, CALLS[0]), record(4, CALLS[0])
    between = {
        "length": [record(offset, CALLS[0], field(None, -54)) for offset in (1, 2, 3)],
        "ahead": [record(1 << 30, CALLS[0]), record(2, CALLS[0]), record(3, CALLS[0])],
        "behind": [record(-200, CALLS[0]), record(0, CALLS[0]), record(0, CALLS[0])],
        "near": [record(3, CALLS[0]), record(2, CALLS[0]), record(30, CALLS[0])],
    }
    return first + b"".join(between[kind]) + last, 5


@pytest.mark.parametrize("kind", ["length", "ahead", "behind", "near"])
@pytest.mark.parametrize("running", [NEVER_IDLE], indirect=True)
def test_what_cannot_be_read_is_stepped_over_counted_and_told(running: Running, writer: Writer, kind: str) -> None:
    """Before and after a restart the same records count: those before it in its batch, and all after it."""
    hostile = running.places[0]
    running.start()
    for place in running.places:
        running.send(place, START, CALLS[0])
    running.producer.flush(30)
    running.wait_until(lambda: running.metric("report_records_total") == len(running.places))
    for _ in range(2):
        assert writer.send(hostile, batch(*unreadable(kind), at=START)) == 0
        running.send(hostile, START, CALLS[0])
        running.producer.flush(30)
    running.wait_until(lambda: running.metric("report_records_unreadable_total") == 8)
    told = [line for line in running.log().splitlines() if "cannot be read" in line]
    assert [json.loads(line)["offset"] for line in told] == [2]
    assert running.ready()[0] == 200
    running.end(signal.SIGKILL)
    running.start()
    for place in running.places:
        running.send(place, START, CALLS[0])
        running.send(place, START + 2 * SIZE, CALLS[0])
    running.producer.flush(30)
    line = (START, "CUSTOMER:v1:PREFERENCE", 2 * len(running.places) + 4)
    running.wait_for({line})
    running.end(signal.SIGKILL)
    for place in running.places:
        running.send(place, START + 4 * SIZE, CALLS[0])
    running.producer.flush(30)
    running.start()
    after = (START + 2 * SIZE, "CUSTOMER:v1:PREFERENCE", len(running.places))
    running.wait_for({line, after})
    assert sorted(running.records()) == [line, after]
    assert '"error"' not in running.log()


@pytest.mark.parametrize("running", [NEVER_IDLE], indirect=True)
def test_what_was_aborted_counts_as_little_beside_what_cannot_be_read(running: Running, writer: Writer) -> None:
    hostile = running.places[0]
    transactions = Producer({**running.broker.client(), "transactional.id": running.name})
    transactions.init_transactions(30)
    assert writer.send(hostile, batch(*unreadable("length"), at=START)) == 0
    for end in (transactions.abort_transaction, transactions.commit_transaction, transactions.abort_transaction):
        transactions.begin_transaction()
        transactions.produce(hostile[0], CALLS[0], partition=hostile[1], timestamp=START)
        transactions.flush(30)
        end(30)
    line = end_window(running)
    running.start()
    running.wait_for({(*line[:2], line[2] + 2)})
    assert running.metric("report_records_unreadable_total") == 4


@pytest.mark.parametrize("running", [LIVE], indirect=True)
def test_a_writer_of_what_cannot_be_read_does_not_silence_the_report(running: Running, writer: Writer) -> None:
    running.start()
    flood = batch(*many([None] * 29_000))
    for step in range(200):
        assert writer.send(running.places[0], batch(*unreadable(("length", "ahead")[step % 2]), at=1)) == 0
        assert writer.send(running.places[0], flood) == 0
        running.send(running.places[-1], now(), CALLS[1])
        running.producer.flush(30)
        time.sleep(0.1)
        if step > 150 and sum(count for _, key, count in running.lines_of(2_000) if key.startswith("PREF")) > 30:
            return
    raise AssertionError(running.log())


def test_a_broker_takes_no_compressed_record_into_a_topic_of_the_stack(running: Running, writer: Writer) -> None:
    """It inflates what is sent, and refuses what says of itself that it is larger than it is."""
    place: Place = running.places[0]
    small = record(0, CALLS[0])
    assert writer.send(place, batch(gzip.compress(small), 1, START, GZIP)) == 0
    large = gzip.compress(record(0, bytes(300_000)))
    assert writer.send(place, batch(large, 1, START, GZIP)) == KafkaError.MSG_SIZE_TOO_LARGE
    lie = gzip.compress(number(2_000_000) + small[2:])
    assert writer.send(place, batch(lie, 1, START, GZIP)) == KafkaError.INVALID_RECORD
    two = gzip.compress(small[:20]) + gzip.compress(small[20:])
    assert writer.send(place, batch(two, 1, START, GZIP)) == 0
    for at in (START, START + 2 * SIZE):
        for each in running.places:
            running.send(each, at, CALLS[0])
    running.producer.flush(30)
    running.start()
    running.wait_for({(START, "CUSTOMER:v1:PREFERENCE", len(running.places) + 2)})


def test_the_many_records_of_a_service_that_waited_fit_into_a_topic_of_the_stack(running: Running) -> None:
    login = Login(running.broker.bootstrap, f"{running.name}-service", "secret")
    running.broker.set_password(login.user, login.password)
    running.broker.add_acls(login.user, "topic", running.topics[0], ["Write", "Describe"])
    refused: list[KafkaError] = []
    producer = Producer(configuration(CallLogging(running.topics[0], login, 100_000)))
    for _ in range(20_000):
        producer.produce(running.topics[0], CALLS[0], KEY, on_delivery=lambda error, _: refused.append(error))
    assert producer.flush(60) == 0
    assert refused == []
