"""What keeps a service from starting; the command line shows the message alone."""

from __future__ import annotations

from collections.abc import Collection


class StartError(Exception):
    """A service can not start; the message says why and what to do."""


class SettingsError(StartError):
    """The environment is at fault; ``faults`` has a line for each variable: its value, what it may be, the fix."""

    def __init__(self, faults: Collection[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)
