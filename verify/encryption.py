"""Checks each allowed edge: its TLS, the identities at both ends, and attempts without TLS or a certificate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kafka_on_istio.access.model import AccessModel, Authentication, Edge
from verify import certificates
from verify.cases import Case, Outcome, Request, Way, by_request, cases
from verify.check import Check, Part
from verify.connections import Connections, Observation
from verify.session import ProbeSession

_VERSIONS = ("TLSv1.2", "TLSv1.3")
_ROOT = ("istio-ca-root-cert", "root-cert.pem")


def checks(session: ProbeSession, connections: Connections) -> list[Check]:
    """Return the checks of every edge that Istio's mutual TLS allows."""
    model = session.model
    called = by_request(case for case in cases(model) if _is_edge(model, case))
    used = connections.observe(called)
    edges = [edge for edge in model.edges if edge.authentication is Authentication.MESH]
    bare = connections.observe(by_request(_case(edge, speaks) for edge in edges for speaks in ("http", "mesh")))
    root = session.cluster.config_map(model.kafka.namespace, _ROOT[0])[_ROOT[1]]
    by_edge = {
        (case.request.source, case.destination, case.request.speaks): [
            it for it in used[request] if it.arrived == case.destination and it.result(case).is_as_declared
        ]
        for request, of in called.items()
        for case in of
    }
    found: list[Check] = []
    for edge in edges:
        speaks = "http" if edge.method else "kafka"
        met = by_edge.get((edge.source, edge.destination, speaks), [])
        found += [
            *_used(model, edge, met),
            *_bare(model, edge, bare, root),
        ]
    return found


def _is_edge(model: AccessModel, case: Case) -> bool:
    if case.expected is not Outcome.ALLOWED or case.request.way is Way.AROUND:
        return False
    workloads = {workload.id for workload in model.workloads}
    return case.request.source in workloads and case.destination != (model.gateway and model.gateway.id)


def _case(edge: Edge, speaks: str) -> Case:
    request = Request(
        edge.source, Way.AROUND, speaks, None, edge.destination, edge.port, *(("GET", "/") if speaks == "http" else ())
    )
    return Case(request, edge.destination, Outcome.MUTUAL_TLS)


def _used(model: AccessModel, edge: Edge, met: list[Observation]) -> Iterator[Check]:
    """Yield the log lines of the sidecars at both ends of the declared call."""
    client, server = model.workload(edge.source), model.workload(edge.destination)
    own = [it.own for it in met if it.own]
    theirs = [line for it in met for line in it.theirs.get(edge.destination, ()) if line.get("downstream_tls_version")]
    versions = {str(line.get("upstream_tls_version")) for line in own}
    versions |= {str(line.get("downstream_tls_version")) for line in theirs}
    ciphers = {str(line.get("upstream_tls_cipher")) for line in own}
    yield _check(
        edge,
        "TLS",
        "1.2 or 1.3",
        "1.2 or 1.3" if met and versions <= set(_VERSIONS) else _list(versions),
        f"{_list(versions)} {_list(ciphers)}",
    )
    yield _same(edge, "server's identity", server.principal, (str(it.get("upstream_peer_uri_san")) for it in own))
    yield _same(edge, "client's identity", client.principal, (str(it.get("downstream_peer_uri_san")) for it in theirs))


def _bare(model: AccessModel, edge: Edge, bare: Mapping[Request, list[Observation]], root: str) -> Iterator[Check]:
    """Yield the outcomes of plaintext, and of TLS without a client certificate."""
    plain = _case(edge, "http")
    result = bare[plain.request][-1].result(plain)
    refused = f"refused by {Outcome.MUTUAL_TLS.value}"
    found = refused if result.is_as_declared else result.outcome.value
    yield _check(edge, "plaintext", refused, found, result.evidence)
    seen = bare[_case(edge, "mesh").request][-1].seen
    yield from _certificate(model, edge, seen, root)


def _certificate(model: AccessModel, edge: Edge, seen: Mapping[str, Any], root: str) -> Iterator[Check]:
    if not seen.get("certificate"):
        yield _check(
            edge, "server's certificate", "shown", str(seen.get("error") or "not shown"), str(seen.get("text"))
        )
        return
    facts = certificates.facts(bytes.fromhex(seen["certificate"]), root)
    server = model.workload(edge.destination)
    shown = f"{facts.issuer}, until {facts.expires:%Y-%m-%d %H:%M} UTC"
    yield _same(edge, "identity in the certificate", server.principal, facts.identities)
    yield _check(
        edge, "issuer", "the mesh's authority", "the mesh's authority" if facts.signed_by_root else facts.issuer, shown
    )
    yield _check(edge, "expiry", "in the future", "in the future" if certificates.holds(facts) else "past", shown)
    answered = seen.get("answer") is not None and seen["answer"] != ""
    yield _check(
        edge, "no client certificate", "refused", "let in" if answered else "refused", str(seen.get("refusal"))
    )


def _same(edge: Edge, what: str, principal: str, found: Iterable[str]) -> Check:
    """Return whether an identity is the declared one; what else it is is told in its place."""
    seen = _list(found)
    declared = f"spiffe://{principal}"
    return _check(edge, what, "as declared", "as declared" if seen == declared else seen, declared)


def _check(edge: Edge, what: str, expected: str, found: str, evidence: str = "") -> Check:
    called = f" {edge.method} {edge.path}" if edge.method else ""
    return Check(
        Part.TLS, f"{edge.source} -> {edge.destination}:{edge.port}{called}: {what}", expected, found, evidence
    )


def _list(values: Iterable[str]) -> str:
    return ", ".join(sorted(set(values))) or "not seen"
