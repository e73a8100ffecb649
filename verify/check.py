"""One check: its subject, the expected and the observed result."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from verify.judge import Result


class Part(str, Enum):
    """A part of the proof that can run alone."""

    NETWORK = "network"
    HTTP = "http"
    TLS = "tls"
    CAPTURE = "capture"
    KAFKA = "kafka"
    EGRESS = "egress"


@dataclass(frozen=True)
class Check:
    """A check; ``evidence`` supports the observed result."""

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
        """Return one line."""
        wanted = "" if self.passed else f", should be {self.expected}"
        shown = f" ({self.evidence})" if self.evidence and not self.passed else ""
        return f"{self.subject}: {self.found}{wanted}{shown}"


def of(part: Part, result: Result) -> Check:
    """Return a case of a connection as a check."""
    return Check(
        part, str(result.case), words(result.case.expected.value), words(result.outcome.value), result.evidence
    )


def words(outcome: str) -> str:
    """Return an outcome in words: the layer that denies a connection."""
    return outcome if outcome in ("allowed", "unknown", "nobody listens", "silence") else f"refused by {outcome}"
