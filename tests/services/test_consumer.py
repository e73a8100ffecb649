"""The consumer as a process on a real broker: killed at any moment it changes no line, and reports each group once."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer

from lab.kafka.broker import Broker
from tests.services.brute_force import BruteForce, Line, Place

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
TOPICS = ("calls-customer", "calls-preference", "calls-recommendation")
PARTITIONS = 2
START = (int(time.time()) // 86_400 - 1) * 86_400_000
SIZE, GRACE = 10_000, 2_000
NOW = int(time.time() * 1000)
NEVER_IDLE = {"WINDOW_IDLE_SECONDS": "604800"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Running:
    """The consumer on topics of a test's own, its output in a file that outlives its kills."""

    broker: Broker
    folder: Path
    name: str
    settings: dict[str, str] = field(default_factory=dict)
    topic_settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.topics = [f"{self.name}-{topic}" for topic in TOPICS]
        self.aggregated = f"{self.name}-aggregated"
        user = f"{self.name}-reader"
        self.broker.set_password(user, "secret")
        for topic in self.topics:
            self.broker.create_topic(topic, PARTITIONS, self.topic_settings)
            self.broker.add_acls(user, "topic", topic, ["Read", "Describe"])
        self.broker.create_topic(self.aggregated, PARTITIONS)
        # What the access model gives a service that reads and writes.
        self.broker.add_acls(user, "topic", self.aggregated, ["Write", "Describe"])
        self.broker.add_acls(user, "group", f"{self.name}-group", ["Read", "Describe"])
        self.broker.add_acls(user, "transactionalId", f"{self.name}-group", ["Write", "Describe"])
        self.port = free_port()
        self.environment = {
            **os.environ,
            "LISTEN_ADDRESS": "127.0.0.1",
            "PORT": str(self.port),
            "KAFKA_BOOTSTRAP_SERVER": self.broker.bootstrap,
            "KAFKA_USER_NAME": user,
            "KAFKA_PASSWORD": "secret",
            "KAFKA_TOPICS": ",".join(self.topics),
            "KAFKA_TOPIC": self.aggregated,
            "KAFKA_GROUP_ID": f"{self.name}-group",
            "WINDOW_SECONDS": str(SIZE // 1000),
            "WINDOW_GRACE_SECONDS": str(GRACE / 1000),
        } | self.settings
        self.process: subprocess.Popen[bytes] | None = None
        self.producer = Producer(self.broker.client())

    @property
    def places(self) -> list[Place]:
        return [(topic, partition) for topic in self.topics for partition in range(PARTITIONS)]

    def start(self, output: int | None = None) -> None:
        with (self.folder / "report").open("ab") as report, (self.folder / "log").open("ab") as log:
            command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "services", "consumer"]
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=output or report, stderr=log
            )

    def end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def send(self, place: Place, timestamp: int, value: bytes | None) -> None:
        topic, partition = place
        self.producer.produce(topic, value, (1).to_bytes(4, "big"), partition, timestamp=timestamp)
        self.producer.poll(0)

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def lines(self) -> list[Line]:
        return self.lines_of(SIZE)

    def lines_of(self, size: int) -> list[Line]:
        found = []
        for line in (self.folder / "report").read_text(encoding="utf-8").splitlines():
            window, key, count = line.split(" ")
            start, end = (datetime.fromisoformat(each).astimezone(UTC) for each in window.split("/"))
            assert (end - start).total_seconds() * 1000 == size
            found.append((round(start.timestamp() * 1000), key, int(count)))
        return found

    def records(self) -> list[Line]:
        consumer = Consumer(
            self.broker.client()
            | {
                "group.id": "tests",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
            }
        )
        consumer.subscribe([self.aggregated])
        found, ended = [], set()
        while len(ended) < PARTITIONS:
            for message in consumer.consume(100, 1):
                error = message.error()
                if error is None:
                    value = json.loads(message.value() or b"")
                    key = (message.key() or b"").decode()
                    assert key == value["key"]
                    start = datetime.fromisoformat(value["windowStart"]).timestamp()
                    found.append((round(start * 1000), key, value["count"]))
                else:
                    assert error.code() == KafkaError._PARTITION_EOF
                    ended.add(message.partition())
        consumer.close()
        return found

    def ready(self) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=5) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def wait_until(self, holds: Callable[[], object], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with suppress(OSError):
                if holds():
                    return
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def metric(self, name: str) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as reply:
            lines = reply.read().decode().splitlines()
        return float(next(line.rpartition(" ")[2] for line in lines if line.startswith(f"{name} ")))

    def wait_for(self, lines: set[Line], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while set(self.lines()) != lines and time.monotonic() < deadline:
            assert self.process is not None and self.process.poll() is None, self.log()
            time.sleep(0.1)
        assert set(self.lines()) == lines, self.log()


@pytest.fixture
def running(shared_broker: Broker, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    name = tmp_path.name.replace("_", "-")
    found = Running(shared_broker, tmp_path, name, getattr(request, "param", {}))
    yield found
    if found.process is not None:
        found.process.kill()
        found.process.wait()


def call(origin: str, destination: str | None) -> bytes:
    return json.dumps({"origin": origin, "destination": destination, "originVersion": "v1", "comment": ""}).encode()


CALLS = (call("CUSTOMER", "PREFERENCE"), call("PREFERENCE", "RECOMMENDATION"), call("RECOMMENDATION", None), b"junk")


@pytest.mark.parametrize("running", [NEVER_IDLE], indirect=True)
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_moment_it_changes_loses_and_repeats_nothing(running: Running, seed: int) -> None:
    chance = random.Random(seed)
    brute = BruteForce(running.places, SIZE, GRACE, 10**12)
    hostile = [1, NOW + 3_500_000]
    sent: list[tuple[Place, int, bytes]] = []
    for step in range(60):
        # Time goes on by half a window, and calls are out of order by up to two.
        for _ in range(40):
            at = START + step * SIZE // 2 + chance.randint(-2 * SIZE, 0)
            sent.append((chance.choice(running.places), at, chance.choice(CALLS)))
        sent.append((chance.choice(running.places), chance.choice(hostile), CALLS[0]))
    sent += [(place, START + 100 * SIZE, CALLS[0]) for place in running.places]
    running.start()
    kills = 0
    for number, record in enumerate(sent):
        running.send(*record)
        brute.take(*record, now=NOW)
        if number % 40 == 39:
            running.producer.flush(30)
            time.sleep(0.05)
        if chance.random() < 1 / 150:
            time.sleep(chance.uniform(0, 1.5))
            running.end(signal.SIGKILL)
            running.start()
            kills += 1
    running.producer.flush(30)
    brute.look(NOW)
    running.wait_for(brute.lines())
    assert kills > 5
    assert running.end(signal.SIGTERM) == 0
    assert sorted(running.records()) == sorted(brute.lines())
    repeated = Counter(running.lines())
    assert max(repeated.values()) <= 1 + kills
    assert '"error"' not in running.log()


@pytest.mark.parametrize("running", [{"WINDOW_IDLE_SECONDS": "3", "WINDOW_GRACE_SECONDS": "0"}], indirect=True)
def test_silence_closes_windows_and_what_comes_after_is_late(running: Running) -> None:
    running.start()
    first, second = running.places[:2]
    for at in (0, 1, 2):
        running.send(first, START + at, CALLS[0])
    running.send(first, START, b"junk")
    running.producer.flush(30)
    line = (START, "CUSTOMER:v1:PREFERENCE", 3)
    running.wait_for({line})
    running.send(second, START, CALLS[0])
    running.producer.flush(30)
    deadline = time.monotonic() + 20
    while running.metric("report_records_late_total") < 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert running.metric("report_records_late_total") == 1
    assert running.metric("report_records_malformed_total") == 1
    with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/ready", timeout=5) as reply:
        assert reply.status == 200
    assert f'"topic":"{first[0]}","partition":{first[1]},"offset":3' in running.log()
    assert running.records() == [line]
    assert running.end(signal.SIGTERM) == 0
    assert running.lines() == [line]


@pytest.mark.parametrize("running", [{"WINDOW_IDLE_SECONDS": "2", "WINDOW_GRACE_SECONDS": "0"}], indirect=True)
def test_killed_between_topic_and_line_it_writes_the_same_line_later(running: Running) -> None:
    """Held there by a pipe that is full; what comes to the closed window meanwhile must not change its line."""
    reading, writing = os.pipe()
    os.write(writing, b"x" * fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ))
    running.start(writing)
    first, second, *_ = running.places
    running.send(first, START, CALLS[0])
    running.producer.flush(30)
    line = (START, "CUSTOMER:v1:PREFERENCE", 1)
    deadline = time.monotonic() + 30
    while not running.records() and time.monotonic() < deadline:
        time.sleep(0.1)
    running.end(signal.SIGKILL)
    os.close(writing)
    os.close(reading)
    running.send(second, START, CALLS[0])
    running.send(first, START, CALLS[0])
    running.producer.flush(30)
    running.start()
    running.wait_for({line})
    time.sleep(3)
    assert running.end(signal.SIGTERM) == 0
    assert running.lines() == [line]
    assert running.records() == [line]


def test_a_report_that_kafka_refuses_comes_once_it_does_not(running: Running) -> None:
    running.aggregated = f"{running.name}-refused"
    running.broker.create_topic(running.aggregated, PARTITIONS)
    running.broker.add_acls(f"{running.name}-reader", "topic", running.aggregated, ["Describe"])
    running.environment["KAFKA_TOPIC"] = running.aggregated
    running.start()
    for place in running.places:
        running.send(place, START, CALLS[0])
        running.send(place, START + 2 * SIZE, CALLS[0])
    running.producer.flush(30)
    running.wait_until(lambda: running.ready() == (503, "Kafka refuses the report: TOPIC_AUTHORIZATION_FAILED\n"))
    assert "TOPIC_AUTHORIZATION_FAILED" in running.log()
    assert running.metric('report_errors_total{error="TOPIC_AUTHORIZATION_FAILED"}') >= 1
    assert running.lines() == []
    running.broker.add_acls(f"{running.name}-reader", "topic", running.aggregated, ["Write"])
    line = (START, "CUSTOMER:v1:PREFERENCE", len(running.places))
    running.wait_for({line})
    running.wait_until(lambda: running.ready()[0] == 200)
    assert running.end(signal.SIGTERM) == 0
    assert running.lines() == [line]
    assert running.records() == [line]


LIVE = {"WINDOW_SECONDS": "2", "WINDOW_GRACE_SECONDS": "0.5", "WINDOW_IDLE_SECONDS": "2.5"}


def now() -> int:
    return int(time.time() * 1000)


@pytest.mark.parametrize("running", [NEVER_IDLE], indirect=True)
def test_one_record_with_long_fields_is_no_call_and_keeps_no_other_from_the_report(running: Running) -> None:
    running.start()
    for place in running.places:
        running.send(place, START, CALLS[0])
    long = json.dumps({"origin": "CUSTOMER", "originVersion": "v" * 990_000, "destination": "PREFERENCE"}).encode()
    running.send(running.places[0], START, long)
    for place in running.places:
        running.send(place, START + 2 * SIZE, CALLS[0])
    running.producer.flush(30)
    line = (START, "CUSTOMER:v1:PREFERENCE", len(running.places))
    running.wait_for({line})
    assert running.ready()[0] == 200
    assert running.metric("report_records_malformed_total") == 1
    assert running.records() == [line]


@pytest.mark.parametrize("running", [NEVER_IDLE], indirect=True)
def test_a_window_count_that_the_topic_refuses_is_left_out_and_reported(running: Running) -> None:
    """The others of its window come, also after a restart; the pod is unready until a window is taken as a whole."""
    running.aggregated = f"{running.name}-narrow"
    running.broker.create_topic(running.aggregated, PARTITIONS, {"max.message.bytes": "450"})
    running.broker.add_acls(f"{running.name}-reader", "topic", running.aggregated, ["Write", "Describe"])
    running.environment["KAFKA_TOPIC"] = running.aggregated
    running.start()
    long = "L" * 63
    for place in running.places:
        for value in (CALLS[0], CALLS[1], call(long, long)):
            running.send(place, START, value)
        running.send(place, START + 2 * SIZE, CALLS[0])
    running.producer.flush(30)
    count = len(running.places)
    good = {(START, "CUSTOMER:v1:PREFERENCE", count), (START, "PREFERENCE:v1:RECOMMENDATION", count)}
    poison = (START, f"{long}:v1:{long}", count)
    running.wait_for({*good, poison})
    running.wait_until(lambda: running.ready() == (503, "Kafka refuses window counts for good: MSG_SIZE_TOO_LARGE\n"))
    assert running.metric("report_groups_parked_total") == 1
    assert running.metric('report_errors_total{error="MSG_SIZE_TOO_LARGE"}') == 1
    assert long in running.log()
    assert set(running.records()) == good
    assert running.end(signal.SIGKILL)
    running.start()
    for place in running.places:
        running.send(place, START + 4 * SIZE, CALLS[0])
    running.producer.flush(30)
    after = (START + 2 * SIZE, "CUSTOMER:v1:PREFERENCE", count)
    running.wait_for({*good, poison, after})
    running.wait_until(lambda: running.ready()[0] == 200)
    assert sorted(running.records()) == sorted({*good, after})


@pytest.mark.parametrize("running", [LIVE], indirect=True)
def test_a_record_ahead_of_now_does_not_silence_the_report(running: Running) -> None:
    """Kafka lets nearly an hour pass."""
    running.start()
    sent = 0
    for step in range(60):
        for place in running.places[1:]:
            running.send(place, now(), CALLS[0])
            sent += 1
        if step % 10 == 0:
            running.send(running.places[0], now() + 3_500_000, CALLS[0])
        running.producer.flush(30)
        time.sleep(0.1)
    running.wait_until(lambda: len(running.lines_of(2_000)) >= 3)
    running.wait_until(lambda: sum(count for _, _, count in running.lines_of(2_000)) == sent)
    assert running.metric("report_records_ahead_total") == 6
    assert running.metric("report_records_late_total") == 0
    assert running.log().count("ahead of the clock") == 1
    assert running.ready()[0] == 200


@pytest.mark.parametrize("running", [LIVE], indirect=True)
def test_a_writer_that_stays_in_the_past_does_not_silence_the_report(running: Running) -> None:
    running.start()
    for _ in range(80):
        running.send(running.places[0], 1, CALLS[0])
        running.send(running.places[1], now(), CALLS[1])
        running.producer.flush(30)
        time.sleep(0.1)
        if "PREFERENCE:v1:RECOMMENDATION" in {key for _, key, _ in running.lines_of(2_000)}:
            return
    raise AssertionError(running.log())


def test_a_writer_counts_for_nobody_but_itself(running: Running) -> None:
    running.environment["KAFKA_WRITERS"] = f"{running.topics[0]}=customer,{running.topics[1]}=preference"
    running.environment |= NEVER_IDLE
    running.start()
    customer, preference, other = (place for place in running.places if place[1] == 0)
    for at in (START, START + 2 * SIZE):
        for place, value in ((customer, CALLS[0]), (customer, CALLS[1]), (preference, CALLS[1]), (other, CALLS[2])):
            running.send(place, at, value)
    for place in running.places:
        running.send(place, START + 2 * SIZE, CALLS[1] if place[0] == preference[0] else CALLS[0])
    running.producer.flush(30)
    running.wait_for(
        {
            (START, "CUSTOMER:v1:PREFERENCE", 1),
            (START, "PREFERENCE:v1:RECOMMENDATION", 1),
            (START, "RECOMMENDATION:v1:", 1),
        }
    )
    assert running.metric("report_records_foreign_total") == 2


def test_goes_on_after_kafka_was_away(broker: Broker, tmp_path: Path) -> None:
    running = Running(broker, tmp_path, "away")
    running.start()
    try:
        for place in running.places:
            running.send(place, START, CALLS[0])
        running.producer.flush(30)
        deadline = time.monotonic() + 20
        while "listening" not in running.log() and time.monotonic() < deadline:
            time.sleep(0.1)
        while running.metric("report_records_total") < len(running.places) and time.monotonic() < deadline:
            time.sleep(0.1)
        broker.kill()
        time.sleep(3)
        broker.start()
        for place in running.places:
            running.send(place, START + 2 * SIZE, CALLS[0])
        running.producer.flush(30)
        line = (START, "CUSTOMER:v1:PREFERENCE", len(running.places))
        running.wait_for({line})
        assert running.records() == [line]
        assert running.end(signal.SIGTERM) == 0
    finally:
        running.end(signal.SIGKILL)


def test_a_faulty_environment_is_told_in_one_line_a_fault() -> None:
    settings = {"WINDOW_SECONDS": "0", "REPORT_FORMAT": "xml", "KAFKA_TOPICS": "a b", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "services", "consumer"]
    found = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    told = {line.split(" ")[1] for line in found.stderr.splitlines()}
    assert told == {
        "KAFKA_TOPICS",
        "KAFKA_BOOTSTRAP_SERVER",
        "KAFKA_USER_NAME",
        "KAFKA_PASSWORD",
        "KAFKA_GROUP_ID",
        "WINDOW_SECONDS",
        "REPORT_FORMAT",
    }
