"""Reads calls from Kafka and reports them: to a topic, in a transaction with the offsets, and as lines of text.

What was read, and what is closed, is kept in the committed offsets and their metadata alone: all trouble, a kill as
well as an error of Kafka's, is met by beginning again from there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, cast

from confluent_kafka import OFFSET_END as END
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from prometheus_client import CollectorRegistry, Counter, Gauge

from services.checkpoint import Checkpoint
from services.group import Group
from services.outage import Outage
from services.report import Place, Record, Report, Windows
from services.settings import Login

_LOG: Final = logging.getLogger(__name__)

_BATCH: Final = 10_000
_TURN: Final = 0.2
"""Seconds to wait for a batch to fill."""

_ASKING: Final = 1.0
"""Seconds between two questions where the partitions end, and between two attempts to begin."""

_PATIENCE: Final = 10.0
"""Seconds that Kafka gets to answer."""


@dataclass(frozen=True)
class Reporting:
    """What to read, how to count it, and where to report. Without a ``topic`` there are lines alone."""

    login: Login
    topics: tuple[str, ...]
    group: str
    topic: str | None
    transactional_id: str
    windows: Windows
    line: Callable[[Group], bytes]


class Reporter:
    """Reports until it is told to stop. ``run`` blocks; all else may be called from other threads meanwhile.

    Each group of a closed window goes into the topic exactly once, for those who read committed records. Its line is
    written after that, and once more if the process is killed before that is committed in turn: then it is the same
    line, for it is counted from the same records. No line is lost, as long as Kafka keeps the records.
    """

    def __init__(self, settings: Reporting, registry: CollectorRegistry, write: Callable[[bytes], object]) -> None:
        """:param write: writes a line, at once."""
        self.logged_in = False
        """Whether the login to Kafka has succeeded since the start."""
        self._settings = settings
        self._write = write
        self._stopping = threading.Event()
        self._report = Report(settings.windows)
        self._outage = Outage()
        self._asked = 0.0
        self._records = Counter("report_records", "Records read", registry=registry)
        self._late = Counter("report_records_late", "Records of windows that were closed", registry=registry)
        self._malformed = Counter("report_records_malformed", "Records that are no calls", registry=registry)
        self._groups = Counter("report_groups", "Groups reported", registry=registry)
        open_windows = Gauge("report_windows_open", "Windows with calls that are not closed", registry=registry)
        open_windows.set_function(lambda: self._report.open_windows)

    def stop(self) -> None:
        """Make ``run`` return."""
        self._stopping.set()

    def run(self) -> None:
        """Report until ``stop``."""
        while not self._stopping.is_set():
            try:
                self._run()
            except KafkaException as error:
                self._note(error.args[0])
                self._stopping.wait(_ASKING)

    def _run(self) -> None:
        # First: it ends the transaction of a process before this one, which decides what is committed.
        producer = self._new_producer() if self._settings.topic else None
        consumer = self._new_consumer()
        try:
            while not self._stopping.is_set():
                self._take(consumer.consume(_BATCH, _TURN))
                if self._ask(consumer):
                    # A partition of a broker that was away may be fetched no more (seen after FENCED_LEADER_EPOCH):
                    # new clients go on from the commit.
                    return
                self._close(consumer, producer)
        finally:
            consumer.close()

    def _new_producer(self) -> Producer:
        producer = Producer(
            {
                **self._settings.login.client(),
                "transactional.id": self._settings.transactional_id,
                # Java's clients choose the partition of a key so.
                "partitioner": "murmur2_random",
                "log_level": 0,
                "error_cb": self._note,
            }
        )
        producer.init_transactions(_PATIENCE)
        return producer

    def _new_consumer(self) -> Consumer:
        consumer = Consumer(
            {
                **self._settings.login.client(),
                "group.id": self._settings.group,
                # A member that comes back under this name has its partitions at once.
                "group.instance.id": self._settings.group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "queued.max.messages.kbytes": 16_384,
                "fetch.queue.backoff.ms": 20,
                # Calls in a partition that is new must be seen before their windows close.
                "topic.metadata.refresh.interval.ms": 10_000,
                "log_level": 0,
                "error_cb": self._note,
            }
        )
        consumer.list_topics(timeout=_PATIENCE)
        self.logged_in = True
        consumer.subscribe(list(self._settings.topics), on_assign=self._on_assign, on_revoke=self._on_revoke)
        return consumer

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        committed = consumer.committed(partitions, timeout=_PATIENCE)
        found: dict[Place, Checkpoint | None] = {}
        for partition in committed:
            if partition.error:
                raise KafkaException(partition.error)
            known = Checkpoint.parse(partition.offset, partition.metadata) if partition.offset >= 0 else None
            found[partition.topic, partition.partition] = known
        self._report.assign(found, time.monotonic())
        consumer.assign([_position(place, checkpoint) for place, checkpoint in found.items()])

    def _on_revoke(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self._report.assign({}, time.monotonic())

    def _take(self, messages: list[Message]) -> None:
        records = [message for message in messages if message.error() is None]
        taken = self._report.take(cast(list[Record], records), time.monotonic())
        self._records.inc(len(records))
        self._late.inc(taken.late)
        self._malformed.inc(len(taken.malformed))
        for (topic, partition), offset in taken.malformed:
            where = {"topic": topic, "partition": partition, "offset": offset}
            _LOG.warning("a record is no call: it is skipped", extra={"fields": where})
        if len(records) < len(messages):
            for message in messages:
                if (error := message.error()) is not None:
                    self._note_end(message, error)

    def _note_end(self, message: Message, error: KafkaError) -> None:
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 a public constant
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            assert topic is not None and partition is not None and offset is not None  # noqa: PT018
            self._report.read_to((topic, partition), offset)
        elif error.fatal():
            raise KafkaException(error)
        else:
            self._note(error)

    def _ask(self, consumer: Consumer) -> bool:
        """Ask where the partitions end, now and then: a partition is idle only as long as Kafka answers.

        Tell whether Kafka answers again, after it did not.
        """
        now = time.monotonic()
        assigned = consumer.assignment()
        if now - self._asked < _ASKING or not assigned:
            return False
        again = False
        question = [TopicPartition(partition.topic, partition.partition, END) for partition in assigned]
        try:
            answer = consumer.offsets_for_times(question, timeout=_PATIENCE)
        except KafkaException as error:
            self._report.unanswered(time.monotonic())
            self._note(error.args[0])
        else:
            self._report.ends({(found.topic, found.partition): found.offset for found in answer if not found.error})
            again = self._outage.ends()
            if again:
                _LOG.info("Kafka answers again")
        self._asked = time.monotonic()
        return again

    def _close(self, consumer: Consumer, producer: Producer | None) -> None:
        closing = self._report.close(time.monotonic())
        if closing is None:
            return
        if not closing.is_recount:
            self._commit(consumer, producer, closing.groups)
        for group in closing.groups:
            self._write(self._settings.line(group) + b"\n")
        self._groups.inc(len(closing.groups))
        self._report.printed()
        self._commit(consumer, producer, ())

    def _commit(self, consumer: Consumer, producer: Producer | None, groups: Iterable[Group]) -> None:
        offsets = [_position(place, checkpoint) for place, checkpoint in self._report.checkpoints().items()]
        if producer is None:
            consumer.commit(offsets=offsets, asynchronous=False)
            return
        producer.begin_transaction()
        for group in groups:
            producer.produce(str(self._settings.topic), group.json(), group.key.encode(), timestamp=group.start)
        producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), _PATIENCE)
        producer.commit_transaction(_PATIENCE)

    def _note(self, error: KafkaError) -> None:
        if self._outage.begins(error.name()):
            fields = {"error": error.name(), "reason": error.str()}
            _LOG.warning("Kafka fails: it is tried again until it does not", extra={"fields": fields})


def _position(place: Place, checkpoint: Checkpoint | None) -> TopicPartition:
    if checkpoint is None:
        return TopicPartition(*place)
    return TopicPartition(*place, checkpoint.offset, checkpoint.metadata())
