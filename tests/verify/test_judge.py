"""What became of a connection, told from what its client saw and what sidecars logged."""

from __future__ import annotations

from typing import Any

import pytest

from verify import egress, evidence, ipv6, judge
from verify.cases import Case, Outcome, Request, Way

pytestmark = pytest.mark.unit

PEER = {"upstream_peer_uri_san": "spiffe://cluster.local/ns/a/sa/b"}
RBAC = {"connection_termination_details": "rbac_access_denied_matched_policy[none]"}
NO_CHAIN = {"response_code_details": "filter_chain_not_found"}


def seen(stage: str = "done", **rest: Any) -> dict[str, Any]:
    return {"stage": stage, **rest}


@pytest.mark.parametrize(
    ("speaks", "saw", "own", "theirs", "outcome"),
    [
        ("http", seen(status=200), {"response_flags": "-", **PEER}, [], Outcome.ALLOWED),
        ("http", seen(status=404), {"response_flags": "-", **PEER}, [], Outcome.ALLOWED),
        ("http", seen(status=403, text="RBAC: access denied"), {"response_flags": "-"}, [], Outcome.AUTHORIZATION),
        ("http", seen(status=403, text="not today"), {"response_flags": "-"}, [], Outcome.ALLOWED),
        ("http", seen(status=502), {"route_name": "block_all"}, [], Outcome.REGISTRY),
        ("http", seen(status=503), {"response_flags": "UF,URX"}, [], Outcome.NETWORK),
        ("http", seen("exchange", error="TIMEOUT"), {"response_flags": "DC"}, [], Outcome.NETWORK),
        ("http", seen("exchange", error="TIMEOUT"), {"response_flags": "DC", **PEER}, [], Outcome.UNKNOWN),
        ("http", seen(status=200), None, [], Outcome.UNKNOWN),
        ("kafka", seen(answer="00"), {"response_flags": "-", **PEER}, [], Outcome.ALLOWED),
        ("kafka", seen(answer=""), {"response_flags": "-", **PEER}, [RBAC], Outcome.AUTHORIZATION),
        ("kafka", seen(answer=""), {"response_flags": "-", **PEER}, [], Outcome.UNKNOWN),
        ("kafka", seen("exchange", error="ECONNRESET"), {"response_flags": "UF"}, [], Outcome.NETWORK),
        (
            "kafka",
            seen("exchange", error="ECONNRESET"),
            {"upstream_cluster": "BlackHoleCluster;"},
            [],
            Outcome.REGISTRY,
        ),
        ("tls", seen(refusal="TLSV13_ALERT_CERTIFICATE_REQUIRED"), {"response_flags": "-"}, [], Outcome.STRIMZI),
        ("tls", seen(answer="aa"), {"response_flags": "-"}, [], Outcome.ALLOWED),
    ],
)
def test_through_a_sidecar(
    speaks: str, saw: dict[str, Any], own: dict[str, Any] | None, theirs: list[Any], outcome: Outcome
) -> None:
    assert judge.outcome(Way.THROUGH, speaks, saw, own, theirs)[0] is outcome


DATABASE, OTHER = "outbound|5432||db.example.com;", "outbound|5432||other.example.com;"
REACHED = {"response_flags": "-", "upstream_host": "198.51.100.7:5432"}


@pytest.mark.parametrize(
    ("speaks", "saw", "own", "outcome"),
    [
        ("tcp", seen(open=True), REACHED | {"upstream_cluster": DATABASE}, Outcome.ALLOWED),
        # All of a port's plain TCP goes to the one host that the sidecar knows there.
        ("tcp", seen(open=True), REACHED | {"upstream_cluster": OTHER}, Outcome.REGISTRY),
        ("tcp", seen(open=False), {"upstream_cluster": "BlackHoleCluster;"}, Outcome.REGISTRY),
        ("tcp", seen(open=False), {**REACHED, "response_flags": "UF", "upstream_cluster": DATABASE}, Outcome.NETWORK),
        # Open on the client's side, while the sidecar still waits for the other end.
        ("tcp", seen(open=True), {"response_flags": "-", "upstream_cluster": DATABASE}, Outcome.NETWORK),
        ("https", seen(tls="TLSv1.3"), REACHED | {"upstream_cluster": DATABASE}, Outcome.ALLOWED),
        ("https", seen("exchange", error="ECONNRESET"), {"upstream_cluster": "BlackHoleCluster;"}, Outcome.REGISTRY),
        ("https", seen("exchange", error="TIMEOUT"), {"upstream_cluster": DATABASE}, Outcome.NETWORK),
    ],
)
def test_to_a_host_outside(speaks: str, saw: dict[str, Any], own: dict[str, Any], outcome: Outcome) -> None:
    assert judge.outcome(Way.THROUGH, speaks, saw, own, [], "db.example.com")[0] is outcome


@pytest.mark.parametrize(
    ("speaks", "saw", "theirs", "outcome"),
    [
        ("https", seen(tls="TLSv1.3"), [], Outcome.ALLOWED),
        ("tcp", seen(open=True), [], Outcome.ALLOWED),
        ("http", seen("connect", error="EHOSTUNREACH"), [], Outcome.NETWORK),
        ("http", seen("connect", error="TIMEOUT"), [], Outcome.NETWORK),
        ("http", seen("connect", error="ECONNREFUSED"), [], Outcome.NOBODY),
        ("http", seen("exchange", error="ECONNRESET"), [NO_CHAIN], Outcome.MUTUAL_TLS),
        ("http", seen("exchange", error="ECONNRESET"), [], Outcome.UNKNOWN),
        ("http", seen("resolve", error="NO_NAME"), [], Outcome.UNKNOWN),
        ("http", seen(status=200), [], Outcome.ALLOWED),
        ("http", seen(status=403, text="RBAC: access denied"), [], Outcome.AUTHORIZATION),
        ("kafka", seen(answer=""), [RBAC], Outcome.AUTHORIZATION),
        ("kafka", seen(answer="00"), [], Outcome.ALLOWED),
        ("mesh", seen(refusal="TLSV13_ALERT_CERTIFICATE_REQUIRED"), [], Outcome.MUTUAL_TLS),
        ("mesh", seen(answer="00"), [], Outcome.ALLOWED),
        # What nobody listens for has come to the pod all the same.
        ("udp", seen("connect", error="ECONNREFUSED"), [], Outcome.NOBODY),
        ("udp", seen(answer="00"), [], Outcome.ALLOWED),
        ("udp", seen("connect", error="EHOSTUNREACH"), [], Outcome.NETWORK),
        ("udp", seen("connect", error="EPERM"), [], Outcome.NETWORK),
        ("udp", seen("connect", error="TIMEOUT"), [], Outcome.NETWORK),
        ("icmp", seen(answer="00"), [], Outcome.ALLOWED),
        ("icmp", seen("connect", error="TIMEOUT"), [], Outcome.NETWORK),
        ("icmp", seen("socket", error="EACCES"), [], Outcome.UNKNOWN),
        ("http", seen("connect", error="EADDRNOTAVAIL"), [], Outcome.NETWORK),
    ],
)
def test_around_a_sidecar(speaks: str, saw: dict[str, Any], theirs: list[Any], outcome: Outcome) -> None:
    assert judge.outcome(Way.AROUND, speaks, saw, None, theirs)[0] is outcome


def test_a_pod_that_lets_no_echo_be_sent_is_told_in_words() -> None:
    shown = judge.outcome(Way.AROUND, "icmp", seen("socket", error="EACCES"), None, [])[1]
    assert shown == "EACCES at socket, its pod lets no such socket be made (net.ipv4.ping_group_range)"


def outside(way: Way, expected: Outcome, saw: dict[str, Any], own: dict[str, Any] | None = None) -> judge.Result:
    request = Request("demo-app/a", way, "https", egress.UNDECLARED, egress.UNDECLARED, 443)
    return judge.result(Case(request, egress.UNDECLARED, expected), saw, own, [])


def test_silence_is_no_refusal_where_the_network_says_that_it_refuses() -> None:
    silent = outside(Way.AROUND, Outcome.NETWORK, seen("connect", error="TIMEOUT", icmp=None))
    unreached = outside(Way.AROUND, Outcome.NETWORK, seen("connect", error="EHOSTUNREACH", icmp=1))
    prohibited = outside(Way.AROUND, Outcome.NETWORK, seen("connect", error="EHOSTUNREACH", icmp=13))
    black_hole = outside(
        Way.THROUGH, Outcome.REGISTRY, seen("exchange", error="ECONNRESET"), {"upstream_cluster": "BlackHoleCluster"}
    )
    assert [it.is_as_declared for it in egress.judged([silent, unreached, black_hole])] == [True, True, True]
    found = egress.judged([silent, unreached, prohibited, black_hole])
    assert [it.outcome for it in found] == [Outcome.SILENCE, Outcome.SILENCE, Outcome.NETWORK, Outcome.REGISTRY]


def test_a_declared_port_may_be_closed_by_ipv6_and_a_refused_one_must_not_be_reached() -> None:
    def found(expected: Outcome) -> judge.Result:
        request = Request("demo-app/a", Way.AROUND, "http", "fd00::1", "demo-app/b", 8080)
        saw = seen("connect", error="ECONNREFUSED")
        return ipv6.judged(judge.result(Case(request, "demo-app/b", expected), saw, None, []))

    assert found(Outcome.MUTUAL_TLS).is_as_declared
    assert found(Outcome.NETWORK).outcome is Outcome.NOBODY


@pytest.mark.parametrize(
    ("status", "own", "outcome"),
    [
        (403, {"response_code_details": "rbac_access_denied_matched_policy[none]"}, Outcome.AUTHORIZATION),
        # The gateway let it in; that a service refused it is no merit of the gateway's.
        (403, {"response_code_details": "via_upstream", "upstream_host": "10.0.0.1:8080"}, Outcome.ALLOWED),
        (200, {"response_code_details": "via_upstream", "upstream_host": "10.0.0.1:8080"}, Outcome.ALLOWED),
        (404, {"response_flags": "NR"}, Outcome.UNKNOWN),
    ],
)
def test_through_the_gateway(status: int, own: dict[str, Any], outcome: Outcome) -> None:
    saw = seen(status=status, text="RBAC: access denied" if status == 403 else "")
    assert judge.outcome(Way.ENTRY, "http", saw, own, [])[0] is outcome


def test_a_log_is_read_from_a_moment_on_whatever_else_stands_in_it() -> None:
    log = [
        "2026-11-24T19:00:00Z info Envoy proxy is ready",
        '{"start_time": "2026-11-24T19:00:01.000Z", "downstream_remote_address": "10.0.0.1:1"}',
        '{"start_time": "2026-11-24T19:00:03.500Z", "downstream_remote_address": "10.0.0.1:2"}',
        '{"start_time": "2026-11-24T19:00:0',
    ]
    since = 1795546803.0
    assert [line["downstream_remote_address"] for line in evidence.lines(log, since)] == ["10.0.0.1:2"]
    assert evidence.lines(log, since + 1) == []
