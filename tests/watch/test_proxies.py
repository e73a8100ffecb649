"""What is read out of the access logs of sidecars."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.watch.graph import graph
from lab.watch.proxies import Proxies
from lab.watch.watch import Watch
from tests.watch.example import model

pytestmark = pytest.mark.unit

CUSTOMER = "cluster.local/ns/app/sa/customer-v1"
PRINCIPALS = {CUSTOMER: "app/customer-v1"}


def line(**more: Any) -> str:
    return json.dumps(
        {
            "upstream_cluster": "inbound|8080||;",
            "downstream_peer_uri_san": f"spiffe://{CUSTOMER}",
            "downstream_tls_version": "TLSv1.3",
            "downstream_tls_cipher": "TLS_AES_128_GCM_SHA256",
            "response_code": 200,
            **more,
        }
    )


def test_calls_and_errors_are_counted_by_who_called_whom() -> None:
    proxies = Proxies(PRINCIPALS)
    for code in (200, 200, 503):
        proxies.take("app/preference-v1", line(response_code=code))
    assert proxies.facts("app/customer-v1", "app/preference-v1") == (
        ("seen by its sidecar", "3"),
        ("errors", "1"),
        ("caller", f"spiffe://{CUSTOMER}"),
        ("TLS", "TLSv1.3 TLS_AES_128_GCM_SHA256"),
    )
    assert proxies.facts("app/customer-v1", "app/preference-v2") == ()


@pytest.mark.parametrize(
    "other",
    [
        "2026-11-24T19:11:29Z info Envoy proxy is ready",
        "[1]",
        line(upstream_cluster="outbound|8080||x"),
        line(downstream_peer_uri_san="spiffe://cluster.local/ns/app/sa/stranger"),
        line(downstream_peer_uri_san=None),
    ],
)
def test_what_is_no_call_of_a_declared_workload_is_passed_over(other: str) -> None:
    proxies = Proxies(PRINCIPALS)
    proxies.take("app/preference-v1", other)
    assert proxies.facts("app/customer-v1", "app/preference-v1") == ()


def test_the_page_shows_it_at_the_edge() -> None:
    proxies = Proxies(PRINCIPALS)
    watch = Watch("lab", graph(model()), proxies)
    proxies.take("app/preference-v1", line())
    edges = {edge["id"]: dict(edge["facts"]) for edge in watch.state({})["graph"]["edges"]}
    assert edges["app/customer-v1 > app/preference-v1"]["TLS"].startswith("TLSv1.3")
    assert "TLS" not in edges["app/customer-v1 > app/preference-v2"]
