"""What a topic takes: nothing that inflates, and what the user's own settings of the brokers say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from model.kafka import topic_spec
from model.settings import Settings

pytestmark = pytest.mark.unit


def test_a_topic_holds_small_batches_and_none_that_inflates(settings: Callable[..., Settings]) -> None:
    config = topic_spec(settings(), "calls")["config"]
    assert (config["compression.type"], config["max.message.bytes"]) == ("uncompressed", 262_144)


def test_settings_of_the_brokers_of_the_users_own_hold_for_topics(settings: Callable[..., Settings]) -> None:
    own = settings(kafkaConfig={"compression.type": "zstd", "message.max.bytes": 1_000_000})
    config = topic_spec(own, "calls")["config"]
    assert (config["compression.type"], config["max.message.bytes"]) == ("zstd", 1_000_000)
