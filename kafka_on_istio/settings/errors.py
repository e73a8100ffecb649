"""The error for a wrong configuration."""

from collections.abc import Iterable


class SettingsError(Exception):
    """The configuration is invalid; the message has one line per fault."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        count = f"{len(self.faults)} fault{'s' if len(self.faults) != 1 else ''}"
        super().__init__("\n  ".join([f"the configuration has {count}; nothing was changed:", *self.faults]))
