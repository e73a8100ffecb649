"""What a run tells of itself while it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lab.engine.plan import Step
from lab.engine.state import Resource


@dataclass(frozen=True)
class Change:
    """What a run does, or would do, with one resource.

    ``old`` and ``new`` are its state before and after; a preview's ``new`` may hold unknowns. ``paths`` are the
    properties that differ, ``replace_paths`` those of them that cannot change in place. ``note`` says what a reader
    should know besides (a chart that could not be rendered).
    """

    step: Step
    old: Resource | None
    new: Resource | None
    paths: tuple[str, ...] = ()
    replace_paths: tuple[str, ...] = ()
    note: str = ""

    @property
    def resource(self) -> Resource:
        """The resource as far as it is known, the newer state first."""
        found = self.new or self.old
        assert found is not None
        return found


class Report(Protocol):
    """Shows a run to somebody. No text that reaches it holds a secret."""

    def begin(self, change: Change) -> None:
        """A provider call starts."""
        ...

    def status(self, urn: str, text: str) -> None:
        """A provider call that goes on says what it waits for."""
        ...

    def end(self, change: Change, seconds: float) -> None:
        """The change was made, or in a preview would be."""
        ...

    def message(self, severity: str, text: str, urn: str = "") -> None:
        """Something to read: ``severity`` is ``error``, ``warning``, ``info`` or ``debug``."""
        ...


class Silence:
    """A report to nobody."""

    def begin(self, change: Change) -> None:
        """Say nothing."""

    def status(self, urn: str, text: str) -> None:
        """Say nothing."""

    def end(self, change: Change, seconds: float) -> None:
        """Say nothing."""

    def message(self, severity: str, text: str, urn: str = "") -> None:
        """Say nothing."""


class Messages(Silence):
    """Keeps what there is to read: (severity, text) in order."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.all: list[tuple[str, str]] = []

    def message(self, severity: str, text: str, urn: str = "") -> None:
        """Keep it."""
        self.all.append((severity, text))

    def errors(self) -> list[str]:
        """Return the texts of the errors."""
        return [text for severity, text in self.all if severity == "error"]
