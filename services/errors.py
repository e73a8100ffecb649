"""Errors that stop a service at start. The command line prints only the message."""

from __future__ import annotations

from collections.abc import Collection


class StartError(Exception):
    """A service cannot start; the message gives the reason and the fix."""


class SettingsError(StartError):
    """The environment is invalid; ``faults`` has one line per variable: its value, what is allowed, the fix."""

    def __init__(self, faults: Collection[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)
