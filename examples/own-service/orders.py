"""Writes an order a second to Kafka until it is told to end.

Files say how it is: ``/tmp/alive`` is touched with each order, ``/tmp/written`` is there once Kafka has one.
"""

import json
import os
import signal
import threading
from pathlib import Path

from confluent_kafka import KafkaError, Message, Producer

ALIVE, WRITTEN = Path("/tmp/alive"), Path("/tmp/written")
ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
producer = Producer(
    {
        "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVER"],
        "security.protocol": "SASL_PLAINTEXT",  # The sidecar's mutual TLS is around it.
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": os.environ["KAFKA_USER_NAME"],
        "sasl.password": os.environ["KAFKA_PASSWORD"],
        "enable.idempotence": True,
    }
)


def told(error: KafkaError | None, message: Message) -> None:
    """Say what has become of an order."""
    if error is None:
        WRITTEN.touch()
    print(error or f"written to {message.topic()} at {message.partition()}:{message.offset()}", flush=True)


number = 0
while not ended.wait(1):
    number += 1
    ALIVE.touch()
    producer.produce(os.environ["KAFKA_TOPIC"], json.dumps({"order": number}), on_delivery=told)
    producer.poll(0)
producer.flush()
