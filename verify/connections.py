"""Tries the cases: sends each source its requests, and evaluates responses and the sidecars' logs."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from verify import evidence, judge
from verify.cases import Case, Outcome, Request, Way, by_request
from verify.evidence import Line
from verify.inside import connections as inside
from verify.inside.connections import SIDECAR_USER
from verify.judge import Result
from verify.session import ProbeSession, at_once

_PATIENCE_SECONDS = 4.0
"""How long a connection may take; what an undeclared host drops takes as long."""

_LOG_SECONDS = 12.0
"""How long to wait for a log line. Envoy writes its own at least once a second, on a machine that has the time."""

_ROUNDS = 6
_PER_POD = 8
"""How often a name with several pods behind it is called for each of them, in a round."""


@dataclass(frozen=True)
class Observation:
    """A tried request: its client's result, and the log lines at both ends."""

    request: Request
    seen: Mapping[str, Any]
    own: Line | None
    theirs: Mapping[str, tuple[Line, ...]]
    """By workload, the lines of its sidecar about connections of this client."""

    arrived: str | None
    """The workload whose pod the source's sidecar chose."""

    def result(self, case: Case) -> Result:
        """Evaluate a case with it."""
        return judge.result(case, self.seen, self.own, self.theirs.get(case.destination, ()))


@dataclass(frozen=True)
class _Sent:
    """The result of a source's program: its start time, and the result of each request."""

    source: str
    began: float
    found: list[tuple[Request, Mapping[str, Any]]]


class Connections:
    """The connections of a proof."""

    def __init__(self, session: ProbeSession) -> None:
        self._session = session

    def results(self, cases: Iterable[Case]) -> list[Result]:
        """Try cases, and return the outcome of each."""
        wanted = by_request(cases)
        observations = self.observe(wanted)
        return [_verdict(case, observations[request]) for request, of in wanted.items() for case in of]

    def observe(self, wanted: Mapping[Request, list[Case]]) -> dict[Request, list[Observation]]:
        """Try requests until each of their cases has an outcome, or cannot get one."""
        observations: dict[Request, list[Observation]] = {request: [] for request in wanted}
        missing = list(wanted)
        for _ in range(_ROUNDS if missing else 0):
            tried = [request for request in missing for _ in range(_times(wanted[request]))]
            for observation in self._try(tried):
                observations[observation.request].append(observation)
            missing = [request for request in missing if not _is_settled(observations[request], wanted[request])]
            if not missing:
                break
        return observations

    def _try(self, requests: list[Request]) -> list[Observation]:
        by_place: dict[tuple[str, Way], list[Request]] = {}
        for request in requests:
            by_place.setdefault((request.source, request.way), []).append(request)
        sent = at_once(lambda item: self._send(item[0][0], item[0][1], item[1]), by_place.items())
        return self._explained(sent)

    def _send(self, source: str, way: Way, requests: list[Request]) -> _Sent:
        place = self._session.place(source, way)
        user = SIDECAR_USER if place.container.endswith("around") else None
        program = (
            f"{inspect.getsource(inside)}\n"
            "import json, time\n"
            "began = time.time()\n"
            f"found = attempts({[self._wanted(request) for request in requests]!r}, {_PATIENCE_SECONDS}, {user!r})\n"
            "print(json.dumps([began, found]))\n"
        )
        began, found = msgspec.json.decode(self._session.cluster.run(place, program, 120))
        return _Sent(source, began, list(zip(requests, found, strict=True)))

    def _wanted(self, request: Request) -> dict[str, Any]:
        host = request.host or self._session.address(request.pod_of, request.port)
        wanted: dict[str, Any] = {"speaks": request.speaks, "host": host, "port": request.port}
        if request.method:
            wanted |= {"method": request.method, "path": request.path}
        return wanted

    def _explained(self, sent: list[_Sent]) -> list[Observation]:
        """Read the logs until they explain all results, with both ends of allowed connections."""
        deadline = time.monotonic() + _LOG_SECONDS
        while True:
            logs = self._logs(sent)
            found = [it for one in sent for it in self._observations(one, logs)]
            if time.monotonic() > deadline or all(_is_explained(it) and self._is_told(it) for it in found):
                return found
            time.sleep(0.5)

    def _is_told(self, observation: Observation) -> bool:
        """Tell whether the server's sidecar has logged the arrival; it may not log denied connections."""
        arrived = observation.arrived
        if arrived is None or not self._session.model.workload(arrived).sidecar:
            return True
        return bool(observation.theirs.get(arrived)) or _outcome(observation) is not Outcome.ALLOWED

    def _logs(self, sent: list[_Sent]) -> dict[str, list[Line]]:
        """Return the sidecars' log lines since the first program started."""
        since = min(one.began for one in sent)
        workloads = [it.id for it in self._session.model.workloads if it.sidecar]
        names = list(dict.fromkeys([*(one.source for one in sent), *workloads]))
        logs = at_once(lambda name: evidence.lines(self._session.log(name), since), names)
        return dict(zip(names, logs, strict=True))

    def _observations(self, one: _Sent, logs: Mapping[str, list[Line]]) -> Iterator[Observation]:
        addresses = {self._session.targets[one.source].address}
        addresses |= {evidence.host(seen["local"]) for _, seen in one.found if "local" in seen}
        called = evidence.by_connection(logs[one.source])
        clients = {
            name: [line for line in found if evidence.host(line.get("downstream_remote_address")) in addresses]
            for name, found in logs.items()
        }
        for request, seen in one.found:
            local = str(seen.get("local"))
            own = None if request.way is Way.AROUND else called.get((local, str(seen.get("remote"))))
            arrived = self._session.owners.get(evidence.host((own or {}).get("upstream_host")))
            theirs = {
                target: tuple(line for line in clients.get(target, ()) if _is_about(line, request, local))
                for target in {request.pod_of, arrived}
                if target
            }
            yield Observation(request, seen, own, theirs, arrived)


def _is_about(line: Line, request: Request, local: str) -> bool:
    if request.way is Way.AROUND:
        return line.get("downstream_remote_address") == local
    if request.method:
        return (line.get("method"), line.get("path")) == (request.method, request.path)
    return evidence.port(line.get("downstream_local_address")) == request.port


def _outcome(observation: Observation) -> Outcome:
    request, seen = observation.request, observation.seen
    theirs = [line for of in observation.theirs.values() for line in of]
    return judge.outcome(request.way, request.speaks, seen, observation.own, theirs, request.host)[0]


def _is_explained(observation: Observation) -> bool:
    return _outcome(observation) is not Outcome.UNKNOWN


def _is_settled(observations: Iterable[Observation], cases: Iterable[Case]) -> bool:
    """Tell whether each case has a request with a known outcome."""
    known = [it for it in observations if _is_explained(it)]
    return all(any(_concerns(it, case) for it in known) for case in cases)


def _times(cases: list[Case]) -> int:
    several = {case.destination for case in cases if case.expected not in (Outcome.REGISTRY, Outcome.NETWORK)}
    return _PER_POD * len(several) if len(several) > 1 else 1


def _concerns(observation: Observation, case: Case) -> bool:
    """Tell whether a request arrived at a case's destination, or was denied before its destination was chosen."""
    if observation.request.pod_of == case.destination or observation.arrived in (None, case.destination):
        return True
    return case.expected is Outcome.NETWORK and observation.result(case).outcome is Outcome.NETWORK


def _verdict(case: Case, observations: list[Observation]) -> Result:
    met = [it for it in observations if _concerns(it, case)]
    # A sidecar's log may name the client by a port that the kernel chose for it; the request was made again then.
    results = [it.result(case) for it in [it for it in met if _is_explained(it)] or met]
    if not results:
        return Result(case, Outcome.UNKNOWN, f"none of {len(observations)} requests arrived there")
    return next((result for result in results if not result.is_as_declared), results[0])
