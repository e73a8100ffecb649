"""``python -m tools.benchmarks report``: the consumer against the article's own topology on Kafka Streams.

Both read the same records, 3 million of 3 topics with 10 partitions each, from a real broker on this machine, one after
the other, each in a process of its own. All records are of one window, so that none is late for either. Kafka Streams
(4.3.1, two threads, all else as it comes) runs on the Java of the lab; its source, in ``streams/``, is compiled here.

It groups and reduces; the consumer also counts, and writes its report to a topic in a transaction. What is compared
favours Kafka Streams: its seconds count from its first record to the last one that it reduced, those of the consumer
from the start of the process to its last line. CPU and peak memory are of the whole process until then.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from confluent_kafka import Producer

from lab import cache, files, maven
from lab.kafka import properties
from lab.kafka.broker import Broker
from lab.kafka.distribution import java
from lab.lab import ROOT
from lab.ports import free_ports

STREAMS: Final = Path(__file__).parent / "streams"
MAIN: Final = "CalledServices"
RECORDS: Final = 3_000_000
TOPICS: Final = (
    "demo-application-log-customer",
    "demo-application-log-preference",
    "demo-application-log-recommendation",
)
PARTITIONS: Final = 10
AGGREGATED: Final = "demo-application-log-aggregated"
ROUNDS: Final = 2
BUFFER: Final = 1_000_000
SPEED: Final = 4
MEMORY: Final = 250
"""Targets: times the records per second of Kafka Streams; MB."""

START: Final = (int(time.time()) // 86_400 - 1) * 86_400_000
"""A day ago: neither so old that the broker deletes it, nor in the future."""
WINDOW: Final = 300_000
CALLS: Final = (
    ("CUSTOMER", "PREFERENCE", "v1"),
    ("PREFERENCE", "RECOMMENDATION", "v1"),
    *(("RECOMMENDATION", None, version) for version in ("v1", "v2", "v3")),
)
"""Origin, destination and version."""


@dataclass(frozen=True)
class Measurement:
    """What a process took for all records: seconds, seconds of CPU, and its peak of resident memory in bytes."""

    seconds: float
    cpu: float
    memory: int

    @property
    def rate(self) -> float:
        """Records per second."""
        return RECORDS / self.seconds

    def row(self, what: str) -> str:
        """Return a row of the table."""
        return (
            f"{what:<16}{self.rate:10,.0f} records/s{self.seconds:8.1f} s{self.cpu:8.1f} CPU s"
            f"{self.memory / 1e6:7.0f} MB"
        )


def record(number: int) -> tuple[str, bytes]:
    """Return the topic and the value of a record: calls of all kinds in turn, as the services log them."""
    origin, destination, version = CALLS[number % len(CALLS)]
    comment = f"recommendation {version} from 'recommendation-{version}-6f9c7d58b4-x2x7p': {number}"
    found = {"origin": origin, "destination": destination, "originVersion": version, "comment": comment}
    topic = next(name for name in TOPICS if name.endswith(origin.lower()))
    return topic, json.dumps({name: value for name, value in found.items() if value}).encode()


def send(broker: Broker, prefix: str) -> None:
    """Create the topics of a round, and send all records of its window."""
    for topic in (*TOPICS, AGGREGATED):
        broker.create_topic(prefix + topic, PARTITIONS)
    producer = Producer(broker.client() | {"linger.ms": 50, "queue.buffering.max.messages": BUFFER})
    key = (1).to_bytes(4, "big")
    for number in range(RECORDS):
        topic, value = record(number)
        at = START + number * WINDOW // RECORDS
        partition = random.randrange(PARTITIONS)  # noqa: S311 no secret
        if number % 1000 == 0:
            while len(producer) > BUFFER // 2:
                producer.poll(0.1)
            producer.poll(0)
        producer.produce(prefix + topic, value, key, partition, timestamp=at)
    producer.flush()


def end_window(broker: Broker, prefix: str) -> None:
    """Send one call of every kind, of an hour later, to every partition: after them the window is closed."""
    producer = Producer(broker.client())
    for number in range(len(CALLS)):
        topic, value = record(number)
        for partition in range(PARTITIONS):
            producer.produce(prefix + topic, value, (1).to_bytes(4, "big"), partition, timestamp=START + 12 * WINDOW)
    producer.flush()


@contextmanager
def running(command: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a process whose lines are read, and end it."""
    tether = ["setpriv", "--pdeathsig", "KILL"]
    process = subprocess.Popen([*tether, *command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def taken(pid: int, seconds: float) -> Measurement:
    """Measure what a process has taken until now."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    return Measurement(seconds, cpu, peak * 1024)


def kafka_streams(broker: Broker, classes: Path, prefix: str, folder: Path) -> tuple[Measurement, set[str]]:
    """Measure Kafka Streams; return also the keys that it reported once the window was ended."""
    settings = {
        "application.id": f"{prefix}streams",
        "bootstrap.servers": broker.bootstrap,
        "num.stream.threads": "2",
        "auto.offset.reset": "earliest",
        "state.dir": str(folder / "state"),
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required"
        f' username="{broker.admin_user}" password="{broker.admin_password}";',
    }
    configuration = folder / "streams.properties"
    files.replace(configuration, properties.text(settings).encode())
    topics = ",".join(prefix + topic for topic in TOPICS)
    options = [
        "--enable-native-access=ALL-UNNAMED",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
        "-cp",
        f"{classes}:{classes}/jars/*",
        MAIN,
    ]
    command = [str(java()), *options, str(configuration), topics, str(RECORDS), str(len(CALLS))]
    with running(command, os.environ) as process:
        assert process.stdout is not None
        begun = done = 0
        for line in process.stdout:
            word, _, at = line.partition(" ")
            begun = int(at) if word == "BEGUN" else begun
            done = int(at) if word == "DONE" else done
            if done:
                break
        else:
            sys.exit("Kafka Streams ended before all records were reduced")
        found = taken(process.pid, (done - begun) / 1000)
        end_window(broker, prefix)
        # It reports what its cache gives out, which is when it commits: every 30 s.
        keys: set[str] = set()
        while len(keys) < len(CALLS):
            line = process.stdout.readline()
            keys.add(line.split("[")[2].split("@")[0])
    return found, keys


def consumer(broker: Broker, prefix: str) -> tuple[Measurement, dict[str, int]]:
    """Measure the consumer, once the window was ended; return also the counts that it reported."""
    environment = {
        **os.environ,
        "LISTEN_ADDRESS": "127.0.0.1",
        "PORT": str(free_ports()),
        "KAFKA_BOOTSTRAP_SERVER": broker.bootstrap,
        "KAFKA_USER_NAME": broker.admin_user,
        "KAFKA_PASSWORD": broker.admin_password,
        "KAFKA_TOPICS": ",".join(prefix + topic for topic in TOPICS),
        "KAFKA_TOPIC": prefix + AGGREGATED,
        "KAFKA_GROUP_ID": f"{prefix}consumer",
    }
    began = time.monotonic()
    counts: dict[str, int] = {}
    with running([sys.executable, "-m", "services", "consumer"], environment) as process:
        assert process.stdout is not None
        while len(counts) < len(CALLS):
            _, key, count = process.stdout.readline().split()
            counts[key] = int(count)
        return taken(process.pid, time.monotonic() - began), counts


def compiled(folder: Path) -> None:
    """Compile the topology, and put its jars beside it.

    :raises LabError: if one of the two fails.
    """
    maven.copy_dependencies(STREAMS / "pom.xml", folder / "jars")
    javac = shutil.which("javac")
    if javac is None:
        sys.exit("javac is not on PATH, and the topology is Java; install a JDK (Debian: default-jdk-headless)")
    maven.run([javac, "-cp", f"{folder}/jars/*", "-d", str(folder), str(STREAMS / f"{MAIN}.java")])


def main() -> None:
    """Measure both in turn, and print a table."""
    inputs = sorted(path for path in STREAMS.iterdir() if path.is_file())
    classes = cache.once(f"streams-{cache.key([], inputs)}", compiled)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, Broker(Path(name) / "broker") as broker:
        for number in range(ROUNDS):
            prefix = f"round-{number}-"
            send(broker, prefix)
            streams, keys = kafka_streams(broker, classes, prefix, Path(name))
            ours, counts = consumer(broker, prefix)
            assert set(counts) == keys, (counts, keys)
            assert sum(counts.values()) == RECORDS, counts
            print(streams.row("Kafka Streams"))
            target = f"   {ours.rate / streams.rate:.1f} times, at least {SPEED}; at most {MEMORY} MB"
            print(ours.row("consumer") + target, flush=True)
            broker.delete_topics(*(prefix + topic for topic in (*TOPICS, AGGREGATED)))
