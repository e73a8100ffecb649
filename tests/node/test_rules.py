"""What goes to a Service, and what NetworkPolicies let through, as rules."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from lab.node import rules
from lab.node.rules import Cluster

pytestmark = pytest.mark.unit

NODE = IPv4Address("10.192.0.1")


def pod(name: str, address: str, namespace: str = "demo", **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "main", "ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"podIP": address},
    }


def namespace(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}}


def policy(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": "demo"}, "spec": spec}


CUSTOMER = pod("customer-1", "10.192.0.2", app="customer")
PREFERENCE = pod("preference-1", "10.192.0.3", app="preference")
STRANGER = pod("stranger-1", "10.192.0.4", "elsewhere", app="customer")
CLUSTER = Cluster((CUSTOMER, PREFERENCE, STRANGER), (namespace("demo"), namespace("elsewhere")), (), (), ())


def service(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "preference", "namespace": "demo"},
        "spec": {"clusterIP": "10.192.128.9", "ports": [{"name": "http", "port": 80}], **spec},
    }


def endpoint_slice(*endpoints: tuple[str, bool]) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "preference-x",
            "namespace": "demo",
            "labels": {"kubernetes.io/service-name": "preference"},
        },
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": ready}} for address, ready in endpoints],
    }


def services(*endpoints: tuple[str, bool], **spec: Any) -> str:
    cluster = replace(CLUSTER, services=(service(**spec),), slices=(endpoint_slice(*endpoints),))
    return "\n".join(rules.service_chains(cluster))


def test_a_service_leads_to_its_ready_endpoint_alone() -> None:
    text = services(("10.192.0.3", True), ("10.192.0.5", False))
    assert "ip daddr 10.192.128.9 tcp dport 80 dnat ip to 10.192.0.3:8080" in text
    assert "10.192.0.5" not in text


def test_a_service_with_two_endpoints_takes_each_as_often() -> None:
    text = services(("10.192.0.3", True), ("10.192.0.5", True))
    assert "numgen random mod 2 map { 0 : 10.192.0.3 . 8080, 1 : 10.192.0.5 . 8080 }" in text


def test_a_service_without_ready_endpoints_refuses() -> None:
    text = services(("10.192.0.3", False))
    assert "ip daddr 10.192.128.9 tcp dport 80 reject" in text
    assert "dnat" not in text


def test_a_service_that_publishes_unready_endpoints_leads_to_them() -> None:
    assert "dnat ip to 10.192.0.3:8080" in services(("10.192.0.3", False), publishNotReadyAddresses=True)


def test_a_headless_service_has_no_rule() -> None:
    text = services(("10.192.0.3", True), clusterIP="None")
    assert "dnat" not in text
    assert "reject" not in text


def chains(*policies: dict[str, Any], of: dict[str, Any] = PREFERENCE) -> dict[str, list[str]]:
    cluster = replace(CLUSTER, policies=policies)
    result = {}
    for chain in rules.policy_chains(of, cluster, NODE):
        first, *lines, _ = chain.splitlines()
        result[first.split()[1]] = [line.strip() for line in lines[1:]]
    return result


def test_a_pod_that_no_policy_selects_is_open() -> None:
    assert chains() == {"input": [], "output": []}
    assert chains(policy(podSelector={"matchLabels": {"app": "other"}}, policyTypes=["Ingress"]))["input"] == []


def test_default_deny_lets_in_its_node_and_answers_alone() -> None:
    found = chains(policy(podSelector={}, policyTypes=["Ingress", "Egress"]))
    assert found["input"] == [
        "ct state established,related accept",
        "iif lo accept",
        "ip saddr 10.192.0.1 accept",
        "reject with icmp type admin-prohibited",
    ]
    assert found["output"] == [
        "ct state established,related accept",
        "oif lo accept",
        "ip daddr 127.0.0.0/8 accept",
        "reject with icmp type admin-prohibited",
    ]


def test_a_peer_without_a_namespace_selector_is_of_the_policys_own_namespace() -> None:
    rule = {"from": [{"podSelector": {"matchLabels": {"app": "customer"}}}], "ports": [{"port": 8080}]}
    found = chains(policy(podSelector={}, policyTypes=["Ingress"], ingress=[rule]))
    assert "ip saddr { 10.192.0.2 } tcp dport 8080 accept" in found["input"]


def test_both_selectors_of_a_peer_must_match() -> None:
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "elsewhere"}},
        "podSelector": {"matchLabels": {"app": "customer"}},
    }
    found = chains(policy(podSelector={}, policyTypes=["Ingress"], ingress=[{"from": [peer]}]))
    assert "ip saddr { 10.192.0.4 } accept" in found["input"]


def test_a_peer_that_nothing_matches_lets_nothing_in() -> None:
    peer = {"podSelector": {"matchLabels": {"app": "nobody"}}}
    found = chains(policy(podSelector={}, policyTypes=["Ingress"], ingress=[{"from": [peer]}]))
    assert [line for line in found["input"] if "accept" in line and "saddr" in line] == ["ip saddr 10.192.0.1 accept"]


def test_an_address_range_leaves_out_its_exceptions() -> None:
    block = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "172.16.0.0/12"]}}
    rule = {"to": [block], "ports": [{"port": 80, "protocol": "TCP"}]}
    found = chains(policy(podSelector={}, policyTypes=["Egress"], egress=[rule]))
    assert "ip daddr 0.0.0.0/0 ip daddr != { 10.0.0.0/8, 172.16.0.0/12 } tcp dport 80 accept" in found["output"]
    assert found["input"] == []


def test_an_address_range_of_ipv6_lets_nothing_out_for_no_pod_has_such_an_address() -> None:
    block = {"ipBlock": {"cidr": "fd00::/8"}}
    found = chains(policy(podSelector={}, policyTypes=["Egress"], egress=[{"to": [block]}]))
    assert not [line for line in found["output"] if "fd00" in line]


def test_a_port_may_be_named_and_a_range() -> None:
    rule = {"ports": [{"port": "http"}, {"port": 9000, "endPort": 9010}, {"port": 53, "protocol": "UDP"}]}
    found = chains(policy(podSelector={}, policyTypes=["Ingress"], ingress=[rule]))
    assert {"tcp dport 8080 accept", "tcp dport 9000-9010 accept", "udp dport 53 accept"} <= set(found["input"])


def test_a_rule_without_peers_and_ports_lets_all_in() -> None:
    assert "accept" in chains(policy(podSelector={}, ingress=[{}]))["input"]


def test_policies_add_up() -> None:
    one = policy(podSelector={}, policyTypes=["Ingress"])
    two = policy(podSelector={}, policyTypes=["Ingress"], ingress=[{"ports": [{"port": 15020}]}])
    assert "tcp dport 15020 accept" in chains(one, two)["input"]
