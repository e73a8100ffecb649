"""The log record of a call: the article's RestServiceCall, as a Kafka record."""

from __future__ import annotations

from typing import Final

import msgspec

KEY: Final = (1).to_bytes(4, "big")
"""Key of every record, as Kafka's IntegerSerializer writes it; so all of a topic are in order in one partition."""


class Record(msgspec.Struct, omit_defaults=True, rename="camel", frozen=True, kw_only=True):
    """A successful call. ``origin`` and ``destination`` are services in upper case.

    A service without upstreams logs its own responses without a destination.
    """

    origin: str
    destination: str | None = None
    origin_version: str
    comment: str


_ENCODER: Final = msgspec.json.Encoder()


def value(record: Record) -> bytes:
    """Return it as JSON: origin, destination (unless None), originVersion, comment."""
    return _ENCODER.encode(record)
