"""Reads calls from Kafka and reports them: to a topic, in a transaction with the offsets, and as lines of text.

The committed offsets and their metadata are the only state: after a kill or an error of Kafka the consumer starts again
from there. The process is not ready while a permanent error lasts. A window count that the topic refuses for good is
still written as a line; the log and a metric report it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Final, cast

from confluent_kafka import OFFSET_END as END
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import ClusterMetadata
from prometheus_client import CollectorRegistry, Counter, Gauge

from services.batches import read
from services.checkpoint import Checkpoint
from services.direct import Address, Direct
from services.outage import Outage
from services.report import Now, Place, Reason, Record, Report, Skipped, Windows
from services.settings import Login
from services.window_count import WindowCount

_LOG: Final = logging.getLogger(__name__)

_BATCH: Final = 10_000
_TURN: Final = 0.2
"""Seconds to wait for a record."""

_FETCH_BYTES: Final = 262_144
"""Bytes to fetch from a broker at once: those of records of a few bytes take fifty times as many here."""

_QUEUE: Final = 50_000
"""Records that may wait here before more are fetched."""

_DIRECT_TURN: Final = 0.5
"""Seconds to read a partition directly before the others have their turn."""

_ASKING: Final = 1.0
"""Seconds between two questions where the partitions end, and between two attempts to begin."""

_MOST: Final = 16.0
"""Seconds between two attempts after an error that does not go away by itself; it doubles until then."""

_PATIENCE: Final = 10.0
"""Seconds that Kafka gets to answer."""

_BATCH_BYTES: Final = 16_384
"""Bytes of a batch of window counts: fewer than the limit of any topic in practice (1 MiB by default)."""

REFUSALS: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.INVALID_MSG,
    }
)
"""What a broker says to a record that it will never take."""

_LOGIN: Final = {
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError._AUTHENTICATION,  # noqa: SLF001 a public constant
}

_UNREADABLE: Final = frozenset(
    {
        KafkaError._BAD_COMPRESSION,  # noqa: SLF001 a public constant, as those below
        KafkaError._BAD_MSG,  # noqa: SLF001
        KafkaError._NOT_IMPLEMENTED,  # noqa: SLF001
        KafkaError.MSG_SIZE_TOO_LARGE,
    }
)
"""What librdkafka says of a batch that it does not get past."""

PERMANENT: Final = (
    REFUSALS
    | _LOGIN
    | {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.POLICY_VIOLATION,
        KafkaError.OFFSET_METADATA_TOO_LARGE,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.UNSUPPORTED_VERSION,
    }
)
"""What somebody has to repair, here or in Kafka, before it goes on."""


class _During(Enum):
    """What Kafka refuses."""

    LOGIN = "login"
    READING = "reading"
    REPORTING = "reporting"


_SKIPPED: Final[Mapping[Reason, str]] = {
    Reason.LATE: "Records of windows that were closed",
    Reason.MALFORMED: "Records that are no calls",
    Reason.FOREIGN: "Records of services that are not declared to write the topic",
    Reason.AHEAD: "Records from a time ahead of the clock here",
    Reason.CROWDED: "Records of more kinds than are counted",
    Reason.UNREADABLE: "Records of batches that cannot be read",
}


@dataclass(frozen=True)
class Reporting:
    """What to read, how to count it, and where to report. Without a ``topic`` there are lines alone."""

    login: Login
    topics: tuple[str, ...]
    group: str
    topic: str | None
    transactional_id: str
    windows: Windows
    line: Callable[[WindowCount], bytes]
    writers: Mapping[str, Collection[str]] | None = None
    """Origins that may be in a topic; any in one that is not named."""


class Reporter:
    """Reports until it is told to stop. ``run`` blocks; all else may be called from other threads meanwhile.

    Each window count goes into the topic exactly once, for readers of committed records. Its line is written after
    that. A process that is killed before it commits the print writes the same line again, counted from the same
    records. No line is lost as long as Kafka keeps the records.
    """

    def __init__(self, settings: Reporting, registry: CollectorRegistry, write: Callable[[bytes], object]) -> None:
        """:param write: writes a line, at once."""
        self._settings = settings
        self._write = write
        self._stopping = threading.Event()
        self._report = Report(settings.windows, settings.writers)
        self._outage = Outage()
        self._direct = Direct(settings.login, _PATIENCE, _FETCH_BYTES)
        self._read_directly: set[Place] = set()
        self._leaders: dict[Place, Address] = {}
        self._told: set[tuple[str, Reason]] = set()
        self._asked = 0.0
        self._logged_in = False
        self._refusals: dict[_During, str] = {}
        self._records = Counter("report_records", "Records read", registry=registry)
        self._skipped = {
            reason: Counter(f"report_records_{reason.value}", what, registry=registry)
            for reason, what in _SKIPPED.items()
        }
        self._reported = Counter("report_groups", "Groups reported", registry=registry)
        self._parked = Counter("report_groups_parked", "Groups that the topic refused for good", registry=registry)
        self._errors = Counter("report_errors", "Errors of Kafka's", ["error"], registry=registry)
        open_windows = Gauge("report_windows_open", "Windows with calls that are not closed", registry=registry)
        open_windows.set_function(lambda: self._report.open_windows)

    @property
    def obstacle(self) -> str:
        """What keeps it from reporting until somebody repairs it; empty if nothing does, or Kafka is just away."""
        if not self._logged_in:
            return "not logged in to Kafka yet"
        return "; ".join(self._refusals.copy().values())

    def stop(self) -> None:
        """Make ``run`` return."""
        self._stopping.set()

    def run(self) -> None:
        """Report until ``stop``."""
        pause = _ASKING
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._run()
            except KafkaException as error:
                self._note(error.args[0])
                # An attempt that lasted was none that failed at once.
                pause = min(2 * pause, _MOST) if self._refusals and time.monotonic() - began < _MOST else _ASKING
                self._stopping.wait(pause)

    def _run(self) -> None:
        # First: it ends the transaction of a process before this one, which decides what is committed.
        producer = self._new_producer() if self._settings.topic else None
        consumer = self._new_consumer()
        try:
            while not self._stopping.is_set():
                self._take(consumer, _next(consumer))
                if self._ask(consumer):
                    # A partition of a broker that was away may be fetched no more (seen after FENCED_LEADER_EPOCH):
                    # new clients go on from the commit.
                    return
                self._close(consumer, producer)
        finally:
            self._direct.close()
            consumer.close()

    def _new_producer(self) -> Producer:
        producer = Producer(
            {
                **self._settings.login.client(),
                "transactional.id": self._settings.transactional_id,
                # Java's clients choose the partition of a key so.
                "partitioner": "murmur2_random",
                "batch.size": _BATCH_BYTES,
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
                "message.max.bytes": _FETCH_BYTES,
                "fetch.max.bytes": _FETCH_BYTES,
                "fetch.message.max.bytes": _FETCH_BYTES,
                "queued.min.messages": _QUEUE,
                "queued.max.messages.kbytes": 16_384,
                "fetch.queue.backoff.ms": 5,
                # Calls in a partition that is new must be seen before their windows close.
                "topic.metadata.refresh.interval.ms": 10_000,
                "log_level": 0,
                "error_cb": self._note,
            }
        )
        self._leaders = _leaders(consumer.list_topics(timeout=_PATIENCE))
        self._logged_in = True
        consumer.subscribe(list(self._settings.topics), on_assign=self._on_assign, on_revoke=self._on_revoke)
        return consumer

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        committed = consumer.committed(partitions, timeout=_PATIENCE)
        found: dict[Place, Checkpoint] = {}
        for partition in committed:
            if partition.error:
                raise KafkaException(partition.error)
            if partition.offset >= 0:
                known = Checkpoint.parse(partition.offset, partition.metadata)
            else:
                # What comes first is known by its offset alone, and that a writer may have made up.
                first, _ = consumer.get_watermark_offsets(partition, _PATIENCE, cached=False)
                known = Checkpoint(first, position=first)
            found[partition.topic, partition.partition] = known
        self._report.assign(found, time.monotonic())
        self._refusals.pop(_During.READING, None)
        consumer.assign([_position(place, checkpoint) for place, checkpoint in found.items()])
        for place in self._read_directly.intersection(found):
            consumer.pause([TopicPartition(*place)])
            self._report.distrust(place, time.monotonic())

    def _on_revoke(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self._report.assign({}, time.monotonic())

    def _take(self, consumer: Consumer, messages: list[Message]) -> None:
        if self._read_directly:
            messages = [message for message in messages if _place(message) not in self._read_directly]
        records = [message for message in messages if message.error() is None]
        skipped = self._report.take(cast(list[Record], records), _now())
        self._records.inc(len(records) - skipped.astray_records)
        self._note_skipped(skipped)
        for place in skipped.astray:
            self._leave_librdkafka(consumer, place)
        if len(records) < len(messages):
            for message in messages:
                if (error := message.error()) is not None:
                    self._note_end(consumer, message, error)

    def _note_skipped(self, skipped: Skipped) -> None:
        for kind, count in skipped.counts.items():
            topic, reason = kind
            self._skipped[reason].inc(count)
            if kind not in self._told and reason is not Reason.LATE:
                self._told.add(kind)
                partition, offset = skipped.first[kind]
                where = {
                    "topic": topic,
                    "partition": partition,
                    "offset": offset,
                    "metric": f"report_records_{reason.value}",
                }
                _LOG.warning("%s: such records are skipped", _SKIPPED[reason], extra={"fields": where})

    def _note_end(self, consumer: Consumer, message: Message, error: KafkaError) -> None:
        place = _place(message)
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 a public constant
            offset = message.offset()
            if place not in self._read_directly and offset is not None:
                self._report.read_to(place, offset)
        elif error.code() in _UNREADABLE and place in self._leaders:
            self._leave_librdkafka(consumer, place)
        elif error.fatal():
            raise KafkaException(error)
        else:
            self._note(error)

    def _leave_librdkafka(self, consumer: Consumer, place: Place) -> None:
        """Read a partition directly from now on."""
        if place not in self._read_directly:
            self._read_directly.add(place)
            consumer.pause([TopicPartition(*place)])
            self._report.distrust(place, time.monotonic())
            where = {"topic": place[0], "partition": place[1]}
            _LOG.warning("a partition has batches that the Kafka client does not get past", extra={"fields": where})

    def _take_directly(self, consumer: Consumer, place: Place, seconds: float) -> None:
        if place not in self._leaders:
            self._leaders = _leaders(consumer.list_topics(timeout=_PATIENCE))
        if (leader := self._leaders.get(place)) is None:
            return
        turn = time.monotonic() + seconds
        first, end = consumer.get_watermark_offsets(TopicPartition(*place), _PATIENCE, cached=False)
        start = self._report.next(place)
        # A topic that was made anew ends earlier.
        position = first if start is None or start > end else max(start, first)
        while position < end:
            fetched = self._direct.fetch(leader, *place, position)
            batches = read(fetched.batches, place, position, fetched.aborted)
            skipped = self._report.take_batches(place, batches, _now())
            self._records.inc(len(batches.records))
            self._note_skipped(skipped)
            if batches.next == position or time.monotonic() > turn:
                return
            position = batches.next

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
            ends = {(found.topic, found.partition): found.offset for found in answer if not found.error}
            self._report.ends(ends, time.monotonic())
            for place in self._report.stalled(time.monotonic()):
                self._leave_librdkafka(consumer, place)
            for place in self._read_directly.intersection(ends):
                self._take_directly(consumer, place, _DIRECT_TURN / len(self._read_directly))
            self._refusals.pop(_During.LOGIN, None)
            again = self._outage.ends()
            if again:
                _LOG.info("Kafka answers again")
        self._asked = time.monotonic()
        return again

    def _close(self, consumer: Consumer, producer: Producer | None) -> None:
        closing = self._report.close(_now())
        if closing is None:
            return
        if not closing.is_recount:
            try:
                self._commit(consumer, producer, closing.window_counts)
            except KafkaException as error:
                if error.args[0].code() in PERMANENT:
                    self._refusals[_During.REPORTING] = f"Kafka refuses the report: {error.args[0].name()}"
                raise
        for window_count in closing.window_counts:
            self._write(self._settings.line(window_count) + b"\n")
        self._reported.inc(len(closing.window_counts))
        self._report.printed()
        self._commit(consumer, producer, ())

    def _commit(self, consumer: Consumer, producer: Producer | None, window_counts: Sequence[WindowCount]) -> None:
        """Commit what was read, and window counts with it, but for those that the topic refuses for good."""
        offsets = [_position(place, checkpoint) for place, checkpoint in self._report.checkpoints().items()]
        if producer is None:
            consumer.commit(offsets=offsets, asynchronous=False)
            return
        parked: dict[WindowCount, KafkaError] = {}
        commit = partial(self._end, consumer, producer, offsets)
        abort = partial(producer.abort_transaction, _PATIENCE)
        if self._sent(producer, window_counts, commit):
            # A broker refuses a batch as a whole, whichever of its records it does not take.
            for window_count in window_counts:
                parked |= self._sent(producer, [window_count], abort)
            taken = [window_count for window_count in window_counts if window_count not in parked]
            if refused := self._sent(producer, taken, commit, one_by_one=True):
                raise KafkaException(next(iter(refused.values())))
        for window_count, error in parked.items():
            self._parked.inc()
            self._errors.labels(error.name()).inc()
            fields = {"topic": self._settings.topic, "error": error.name(), "windowCount": window_count.text()}
            _LOG.error(
                "The topic refuses a window count for good: its line is written, and no record",
                extra={"fields": fields},
            )
        if parked:
            names = ", ".join(sorted({error.name() for error in parked.values()}))
            self._refusals[_During.REPORTING] = f"Kafka refuses window counts for good: {names}"
        elif window_counts:
            self._refusals.pop(_During.REPORTING, None)

    def _end(self, consumer: Consumer, producer: Producer, offsets: list[TopicPartition]) -> None:
        producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), _PATIENCE)
        producer.commit_transaction(_PATIENCE)

    def _sent(
        self,
        producer: Producer,
        window_counts: Iterable[WindowCount],
        end: Callable[[], object],
        *,
        one_by_one: bool = False,
    ) -> dict[WindowCount, KafkaError]:
        """Send window counts in one transaction and end it; if the topic refuses some, abort it and return them.

        :param one_by_one: send each in a batch of its own, none after one that is refused.
        """
        refused: dict[WindowCount, KafkaError] = {}

        def noting(window_count: WindowCount) -> Callable[[KafkaError | None, Any], None]:
            def note(error: KafkaError | None, _: Any) -> None:
                if error is not None and error.code() in REFUSALS:
                    refused[window_count] = error

            return note

        producer.begin_transaction()
        try:
            for window_count in window_counts:
                producer.produce(
                    str(self._settings.topic),
                    window_count.json(),
                    window_count.key.encode(),
                    timestamp=window_count.start,
                    on_delivery=noting(window_count),
                )
                if one_by_one:
                    producer.flush(_PATIENCE)
            producer.flush(_PATIENCE)
            if not refused:
                end()
        except KafkaException:
            if not refused:
                raise
        if refused:
            producer.abort_transaction(_PATIENCE)
        return refused

    def _note(self, error: KafkaError) -> None:
        self._errors.labels(error.name()).inc()
        fields = {"error": error.name(), "reason": error.str()}
        if error.code() in PERMANENT:
            during = _During.LOGIN if error.code() in _LOGIN else _During.READING
            if _During.REPORTING not in self._refusals:
                self._refusals[during] = f"Kafka refuses: {error.name()}"
            if self._outage.begins(error.name()):
                _LOG.error("Kafka refuses: somebody has to repair it; it is tried again", extra={"fields": fields})
        elif self._outage.begins(error.name()):
            _LOG.warning("Kafka fails: it is tried again until it does not", extra={"fields": fields})


def _now() -> Now:
    return Now(time.monotonic(), round(time.time() * 1000))


def _next(consumer: Consumer) -> list[Message]:
    """Return what has come, once something has: to wait for more would take all that comes meanwhile, however large."""
    found = consumer.consume(1, _TURN)
    return found + consumer.consume(_BATCH - 1, 0) if found else found


def _place(message: Message) -> Place:
    return str(message.topic()), cast(int, message.partition())


def _leaders(cluster: ClusterMetadata) -> dict[Place, Address]:
    brokers = {broker.id: (str(broker.host), broker.port) for broker in cluster.brokers.values()}
    return {
        (str(topic.topic), partition.id): brokers[partition.leader]
        for topic in cluster.topics.values()
        for partition in topic.partitions.values()
        if partition.leader in brokers
    }


def _position(place: Place, checkpoint: Checkpoint) -> TopicPartition:
    return TopicPartition(*place, checkpoint.offset, checkpoint.metadata())
