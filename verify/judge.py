"""The outcome of a connection, from its client's result and the sidecars' logs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verify import evidence
from verify.cases import Case, Outcome, Way
from verify.evidence import Line

Seen = Mapping[str, Any]
"""What ``verify.inside.connections.attempt`` returns."""

_UNREACHABLE = {"EADDRNOTAVAIL", "EHOSTUNREACH", "ENETUNREACH", "EACCES", "EPERM", "TIMEOUT"}
"""What a client hears of a network that refuses it, or that has no way to there."""

_PROHIBITED = {9, 10, 13}
"""Codes of ICMP's "destination unreachable" by which a network says that it refuses (RFC 1812, 5.2.7.1)."""

_RESET = {"ECONNRESET", "EPIPE", "RemoteDisconnected", "BadStatusLine"}
_FORBIDDEN = 403
_OUTSIDE = ("https", "tcp")
"""What only hosts outside the mesh are spoken to by."""


@dataclass(frozen=True)
class Result:
    """The outcome of a case, and its evidence."""

    case: Case
    outcome: Outcome
    evidence: str
    is_prohibited: bool = False
    """Whether the network said by ICMP that it refuses."""

    @property
    def is_as_declared(self) -> bool:
        """Whether it is what the access model says."""
        return self.outcome is self.case.expected


def result(case: Case, seen: Seen, own: Line | None, theirs: Sequence[Line]) -> Result:
    """Evaluate a case; for ``own`` and ``theirs`` see ``outcome``."""
    request = case.request
    found, shown = outcome(request.way, request.speaks, seen, own, theirs, request.host)
    return Result(case, found, shown, seen.get("icmp") in _PROHIBITED)


def outcome(
    way: Way, speaks: str, seen: Seen, own: Line | None, theirs: Sequence[Line], host: str | None = None
) -> tuple[Outcome, str]:
    """Return the outcome of a connection, and its evidence.

    :param host: the name that was called, if one was.
    :param own: the line of the source's sidecar, where the connection went through one.
    :param theirs: lines of the destination's sidecar about connections from the source.
    """
    shown = _shown(seen, own)
    if way is Way.AROUND:
        return _around(speaks, seen, theirs), shown
    if own is None:
        return Outcome.UNKNOWN, f"{shown}; the sidecar has logged nothing of it"
    if evidence.is_black_hole(own):
        return Outcome.REGISTRY, shown
    if evidence.is_unreached(own) or (_is_silent(speaks, seen) and not _is_beyond(speaks, own)):
        # A network that drops what it refuses keeps the sidecar waiting longer than its client.
        return Outcome.NETWORK, shown
    if way is Way.ENTRY:
        return _entered(seen, own), shown
    if speaks in _OUTSIDE:
        return _left(own, host, shown)
    if evidence.is_denied(own) or (any(evidence.is_denied(line) for line in theirs) and not seen.get("answer")):
        return Outcome.AUTHORIZATION, shown
    return _answered(speaks, seen), shown


def _is_silent(speaks: str, seen: Seen) -> bool:
    return seen.get("error") == "TIMEOUT" or speaks == "tcp"


def _is_beyond(speaks: str, own: Line) -> bool:
    return evidence.is_connected(own) if speaks in _OUTSIDE else bool(own.get("upstream_peer_uri_san"))


def _entered(seen: Seen, own: Line) -> Outcome:
    """Evaluate the gateway only: what it forwards is allowed, whatever the service responds."""
    if evidence.is_denied(own):
        return Outcome.AUTHORIZATION
    return Outcome.ALLOWED if own.get("upstream_host") and seen.get("status") else Outcome.UNKNOWN


def _left(own: Line, host: str | None, shown: str) -> tuple[Outcome, str]:
    """Evaluate the source's sidecar only, which connects before it sends anything to an outside host."""
    if host and not evidence.leads_to(own, host):
        # Of plain TCP a sidecar knows the port alone, and leads all of it to the one host that it knows there.
        return Outcome.REGISTRY, f"{shown}; led to {own.get('upstream_cluster')}"
    return (Outcome.ALLOWED if evidence.is_connected(own) else Outcome.UNKNOWN), shown


def _around(speaks: str, seen: Seen, theirs: Sequence[Line]) -> Outcome:
    error = seen.get("error")
    if seen["stage"] == "connect":
        if error == "ECONNREFUSED":
            return Outcome.NOBODY
        return Outcome.NETWORK if error in _UNREACHABLE else Outcome.UNKNOWN
    closed = error in _RESET or seen.get("answer") == ""
    if closed and any(evidence.is_plaintext_refused(line) for line in theirs):
        return Outcome.MUTUAL_TLS
    if closed and any(evidence.is_denied(line) for line in theirs):
        return Outcome.AUTHORIZATION
    return _answered(speaks, seen)


def _answered(speaks: str, seen: Seen) -> Outcome:
    if speaks in _OUTSIDE:
        return Outcome.ALLOWED if seen.get("tls") or seen.get("open") else Outcome.UNKNOWN
    if speaks == "mesh":
        return Outcome.ALLOWED if seen.get("answer") else Outcome.MUTUAL_TLS
    if speaks == "tls":
        # Whoever gets as far as a certificate and is asked for another has met the server's own mutual TLS.
        return Outcome.STRIMZI if "CERTIFICATE" in str(seen.get("refusal")) else _if_done(seen)
    if speaks == "http":
        if seen.get("status") == _FORBIDDEN and "RBAC" in str(seen.get("text")):
            return Outcome.AUTHORIZATION
        return Outcome.ALLOWED if seen.get("status") else Outcome.UNKNOWN
    return _if_done(seen)


def _if_done(seen: Seen) -> Outcome:
    return Outcome.ALLOWED if seen["stage"] == "done" and seen.get("answer") else Outcome.UNKNOWN


def _shown(seen: Seen, own: Line | None) -> str:
    parts = []
    if seen.get("status"):
        parts.append(f"status {seen['status']}")
    if seen.get("error"):
        parts.append(f"{seen['error']} at {seen['stage']}")
    if seen["stage"] == "socket":
        parts.append("its pod lets no such socket be made (net.ipv4.ping_group_range)")
    if seen.get("icmp") is not None:
        parts.append(f"ICMP code {seen['icmp']}")
    if seen.get("refusal"):
        parts.append(str(seen["refusal"]))
    if seen.get("answer"):
        parts.append("an answer")
    if own:
        flags = own.get("response_flags")
        parts += [f"flags {flags}"] if flags not in (None, "-", "") else []
        parts += [str(own["response_code_details"])] if own.get("response_code_details") else []
    return ", ".join(parts) or "closed without an answer"
