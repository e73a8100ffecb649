"""Checks that compare several settings. Each yields faults, as ``key = value: what is allowed, and the fix``."""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, Final, cast

from kafka_on_istio.settings.checks import kafka, services, stack
from kafka_on_istio.settings.settings import Settings

Check = Callable[[Settings], Iterator[str]]

CHECKS: Final[tuple[Check, ...]] = (*stack.CHECKS, *kafka.CHECKS, *services.CHECKS)


class _InvalidFieldError(Exception):
    """A check reads a field whose value is invalid."""


class _Valid:
    """Settings whose invalid fields cannot be read."""

    def __init__(self, settings: Settings, invalid: AbstractSet[str]) -> None:
        self._settings, self._invalid = settings, invalid

    def __getattr__(self, name: str) -> Any:
        if name in self._invalid:
            raise _InvalidFieldError
        derived = getattr(Settings, name, None)
        if isinstance(derived, property) and derived.fget:
            return derived.fget(self)
        return getattr(self._settings, name)


def faults(settings: Settings, invalid: AbstractSet[str]) -> list[str]:
    """Return the faults that all checks find, without those that need one of the fields in ``invalid``."""
    valid = cast("Settings", _Valid(settings, invalid))
    found: list[str] = []
    for check in CHECKS:
        try:
            found += check(valid)
        except _InvalidFieldError:
            continue
    return found
