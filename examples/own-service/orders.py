"""Writes an order a second to Kafka until it is told to end."""

import json
import os
import signal
import threading

from confluent_kafka import KafkaError, Message, Producer

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
    print(error or f"written to {message.topic()} at {message.partition()}:{message.offset()}", flush=True)


number = 0
while not ended.wait(1):
    number += 1
    producer.produce(os.environ["KAFKA_TOPIC"], json.dumps({"order": number}), on_delivery=told)
    producer.poll(0)
producer.flush()
