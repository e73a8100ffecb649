"""Runs the parts of the proof one after the other in one probe session."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from kafka_on_istio.access.model import AccessModel
from verify import capture, cases, check, datagrams, egress, encryption, ipv6, kafka_access
from verify.apart import apart
from verify.cases import Way
from verify.check import Check, Part
from verify.cluster import Cluster
from verify.connections import Connections
from verify.errors import VerifyError
from verify.session import ProbeSession

Work = Callable[[ProbeSession, Connections], list[Check]]


def prove(
    cluster: Cluster, model: AccessModel, parts: Collection[Part], image: str | None, say: Callable[[str], None]
) -> list[Check]:
    """Run parts of the proof, and return all checks.

    :param image: that of the containers in which programs run; the services' own without one.
    :param say: prints progress.
    :raises VerifyError: if it cannot start, such as when a workload has no pod.
    """
    found: list[Check] = []
    with ProbeSession(cluster, model, image) as session:
        if {Part.NETWORK, Part.HTTP} & set(parts):
            say("creating probes")
            session.send_probes()
        for part in _WORK:
            if part in parts:
                say(f"{part.value}: running")
                found += attempted(part, session)
    return found


def attempted(part: Part, session: ProbeSession) -> list[Check]:
    """Return a part's checks; a part that cannot run is a failed check, and other parts still run."""
    try:
        checks: list[Check] = apart(run, part, session)
    except VerifyError as error:
        return [Check(part, f"the {part.value} part", "completed", "unknown", str(error))]
    return checks


def run(part: Part, session: ProbeSession) -> list[Check]:
    """Return a part's checks.

    :raises VerifyError: if it cannot run.
    """
    return _WORK[part](session, Connections(session))


def _network(session: ProbeSession, connections: Connections) -> list[Check]:
    wanted = [case for case in cases.cases(session.model) if case.request.way is Way.AROUND]
    # Datagrams come first: a pod tells a client only now and then that it refuses, and that uses it up.
    results = [*connections.results(datagrams.cases(session.model)), *connections.results(wanted)]
    found = [check.of(Part.NETWORK, result) for result in results]
    return [*_sidecars(session), *found, *_ipv6(session, connections)]


def _ipv6(session: ProbeSession, connections: Connections) -> Iterator[Check]:
    addresses = session.ipv6()
    yield from ipv6.without(addresses)
    for result in connections.results(ipv6.cases(session.model, addresses)):
        yield check.of(Part.NETWORK, ipv6.judged(result))


def _sidecars(session: ProbeSession) -> Iterator[Check]:
    words = {True: "there", False: "not there"}
    for (identifier, pod), there in session.sidecars.items():
        wanted = words[session.model.workload(identifier).sidecar]
        yield Check(Part.NETWORK, f"{identifier}: sidecar of pod {pod}", wanted, words[there])


def _http(session: ProbeSession, connections: Connections) -> list[Check]:
    wanted = [case for case in cases.cases(session.model) if case.request.way is not Way.AROUND]
    return [check.of(Part.HTTP, result) for result in connections.results(wanted)]


def _egress(session: ProbeSession, connections: Connections) -> list[Check]:
    results = connections.results(egress.cases(session.model))
    return [check.of(Part.EGRESS, result) for result in egress.judged(results)]


_WORK: dict[Part, Work] = {
    Part.NETWORK: _network,
    Part.HTTP: _http,
    Part.TLS: encryption.checks,
    Part.EGRESS: _egress,
    Part.KAFKA: lambda session, _: kafka_access.checks(session),
    Part.CAPTURE: capture.checks,
}
