"""Looks at the packets between pods while a marked call is made: the marker must not be readable in them.

That it is readable on the pods' loopback interfaces, where a sidecar and its application talk, shows that those who
listen would have seen it.
"""

from __future__ import annotations

import inspect
import secrets
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from verify.cases import Way
from verify.check import Check, Part
from verify.connections import Connections
from verify.crew import Crew, at_once
from verify.inside import capture as inside
from verify.inside import connections as caller

_SECONDS = 7.0
"""How long to listen: until a record of the call has come to Kafka, whatever its client waits for."""

_CALLS = 40
"""Enough for each version of a service to be met, whatever its weight."""

_PAUSE_SECONDS = 0.08
_LOOPBACK = "lo"


def checks(crew: Crew, _: Connections) -> list[Check]:
    """Return what could be read at each workload that has an allowed edge over the mesh."""
    model = crew.model
    gateway = model.gateway
    if gateway is None or not model.entries:
        return []
    ends = dict.fromkeys(end for edge in model.edges if edge.method for end in (edge.source, edge.destination))
    watched = [*ends, *dict.fromkeys(edge.destination for edge in model.edges if edge.port == model.kafka_port)]
    at_once(crew.listener, watched)
    # The services pass it on as part of their trace context, between each other and in the records of their calls.
    marker = secrets.token_hex(16)
    with ThreadPoolExecutor(len(watched)) as pool:
        listening = [pool.submit(_listen, crew, identifier, marker) for identifier in watched]
        calls = _call(crew, gateway.id, marker)
        found = [msgspec.json.decode(it.result()) for it in listening]
    yielded = [
        Check(Part.CAPTURE, "marked calls through the gateway", "answered", "answered" if calls else "not answered")
    ]
    for identifier, seen in zip(watched, found, strict=True):
        yielded += _told(identifier, seen, marker, plain=identifier != gateway.id)
    return yielded


def _listen(crew: Crew, identifier: str, marker: str) -> bytes:
    source = inspect.getsource(inside)
    program = f"{source}\nimport json\nprint(json.dumps(listen({[marker]!r}, {_SECONDS!r})))\n"
    return crew.cluster.run(crew.listener(identifier), program, 60)


def _call(crew: Crew, gateway: str, marker: str) -> int:
    """Call through the gateway while it is listened; return how many calls were answered with success."""
    entry = crew.model.entries[0]
    port = crew.model.workload(gateway).ports[0].port
    wanted = {
        "speaks": "http",
        "host": "127.0.0.1",
        "port": port,
        "method": entry.method,
        "path": entry.path,
        "headers": {"traceparent": f"00-{marker}-{secrets.token_hex(8)}-01"},
    }
    program = (
        f"{inspect.getsource(caller)}\nimport json, time\nfound = []\n"
        f"for _ in range({_CALLS}):\n"
        f"    found += attempts([{wanted!r}], 5.0)\n    time.sleep({_PAUSE_SECONDS})\n"
        "print(json.dumps([it.get('status') for it in found]))\n"
    )
    time.sleep(1)
    statuses: list[int | None] = msgspec.json.decode(crew.cluster.run(crew.place(gateway, Way.ENTRY), program, 60))
    return sum(status == 200 for status in statuses)  # noqa: PLR2004


def _told(identifier: str, seen: Mapping[str, Any], marker: str, *, plain: bool) -> Iterator[Check]:
    outside = {name: of for name, of in seen.items() if name != _LOOPBACK}
    readable = sum(of["readable"][marker] for of in outside.values())
    packets = sum(of["packets"] for of in outside.values())
    what = f"{packets} packets between pods"
    found = "unknown" if not packets else "readable" if readable else "not readable"
    yield Check(Part.CAPTURE, f"marker at {identifier}, outside the pod", "not readable", found, what)
    if plain:
        within = seen.get(_LOOPBACK, {"readable": {marker: 0}})["readable"][marker]
        yield Check(
            Part.CAPTURE,
            f"marker at {identifier}, inside the pod",
            "readable",
            "readable" if within else "not readable",
        )
