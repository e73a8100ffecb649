"""The cases that are made of an access model: which there are, and what should become of them."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kafka_on_istio.access.model import AccessModel, Authentication
from verify import capture, cases, datagrams, egress, ipv6, kafka_cases
from verify.access import read
from verify.cases import Case, Kind, Outcome, Way

pytestmark = pytest.mark.unit

COUNTS = Path(__file__).parent / "counts.json"


def counted(model: AccessModel, shipped: dict[str, Any]) -> dict[str, Any]:
    asked = kafka_cases.verdicts(shipped, kafka_cases.cases(shipped))
    logins = kafka_cases.logins(shipped)
    outside = Counter(case.expected.value for case in egress.cases(model))
    sent = Counter(f"{case.request.speaks}: {case.expected.value}" for case in datagrams.cases(model))
    one_each = {it.id: {"a-pod": ("fd00::1",)} for it in model.workloads}
    by_ipv6 = Counter(case.expected.value for case in ipv6.cases(model, one_each))
    none_each = {it.id: {"a-pod": ()} for it in model.workloads}
    return {
        "connections": cases.counts(model),
        "datagrams": dict(sorted(sent.items())),
        "ipv6": dict(sorted(by_ipv6.items())),
        "no ipv6": dict(Counter(check.found for check in ipv6.without(none_each))),
        "egress": dict(sorted(outside.items())),
        "kafka": {"allowed": sum(asked.values()), "refused": len(asked) - sum(asked.values())},
        "logins": {"allowed": sum(logins.values()), "refused": len(logins) - sum(logins.values())},
    }


def test_the_shipped_system_has_the_cases_that_are_checked_in(model: AccessModel, shipped: dict[str, Any]) -> None:
    found = counted(model, shipped)
    assert found == json.loads(COUNTS.read_text())
    assert sum(number for group in found.values() for number in group.values()) > 2000


def called(found: list[Case]) -> set[tuple[Any, ...]]:
    return {
        (case.request.source, case.destination, case.request.method, case.request.path)
        for case in found
        if case.expected is Outcome.ALLOWED
    }


def test_what_is_allowed_is_what_is_declared_and_nothing_else(model: AccessModel) -> None:
    gateway = model.gateway
    assert gateway
    entry = model.entries[0]
    declared = {
        (edge.source, edge.destination, edge.method, edge.path)
        for edge in model.edges
        if edge.authentication is Authentication.MESH and edge.source != gateway.id
    }
    behind = {edge.destination for edge in model.edges if edge.source == gateway.id}
    declared |= {(gateway.id, service, entry.method, entry.path) for service in behind}
    # The gateway is open to whoever has a way to it.
    at_gateway = {case for case in called(cases.cases(model)) if case[1] == gateway.id}
    assert called(cases.cases(model)) - at_gateway == declared
    assert {(method, path) for _, _, method, path in at_gateway} == {(entry.method, entry.path)}
    assert not {source for source, *_ in at_gateway} & {
        it.id for it in model.workloads if it.namespace in model.isolated_namespaces
    }


def test_every_pair_of_workloads_is_tried_through_and_around_sidecars(model: AccessModel) -> None:
    found = cases.cases(model)
    names = {it.id for it in model.workloads}
    captured = {it.id for it in model.workloads if it.sidecar and it != model.gateway}
    pairs = {(case.request.source, case.destination) for case in found if case.request.way is Way.THROUGH}
    assert pairs >= {(a, b) for a in captured for b in names if a != b}
    around = {(case.request.source, case.destination) for case in found if case.request.way is Way.AROUND}
    assert around >= {(a, b) for a in names for b in names if a != b}


def test_each_destination_of_a_declared_call_is_knocked_at_by_a_stranger_whom_the_network_lets_through(
    model: AccessModel,
) -> None:
    strangers = {source.id for source in cases.sources(model) if source.kind is Kind.STRANGER}
    refused = {
        case.destination
        for case in cases.cases(model)
        if case.request.source in strangers and case.expected is Outcome.AUTHORIZATION
    }
    assert refused >= {edge.destination for edge in model.edges if edge.authentication is Authentication.MESH}


def test_each_layer_is_looked_at_where_it_is_the_first_to_refuse(model: AccessModel) -> None:
    def expected(source: str, destination: str, way: Way, port: int, path: str | None = None) -> set[Outcome]:
        return {
            case.expected
            for case in cases.cases(model)
            if (case.request.source, case.destination, case.request.way, case.request.port)
            == (source, destination, way, port)
            and (path is None or (case.request.method, case.request.path) == ("GET", path))
        }

    customer, preference, v2 = "demo-app/customer-v1", "demo-app/preference-v1", "demo-app/recommendation-v2"
    brokers, operator = "kafka/demo-app-log-cluster-kafka", "kafka/strimzi-cluster-operator"
    assert expected(customer, preference, Way.THROUGH, 8080, "/") == {Outcome.ALLOWED}
    assert expected(customer, preference, Way.THROUGH, 8080, "/undeclared") == {Outcome.AUTHORIZATION}
    assert expected(customer, preference, Way.AROUND, 8080) == {Outcome.MUTUAL_TLS}
    assert expected(customer, v2, Way.THROUGH, 8080, "/") == {Outcome.REGISTRY}
    assert expected(customer, v2, Way.AROUND, 8080) == {Outcome.NETWORK}
    assert expected(customer, brokers, Way.THROUGH, 9092) == {Outcome.ALLOWED}
    assert expected(customer, brokers, Way.THROUGH, 9091) == {Outcome.NETWORK}
    assert expected(operator, brokers, Way.AROUND, 9091) == {Outcome.STRIMZI}
    assert expected(operator, brokers, Way.AROUND, 9092) == {Outcome.NETWORK}
    assert expected("elsewhere/preference-v1", preference, Way.THROUGH, 8080, "/") == {Outcome.NETWORK}
    assert expected("demo-app/plain-preference-v1", brokers, Way.AROUND, 9092) == {Outcome.MUTUAL_TLS}


def test_one_declared_call_more_allows_one_call_more(shipped: dict[str, Any], model: AccessModel) -> None:
    changed = copy.deepcopy(shipped)
    edge = next(edge for edge in changed["edges"] if edge["source"] == "demo-app/customer-v1" and edge["method"])
    changed["edges"].append({**edge, "source": "demo-app/consumer-v1", "method": "PUT", "path": "/more"})
    added = called(cases.cases(read(json.dumps(changed)))) - called(cases.cases(model))
    assert added == {("demo-app/consumer-v1", "demo-app/preference-v1", "PUT", "/more")}


def test_who_watches_gets_to_the_metrics_and_nobody_else_does(shipped: dict[str, Any]) -> None:
    watched = copy.deepcopy(shipped)
    workload = {
        "id": "istio-system/prometheus",
        "role": "prometheus",
        "namespace": "istio-system",
        "serviceAccount": "prometheus",
        "principal": "cluster.local/ns/istio-system/sa/prometheus",
        "labels": {"app": "prometheus"},
        "sidecar": False,
        "ports": [],
        "hosts": [],
    }
    scrape = {"destination": "demo-app/customer-v1", "port": 15020, "protocol": "http", "authentication": "network"}
    watched["workloads"].insert(0, workload)
    watched["edges"].append({"source": workload["id"], **scrape})
    model = read(json.dumps(watched))
    assert model.gateway
    assert model.gateway.id == "istio-system/istio-ingressgateway"
    scraped = {
        (case.request.source, case.destination)
        for case in cases.cases(model)
        if case.request.port == 15020 and case.expected is not Outcome.NETWORK
    }
    assert scraped == {("istio-system/prometheus", "demo-app/customer-v1")}


def test_only_who_declares_a_host_outside_gets_there(model: AccessModel) -> None:
    found = egress.cases(model)
    allowed = {(case.request.source, case.destination) for case in found if case.expected is Outcome.ALLOWED}
    assert allowed == {("demo-app/recommendation-v3", "worldclockapi.com")}
    assert {case.request.source for case in found} == {workload.id for workload in model.workloads}
    assert {case.destination for case in found} == {"worldclockapi.com", egress.UNDECLARED}


def with_hosts(shipped: dict[str, Any], *hosts: tuple[str, int, str, str]) -> AccessModel:
    """Return the shipped system's model with other hosts outside: name, port, protocol and the workload."""
    external = [
        {"host": host, "port": port, "protocol": protocol, "sources": [f"demo-app/{who}"]}
        for host, port, protocol, who in hosts
    ]
    return read(json.dumps({**copy.deepcopy(shipped), "externalHosts": external}))


def spoken(model: AccessModel, who: str, way: Way = Way.THROUGH) -> dict[tuple[str, int], tuple[str, Outcome]]:
    """Return what a workload speaks to which host and port outside, and what should become of it."""
    return {
        (case.destination, case.request.port): (case.request.speaks, case.expected)
        for case in egress.cases(model)
        if case.request.source == f"demo-app/{who}" and case.request.way is way
    }


def test_each_host_outside_is_spoken_to_in_its_own_protocol(shipped: dict[str, Any]) -> None:
    model = with_hosts(
        shipped,
        ("web.example.com", 80, "HTTP", "customer-v1"),
        ("pay.example.com", 443, "HTTPS", "customer-v1"),
        ("db.example.com", 5432, "TCP", "customer-v1"),
    )
    assert spoken(model, "customer-v1") == {
        ("web.example.com", 80): ("http", Outcome.ALLOWED),
        ("pay.example.com", 443): ("https", Outcome.ALLOWED),
        ("db.example.com", 5432): ("tcp", Outcome.ALLOWED),
        (egress.UNDECLARED, 80): ("http", Outcome.REGISTRY),
        (egress.UNDECLARED, 443): ("https", Outcome.REGISTRY),
    }
    assert not spoken(model, "customer-v1", Way.AROUND)
    assert {outcome for _, outcome in spoken(model, "preference-v1").values()} == {Outcome.REGISTRY}
    assert {outcome for _, outcome in spoken(model, "preference-v1", Way.AROUND).values()} == {Outcome.NETWORK}


def test_on_a_port_of_its_own_a_workload_speaks_what_its_sidecar_waits_for(shipped: dict[str, Any]) -> None:
    """Plain TCP to a sidecar that waits for HTTP would hang, and nothing would be logged of it."""
    model = with_hosts(
        shipped, ("web.example.com", 8443, "HTTP", "customer-v1"), ("db.example.com", 8443, "TCP", "preference-v1")
    )
    assert spoken(model, "customer-v1")["db.example.com", 8443] == ("http", Outcome.REGISTRY)
    assert spoken(model, "preference-v1")["web.example.com", 8443] == ("tcp", Outcome.REGISTRY)


def test_ports_of_the_kubernetes_api_are_closed_elsewhere_where_its_addresses_are_known(
    shipped: dict[str, Any],
) -> None:
    model = with_hosts(shipped, ("pay.example.com", 443, "HTTPS", "customer-v1"))

    def refused(model: AccessModel) -> set[str]:
        found = [case for case in egress.cases(model) if case.request.way is Way.AROUND and case.request.port == 443]
        assert {case.expected for case in found} == {Outcome.NETWORK}
        return {case.request.source for case in found}

    api = next(item for item in model.infrastructure if item.namespace is None)
    assert len(api.sources) == 3
    assert refused(model) >= {*api.sources, "demo-app/preference-v1"}
    anywhere = copy.deepcopy(shipped)
    next(item for item in anywhere["infrastructure"] if item["namespace"] is None)["addresses"] = []
    assert refused(read(json.dumps(anywhere))) == refused(read(json.dumps(shipped))) - {*api.sources}


def test_datagrams_are_sent_to_whatever_network_policies_close_and_to_nothing_else(model: AccessModel) -> None:
    found = datagrams.cases(model)
    assert {case.expected for case in found} == {Outcome.NETWORK}
    every = cases.sources(model)
    assert {source.kind for source in every} == set(Kind)
    spaces = {source.id: source.namespace for source in every} | {it.id: it.namespace for it in model.workloads}
    closed = {
        (source.id, it.id)
        for source in every
        for it in model.workloads
        if source.id != it.id and {spaces[source.id], spaces[it.id]} & {"demo-app", "kafka"}
    }
    assert {(case.request.source, case.destination) for case in found if case.request.speaks == "icmp"} == closed
    assert {(case.request.source, case.destination) for case in found if case.request.speaks == "udp"} == closed
    brokers = [case for case in found if case.destination == "kafka/demo-app-log-cluster-kafka"]
    ports = {case.request.port for case in brokers if case.request.speaks == "udp"}
    assert ports == {53, 15012, 8443, 9090, 9091, 9092}


def test_each_ipv6_address_of_a_pod_is_tried_as_its_ipv4_address_is(model: AccessModel) -> None:
    preference = "demo-app/preference-v1"
    found: dict[str, dict[str, tuple[str, ...]]] = {it.id: {"pod": ()} for it in model.workloads}
    found[preference] = {"one": ("fe80::1", "fd00::1"), "two": ()}
    tried = ipv6.cases(model, found)
    assert {case.request.host for case in tried} == {"fe80::1", "fd00::1"}
    by_ipv4 = {
        (case.request.source, case.request.port, case.expected)
        for case in cases.cases(model)
        if case.destination == preference and case.request.way is Way.AROUND
    }
    for address in ("fe80::1", "fd00::1"):
        same = {(it.request.source, it.request.port, it.expected) for it in tried if it.request.host == address}
        assert same >= by_ipv4
        assert {source for source, *_ in same} == {it.id for it in cases.sources(model)} - {preference}
    without = [check.subject for check in ipv6.without(found)]
    assert len(without) == len(model.workloads)
    assert f"{preference}: addresses of pod two" in without
    assert f"{preference}: addresses of pod one" not in without


def test_a_case_is_named_by_what_is_sent(model: AccessModel) -> None:
    names = {str(case) for case in datagrams.cases(model)}
    assert "elsewhere/preference-v1 -> demo-app/customer-v1 ICMP echo (around its sidecar)" in names
    assert "elsewhere/preference-v1 -> demo-app/customer-v1:53 UDP (around its sidecar)" in names
    found = {it.id: {"pod": ("fe80::1",)} for it in model.workloads}
    assert "elsewhere/preference-v1 -> demo-app/customer-v1 [fe80::1]:8080 GET / (around its sidecar)" in {
        str(case) for case in ipv6.cases(model, found)
    }


def test_marked_calls_are_looked_for_wherever_they_come_to_and_nowhere_else(shipped: dict[str, Any]) -> None:
    lonely = copy.deepcopy(shipped)
    lonely["edges"] = [
        edge for edge in lonely["edges"] if edge["source"] != "demo-app/customer-v1" or not edge["method"]
    ]
    gateway = "istio-system/istio-ingressgateway"
    assert capture.reached(read(json.dumps(lonely)), gateway) == [gateway, "demo-app/customer-v1"]
    assert set(capture.reached(read(json.dumps(shipped)), gateway)) == {
        gateway,
        *(f"demo-app/{name}" for name in ("customer-v1", "preference-v1")),
        *(f"demo-app/recommendation-{version}" for version in ("v1", "v2", "v3")),
    }
