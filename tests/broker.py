"""Brokers for tests: ``broker`` is a test's own, ``shared_broker`` one for all (its topics and users need other names)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.kafka.broker import Broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as running:
        yield running


@pytest.fixture(scope="session")
def shared_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker") / "broker") as running:
        yield running
