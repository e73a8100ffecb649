"""Looks at the packets between pods while a marked call is made: the marker must not be readable in them.

That it is readable on the pods' loopback interfaces, where a sidecar and its application talk, shows that those who
listen would have seen it.
"""

from __future__ import annotations

import inspect
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from kafka_on_istio.access.model import AccessModel
from verify.cases import Way
from verify.check import Check, Part
from verify.connections import Connections
from verify.inside import capture as inside
from verify.inside import connections as caller
from verify.session import ProbeSession, ProbeTarget, at_once

_SECONDS = 7.0
"""How long to listen: until a record of the call has come to Kafka, whatever its client waits for."""

_CALLS = 40
"""Enough for each version of a service to be met, whatever its weight."""

_PAUSE_SECONDS = 0.08
_OK = 200
_LOOPBACK = "lo"


def checks(session: ProbeSession, _: Connections) -> list[Check]:
    """Return what was readable at each workload with an allowed edge over the mesh."""
    model = session.model
    gateway = model.gateway
    if gateway is None or not model.entries:
        return []
    called = reached(model, gateway.id)
    brokers = (edge.destination for edge in model.edges if edge.port == model.kafka_port and edge.source in called)
    watched = [target for identifier in dict.fromkeys([*called, *brokers]) for target in session.pods[identifier]]
    at_once(session.listener, watched)
    # The services pass it on as part of their trace context, between each other and in the records of their calls.
    marker = secrets.token_hex(16)
    with ThreadPoolExecutor(len(watched)) as pool:
        listening = [pool.submit(_listen, session, target, marker) for target in watched]
        answered = _call(session, gateway.id, marker)
        found = [msgspec.json.decode(it.result()) for it in listening]
    yielded = [
        Check(
            Part.CAPTURE,
            f"marked calls of {entry.method} {entry.path} through the gateway",
            "answered",
            "answered" if answered[entry.path] else "not answered",
        )
        for entry in model.entries
    ]
    for identifier in dict.fromkeys(target.source.id for target in watched):
        seen = [of for target, of in zip(watched, found, strict=True) if target.source.id == identifier]
        yielded += _told(identifier, seen, marker, plain=identifier != gateway.id)
    return yielded


def reached(model: AccessModel, gateway: str) -> list[str]:
    """Return the workloads that calls through the gateway reach, the gateway first. Pure."""
    found = [gateway]
    for source in found:
        called = dict.fromkeys(edge.destination for edge in model.edges if edge.method and edge.source == source)
        found += [destination for destination in called if destination not in found]
    return found


def _listen(session: ProbeSession, target: ProbeTarget, marker: str) -> bytes:
    source = inspect.getsource(inside)
    program = f"{source}\nimport json\nprint(json.dumps(listen({[marker]!r}, {_SECONDS!r})))\n"
    return session.cluster.run(session.listener(target), program, 60)


def _call(session: ProbeSession, gateway: str, marker: str) -> Counter[str]:
    """Call all entries of the gateway while it is listened; return how many calls of each path were answered."""
    port = session.model.workload(gateway).ports[0].port
    wanted = [
        {
            "speaks": "http",
            "host": "127.0.0.1",
            "port": port,
            "method": entry.method,
            "path": entry.path,
            "headers": {"traceparent": f"00-{marker}-{secrets.token_hex(8)}-01"},
        }
        for entry in session.model.entries
    ]
    program = (
        f"{inspect.getsource(caller)}\nimport json, time\nfound = []\n"
        f"for _ in range({_CALLS}):\n"
        f"    found.append([it.get('status') for it in attempts({wanted!r}, 5.0)])\n    time.sleep({_PAUSE_SECONDS})\n"
        "print(json.dumps(found))\n"
    )
    time.sleep(1)
    place = session.place(gateway, Way.ENTRY)
    rounds: list[list[int | None]] = msgspec.json.decode(session.cluster.run(place, program, 60))
    paths = [entry.path for entry in session.model.entries]
    return Counter(path for found in rounds for path, status in zip(paths, found, strict=True) if status == _OK)


def _told(identifier: str, seen: Sequence[Mapping[str, Any]], marker: str, *, plain: bool) -> Iterator[Check]:
    """Yield what was readable outside a workload's pods, and inside any of them.

    :param seen: what was seen in each pod, by interface.
    """
    outside = [of for pod in seen for name, of in pod.items() if name != _LOOPBACK]
    readable = sum(of["readable"][marker] for of in outside)
    packets = sum(of["packets"] for of in outside)
    what = f"{packets} packets between pods"
    found = "unknown" if not packets else "readable" if readable else "not readable"
    yield Check(Part.CAPTURE, f"marker at {identifier}, outside the pod", "not readable", found, what)
    if plain:
        within = any(pod[_LOOPBACK]["readable"][marker] for pod in seen if _LOOPBACK in pod)
        yield Check(
            Part.CAPTURE,
            f"marker at {identifier}, inside the pod",
            "readable",
            "readable" if within else "not readable",
        )
