"""The outside hosts that a cluster declares, and their addresses here. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import Enum
from ipaddress import IPv4Address
from typing import Final, NamedTuple

from kafka_on_istio.access.model import ExternalHost
from lab.errors import LabError
from lab.network import OUTSIDE
from lab.node.manifest import Manifest
from lab.outside import clock


class Protocol(str, Enum):
    """How a host is spoken to."""

    HTTP = "HTTP"
    HTTPS = "HTTPS"
    TCP = "TCP"


_PROTOCOLS: Final = {"HTTP": Protocol.HTTP, "HTTPS": Protocol.HTTPS, "TLS": Protocol.HTTPS, "TCP": Protocol.TCP}
"""By those of a ServiceEntry's ports. Any other is as good as plain TCP."""

_FIRST: Final = OUTSIDE[1]
_COUNT: Final = OUTSIDE.num_addresses - 2


class Stand(NamedTuple):
    """A port of a host, and what is spoken on it."""

    host: str
    port: int
    protocol: Protocol


DEMO: Final = Stand(clock.HOST, 80, Protocol.HTTP)
"""There whether it is declared or not."""


def declared(entries: Iterable[Manifest]) -> list[Stand]:
    """Return what stands for the hosts that ServiceEntries name, in a fixed order and the demo's first."""
    found = {
        Stand(host, port["number"], _PROTOCOLS.get(port.get("protocol", "").upper(), Protocol.TCP))
        for entry in entries
        if entry["spec"].get("location", "MESH_EXTERNAL") == "MESH_EXTERNAL" and not entry["spec"].get("endpoints")
        for host in entry["spec"]["hosts"]
        if "*" not in host
        for port in entry["spec"].get("ports") or []
    }
    return [DEMO, *sorted(found - {DEMO})]


def described(external: Iterable[ExternalHost]) -> str:
    """Return a line that lists the outside hosts with stand-ins; empty if there are none."""
    shown = ", ".join(f"{host.host}:{host.port} ({host.protocol})" for host in external)
    return f"the lab simulates hosts outside the cluster: {shown}" if shown else ""


def addresses(hosts: Iterable[str]) -> dict[str, IPv4Address]:
    """Return an address for each host, which it keeps, whatever others come and go, unless they collide.

    :raises LabError: if there are more hosts than addresses.
    """
    names = sorted(set(hosts) - {clock.HOST})
    if len(names) >= _COUNT:
        message = f"{len(names)} outside hosts are declared; the lab has addresses for {_COUNT - 1}"
        raise LabError(message)
    taken = {clock.HOST: _FIRST}
    used = {0}
    for name in names:
        place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % _COUNT
        while place in used:
            place = (place + 1) % _COUNT
        used.add(place)
        taken[name] = _FIRST + place
    return taken
