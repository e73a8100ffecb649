"""What is logged of a call: the article's RestServiceCall, as a record of Kafka."""

from __future__ import annotations

from typing import Final

import msgspec

KEY: Final = (1).to_bytes(4, "big")
"""Key of every record, as Kafka's IntegerSerializer writes it; so all of a topic are in order in one partition."""


class Call(msgspec.Struct, omit_defaults=True, rename="camel", frozen=True, kw_only=True):
    """A successful call. ``origin`` and ``destination`` are services in upper case; the last one called has none."""

    origin: str
    destination: str | None = None
    origin_version: str
    comment: str


_ENCODER: Final = msgspec.json.Encoder()


def value(call: Call) -> bytes:
    """Return a call as JSON: origin, destination (unless None), originVersion, comment."""
    return _ENCODER.encode(call)
