"""The calls in sidecars' access logs: how many, how many failed, who called, and with which TLS. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

_FAILED = 400


@dataclass
class Seen:
    """The calls or connections of one caller in a sidecar's log."""

    calls: int = 0
    errors: int = 0
    peer: str = ""
    tls: str = ""

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield names and values, in display order."""
        yield "seen by its sidecar", str(self.calls)
        yield "errors", str(self.errors)
        if self.peer:
            yield "caller", self.peer
        if self.tls:
            yield "TLS", self.tls


@dataclass
class Proxies:
    """The calls in the access logs of sidecars since the start, by caller and callee.

    ``principals`` are the workloads' ids by their identities in the mesh, without ``spiffe://``.
    """

    principals: Mapping[str, str]
    _seen: dict[tuple[str, str], Seen] = field(default_factory=dict)

    def take(self, workload: str, line: str) -> None:
        """Note a line of a workload's access log (JSON, as the program configures it), if it is of what came in."""
        try:
            told: Any = orjson.loads(line)
        except orjson.JSONDecodeError:
            return
        if not isinstance(told, dict) or not str(told.get("upstream_cluster") or "").startswith("inbound"):
            return
        peer = str(told.get("downstream_peer_uri_san") or "")
        source = self.principals.get(peer.removeprefix("spiffe://"))
        if source is None:
            return
        seen = self._seen.setdefault((source, workload), Seen())
        seen.calls += 1
        # A connection that is no call has no status.
        seen.errors += (told.get("response_code") or 0) >= _FAILED
        seen.peer = peer
        seen.tls = " ".join(filter(None, (told.get("downstream_tls_version"), told.get("downstream_tls_cipher"))))

    def facts(self, source: str, target: str) -> tuple[tuple[str, str], ...]:
        """Return the facts about the calls from one workload to another, as names and values."""
        seen = self._seen.get((source, target))
        return tuple(seen.facts()) if seen else ()
