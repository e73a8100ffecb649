"""Passwords from the inputs of ``random.RandomPassword``, with the system's cryptographic random number generator."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Any, Final

SPECIAL: Final = "!@#$%&*()-_=+[]{}<>:?"
"""The special characters of the real provider unless ``overrideSpecial`` is given."""

_DEFAULTS: Final[dict[str, Any]] = {
    "lower": True,
    "upper": True,
    "numeric": True,
    "special": True,
    "minLower": 0,
    "minUpper": 0,
    "minNumeric": 0,
    "minSpecial": 0,
}
_MINIMUMS: Final = ("minLower", "minUpper", "minNumeric", "minSpecial")
_KNOWN: Final = frozenset({*_DEFAULTS, "length", "number", "overrideSpecial", "keepers"})


def settings(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs with the real provider's defaults."""
    merged = {**_DEFAULTS, **{key: value for key, value in inputs.items() if value is not None}}
    if "number" in merged:
        merged["numeric"] = merged["number"]
    return {**merged, "number": merged["numeric"]}


def faults(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Return the reason for each input that is refused; pure."""
    found = {key: f"is not an input (inputs: {', '.join(sorted(_KNOWN))})" for key in inputs if key not in _KNOWN}
    merged = settings(inputs)
    for key in ("length", *_MINIMUMS):
        value = merged.get(key)
        least = 1 if key == "length" else 0
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            found[key] = f"is {value!r}, must be a whole number of at least {least}"
    if found:
        return found
    alphabets = _alphabets(merged)
    if not alphabets:
        return {"lower": "at least one of lower, upper, numeric and special must be true"}
    found = {
        key: f"is {merged[key]}, but its class of characters is disabled"
        for key in _MINIMUMS
        if merged[key] and key not in alphabets
    }
    if sum(merged[key] for key in alphabets) > merged["length"]:
        found["length"] = f"is {merged['length']}, less than the sum of the minimums"
    return found


def draw(inputs: Mapping[str, Any]) -> str:
    """Return a new password for inputs without faults."""
    merged = settings(inputs)
    alphabets = _alphabets(merged)
    drawn = [secrets.choice(characters) for key, characters in alphabets.items() for _ in range(merged[key])]
    everything = "".join(alphabets.values())
    drawn += [secrets.choice(everything) for _ in range(merged["length"] - len(drawn))]
    secrets.SystemRandom().shuffle(drawn)
    return "".join(drawn)


def _alphabets(merged: Mapping[str, Any]) -> dict[str, str]:
    """Return the enabled classes' characters by the name of the input that demands a minimum of them."""
    special = merged.get("overrideSpecial") or SPECIAL
    classes = {
        "minLower": ("lower", string.ascii_lowercase),
        "minUpper": ("upper", string.ascii_uppercase),
        "minNumeric": ("numeric", string.digits),
        "minSpecial": ("special", special),
    }
    return {minimum: characters for minimum, (switch, characters) in classes.items() if merged[switch]}
