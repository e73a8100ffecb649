"""Reproducible outputs of ``random.RandomPassword``, for previews in which passwords have values."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Callable, Mapping
from typing import Final

from harness.graph import Resource
from harness.values import Properties, reveal

PASSWORD: Final = "random:index/randomPassword:RandomPassword"  # noqa: S105 a type
_CLASSES: Final = {
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "numeric": string.digits,
    "special": "!@#$%&*()-_=+[]{}<>:?",
}


def password(resource: Resource) -> Properties:
    """Return a RandomPassword's outputs, which depend on its URN and inputs only."""
    inputs = reveal(resource.inputs)
    special = inputs.get("overrideSpecial") or _CLASSES["special"]
    enabled = [{**_CLASSES, "special": special}[name] for name in _CLASSES if inputs.get(name, True)]
    seed = json.dumps([resource.urn, inputs], sort_keys=True, default=str)
    numbers = hashlib.shake_256(seed.encode()).digest(4 * inputs["length"])
    drawn = []
    for position in range(inputs["length"]):
        # One of each class first, so that whatever asks for one of each is content.
        alphabet = enabled[position] if position < len(enabled) else "".join(enabled)
        drawn.append(alphabet[int.from_bytes(numbers[4 * position :][:4], "big") % len(alphabet)])
    return {"result": "".join(drawn), "bcryptHash": hashlib.sha256(seed.encode()).hexdigest()}


DRAWN: Final[Mapping[str, Callable[[Resource], Properties]]] = {PASSWORD: password}
"""For ``Program.preview(outputs=DRAWN)``."""
