"""What a topic takes: nothing that inflates, and what the user's own settings of the brokers say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kafka_on_istio.settings.settings import Settings

pytestmark = pytest.mark.unit


def test_a_topic_holds_small_batches_and_none_that_inflates(settings: Callable[..., Settings]) -> None:
    config = settings().topic_config
    assert (config["compression.type"], config["max.message.bytes"]) == ("uncompressed", 262_144)


def test_settings_of_the_brokers_of_the_users_own_hold_for_topics(settings: Callable[..., Settings]) -> None:
    config = settings(kafkaConfig={"compression.type": "zstd", "message.max.bytes": 1_000_000}).topic_config
    assert (config["compression.type"], config["max.message.bytes"]) == ("zstd", 1_000_000)
