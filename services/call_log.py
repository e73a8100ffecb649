"""Logs calls to Kafka, without delaying them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer
from opentelemetry.context import Context, get_current
from prometheus_client import CollectorRegistry, Counter, Gauge

from services.outage import Outage
from services.settings import CallLogging
from services.tracing import kafka_headers

_LOG: Final = logging.getLogger(__name__)

_LINGER: Final = 250
"""Milliseconds that a record waits for others to go with it: at most four requests a second, however many calls."""

_BATCH_BYTES: Final = 131_072
"""Bytes of records that are sent together: a topic of the stack takes twice as many."""

_QUIET: Final = 5.0
"""Seconds without an error after which a client that is connected counts as well again. It retries every second."""

_UNREACHABLE: Final = "unreachable"
_REFUSED: Final = "refused"


class _Broker(msgspec.Struct):
    state: str


class _Statistics(msgspec.Struct):
    """The used fields of librdkafka's statistics (STATISTICS.md)."""

    brokers: dict[str, _Broker]


_STATISTICS: Final = msgspec.json.Decoder(_Statistics)


def configuration(settings: CallLogging) -> dict[str, Any]:
    """Return librdkafka's configuration: no record is dropped or duplicated, and the buffer is bounded.

    All brokers stay connected, so that a password can be replaced while a process with the old one has records left.
    """
    return {
        **settings.login.client(),
        "enable.idempotence": True,
        "acks": "all",
        "message.timeout.ms": 0,
        "topic.metadata.propagation.max.ms": 3_600_000,
        "queue.buffering.max.messages": settings.buffer,
        "linger.ms": _LINGER,
        "batch.size": _BATCH_BYTES,
        # Java's clients choose the partition of a key so.
        "partitioner": "murmur2_random",
        "enable.sparse.connections": False,
        "reconnect.backoff.max.ms": 1000,
        "statistics.interval.ms": 500,
        "delivery.report.only.error": True,
        # What matters comes by callback, and is logged as everything else is.
        "log_level": 0,
    }


class CallLog:
    """Sends records to a topic from a bounded buffer.

    All methods return at once (``close`` excepted) and are to be called by one thread. Trouble is logged once while it
    lasts, and counted:
    ``kafka_records_delivered_total``, ``_lost_total`` (refused by Kafka for good), ``_dropped_total`` (the buffer was
    full), ``_buffered``.
    """

    def __init__(
        self,
        settings: CallLogging,
        registry: CollectorRegistry,
        new_client: Callable[[dict[str, Any]], Any] = Producer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.topic = settings.topic
        self.logged_in = False
        """Whether the login to Kafka has succeeded since the start."""
        self._settings = settings
        self._new_client = new_client
        self._clock = clock
        self._connection, self._delivery, self._overflow = Outage(), Outage(), Outage()
        self._last_error = 0.0
        self._is_broken = False
        self._new: list[tuple[bytes, bytes, int, Context]] = []
        self._waiting = 0
        self._delivered = Counter("kafka_records_delivered", "Records that Kafka has", registry=registry)
        self._lost = Counter("kafka_records_lost", "Records that Kafka refused for good", registry=registry)
        self._dropped = Counter("kafka_records_dropped", "Records that found the buffer full", registry=registry)
        buffered = Gauge("kafka_records_buffered", "Records that wait for Kafka", registry=registry)
        buffered.set_function(lambda: self._waiting)
        self._client = self._connect()

    def _connect(self) -> Any:
        return self._new_client(
            configuration(self._settings) | {"error_cb": self._on_error, "stats_cb": self._on_statistics}
        )

    def send(self, key: bytes, value: bytes) -> None:
        """Send a record that belongs to the current span: the next ``poll`` hands it to the client.

        So a reply does not wait for that either, and a hundred records cost less together than one by one.
        """
        self._new.append((key, value, round(time.time() * 1000), get_current()))

    def poll(self) -> None:
        """Hand new records to the client, and serve its callbacks; to be called several times a second."""
        self._hand_over()
        self._client.poll(0)
        if self._is_broken:
            self._is_broken = False
            self._client.purge()
            self._client.poll(0)
            self._client = self._connect()
        # The client's length is that of its buffer and of the callbacks that came since.
        delivered = self._waiting - len(self._client)
        if delivered > 0:
            self._delivered.inc(delivered)
            self._waiting -= delivered
            self._delivery.ends()
        if not self._waiting and self._overflow.ends():
            _LOG.info("the buffer for Kafka is empty again")

    def _hand_over(self) -> None:
        for key, value, timestamp, context in self._new:
            try:
                self._client.produce(
                    self.topic,
                    value=value,
                    key=key,
                    headers=kafka_headers(context),
                    timestamp=timestamp,
                    on_delivery=self._on_failure,
                )
            except BufferError:
                self._dropped.inc()
                if self._overflow.begins("full"):
                    _LOG.error(
                        "the buffer for Kafka is full: records are dropped until it is reached",
                        extra={"fields": {"topic": self.topic, "records": self._settings.buffer}},
                    )
            except KafkaException as error:
                self._lose(error.args[0])
            else:
                self._waiting += 1
        self._new.clear()

    def close(self, seconds: float) -> None:
        """Send buffered records for at most so many seconds; the rest is lost, and logged."""
        self._hand_over()
        left = min(self._client.flush(max(seconds, 0)), self._waiting)
        if left:
            _LOG.error("records did not reach Kafka in time", extra={"fields": {"records": left}})

    def _on_failure(self, error: KafkaError, _message: Any) -> None:
        self._waiting -= 1
        self._lose(error)

    def _lose(self, error: KafkaError) -> None:
        self._lost.inc()
        if self._delivery.begins(error.name()):
            _LOG.error(
                "Kafka does not take records",
                extra={"fields": {"topic": self.topic, "error": error.name(), "reason": error.str()}},
            )

    def _on_error(self, error: KafkaError) -> None:
        self._last_error = self._clock()
        fields = {"bootstrap": self._settings.login.bootstrap, "error": error.name(), "reason": error.str()}
        if error.fatal():
            # It would refuse all that comes (librdkafka's INTRODUCTION.md, "Fatal errors").
            self._is_broken = True
            _LOG.error("the Kafka client has failed for good: another one takes over", extra={"fields": fields})
        elif error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001 a public constant
            if self._connection.begins(_REFUSED):
                fields["user"] = self._settings.login.user
                _LOG.error("Kafka refuses the login: it is tried again until it succeeds", extra={"fields": fields})
        elif self._connection.begins(_UNREACHABLE, _REFUSED):
            _LOG.warning("Kafka is not reached: records wait", extra={"fields": fields})

    def _on_statistics(self, text: str) -> None:
        brokers = _STATISTICS.decode(text).brokers.values()
        if any(broker.state == "UP" for broker in brokers):
            self.logged_in = True
            if self._clock() - self._last_error > _QUIET and self._connection.ends():
                _LOG.info("Kafka is reached again")
