"""A broker whose disk is full: calls go on, and no record is lost or doubled once there is space again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shutil import disk_usage

import pytest

from lab.kafka.broker import Broker
from tests.services.running import Services
from tests.services.test_logging import Load, comments, logging_to

pytestmark = pytest.mark.lab


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of its own, of 64 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Write a file until there is no space left, and return it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert disk_usage(folder).free == 0
    return filler


def test_a_full_disk_of_the_broker_costs_no_call_and_no_record(services: Services, small_disk: Path) -> None:
    with Broker(small_disk / "broker") as broker:
        recommendation = services.start("recommendation", **logging_to(broker, "full"))
        recommendation.wait_for("ready")
        with Load(recommendation) as load:
            recommendation.wait_for_metric("kafka_records_delivered_total", 1)
            filler = fill(small_disk)
            deadline = time.monotonic() + 60
            # Kafka ends when its only log directory fails.
            while broker.pid is not None and time.monotonic() < deadline:
                time.sleep(0.2)
            assert broker.pid is None
            time.sleep(1)
            filler.unlink()
            broker.start()
            time.sleep(1)
        assert load.slowest < 1
        made = load.counts()
        recommendation.wait_for_metric("kafka_records_delivered_total", len(made))
        assert comments(broker, "full") == sorted(made, key=int)
