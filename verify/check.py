"""One thing that was looked at, what should have been, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from verify.judge import Result


class Part(str, Enum):
    """What can be looked at by itself."""

    NETWORK = "network"
    HTTP = "http"
    TLS = "tls"
    CAPTURE = "capture"
    KAFKA = "kafka"
    EGRESS = "egress"


@dataclass(frozen=True)
class Check:
    """A thing that was looked at; ``evidence`` is what shows what was found."""

    part: Part
    subject: str
    expected: str
    found: str
    evidence: str = ""

    @property
    def passed(self) -> bool:
        """Whether it is as declared."""
        return self.expected == self.found

    def __str__(self) -> str:
        """Tell it in one line."""
        wanted = "" if self.passed else f", should be {self.expected}"
        shown = f" ({self.evidence})" if self.evidence and not self.passed else ""
        return f"{self.subject}: {self.found}{wanted}{shown}"


def of(part: Part, result: Result) -> Check:
    """Return a case of a connection as a check."""
    return Check(
        part, str(result.case), words(result.case.expected.value), words(result.outcome.value), result.evidence
    )


def words(outcome: str) -> str:
    """Return an outcome as it is told: by what a connection is refused."""
    return outcome if outcome in ("allowed", "unknown", "nobody listens", "silence") else f"refused by {outcome}"
