"""Facts about connections in Envoy's access logs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

Line = dict[str, Any]
"""A line of the access log in JSON, its fields named as Istio's documentation names them."""


def lines(log: Iterable[str], since: float) -> list[Line]:
    """Return the access log's lines in a sidecar's log, of connections that started at a time or later.

    :param since: in seconds since 1970, by the clock of the sidecar's node.
    """
    found = []
    for text in log:
        if not text.startswith("{"):
            continue
        try:
            line = msgspec.json.decode(text)
        except msgspec.DecodeError:
            continue
        begun = line.get("start_time")
        # Envoy writes milliseconds.
        if begun and datetime.fromisoformat(begun).timestamp() >= since - 0.001:
            found.append(line)
    return found


def by_connection(found: Iterable[Line]) -> dict[tuple[str, str], Line]:
    """Return lines by the client's address and port, and those that it called."""
    return {
        (str(line.get("downstream_remote_address")), str(line.get("downstream_local_address"))): line for line in found
    }


def is_black_hole(line: Line) -> bool:
    """Tell whether a sidecar did not know the destination (``BlackHoleCluster``, or a route that denies all)."""
    return "BlackHoleCluster" in str(line.get("upstream_cluster")) or line.get("route_name") == "block_all"


def is_unreached(line: Line) -> bool:
    """Tell whether a sidecar could not connect to the destination."""
    return "UF" in str(line.get("response_flags")).split(",")


def is_connected(line: Line) -> bool:
    """Tell whether a sidecar connected: it logs the other end only then, and after a failed attempt."""
    return line.get("upstream_host") not in (None, "-", "") and not is_unreached(line)


def leads_to(line: Line, name: str) -> bool:
    """Tell whether a sidecar chose the cluster of a host, such as ``outbound|443||example.com;``."""
    return str(line.get("upstream_cluster")).rstrip(";").rpartition("|")[2] == name


def is_denied(line: Line) -> bool:
    """Tell whether an AuthorizationPolicy denied it."""
    said = f"{line.get('response_code_details')} {line.get('connection_termination_details')}"
    return "rbac_access_denied" in said


def is_plaintext_refused(line: Line) -> bool:
    """Tell whether it lacked mutual TLS: no filter chain accepts a connection without it."""
    return line.get("response_code_details") == "filter_chain_not_found"


def host(address: object) -> str:
    """Return an address without its port."""
    return str(address or "").rpartition(":")[0]


def port(address: object) -> int:
    """Return an address's port; 0 if there is none."""
    text = str(address or "").rpartition(":")[2]
    return int(text) if text.isdigit() else 0
