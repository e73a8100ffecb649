"""Queries the lab's trace receiver."""

from __future__ import annotations

import re
from typing import Final

import httpx2

from lab.cluster import Cluster
from lab.errors import LabError
from lab.lab import Lab
from lab.tracing import QUERY_PORT
from lab.tracing.store import tree

_IDENTIFIER: Final = re.compile(r"[0-9a-f]{32}")


def trace(lab: Lab, identifier: str | None) -> list[str]:
    """Return a trace, or the last one, as lines: its identifier and the tree of its spans.

    :raises LabError: if it does not exist, or the receiver does not respond.
    """
    if identifier is not None and not _IDENTIFIER.fullmatch(identifier):
        message = f"trace {identifier}: must be 32 hexadecimal digits"
        raise LabError(message)
    receiver = next(item for item in lab.access_model().infrastructure if item.name == "otlp")
    name = receiver.hosts[0].partition(".")[0]
    address = Cluster(lab.control_plane().kubeconfig).service_address(str(receiver.namespace), name)
    try:
        answer = httpx2.get(f"http://{address}:{QUERY_PORT}/traces/{identifier or 'last'}", timeout=10)
        spans = answer.raise_for_status().json()
    except httpx2.HTTPError as error:
        message = f"service {name} in {receiver.namespace}: {error or type(error).__name__}; see `make status`"
        raise LabError(message) from error
    if not spans:
        message = f"trace {identifier}: not found" if identifier else "no trace yet; create one with: make call"
        raise LabError(message)
    return [f"trace {spans[0]['trace']}", *tree(spans)]
