"""Who reads metrics, which there are, and what Prometheus warns of."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.program import Program
from kafka_on_istio.access.derivation import access_model
from kafka_on_istio.access.model import Authentication
from kafka_on_istio.charts import alerts
from kafka_on_istio.charts import values as charts
from kafka_on_istio.policies.network_policies import listener_peers
from kafka_on_istio.settings.settings import Settings
from tests.program.derived import policies
from tests.program.summary import ROOT

pytestmark = pytest.mark.unit

Load = Callable[..., Settings]
SERVICES = Path(__file__).parents[2] / "services"


def readers(settings: Settings, port: int) -> dict[str, list[Any]]:
    """Return who may open a port by NetworkPolicy, by ``namespace/name`` of the policy; None is anyone."""
    return {
        f"{item['metadata']['namespace']}/{item['metadata']['name']}": [
            peer
            for rule in item["spec"].get("ingress", [])
            if {"protocol": "TCP", "port": port} in rule["ports"]
            for peer in rule.get("from", [None])
        ]
        for item in policies(settings)
        if item["kind"] == "NetworkPolicy" and "Ingress" in item["spec"]["policyTypes"]
        if item["metadata"]["name"] != "default-deny"
    }


def test_with_full_monitoring_prometheus_alone_reads_the_metrics_of_every_sidecar(settings: Load) -> None:
    found = readers(settings(monitoring="full"), 15020)
    prometheus = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-system"}},
        "podSelector": {
            "matchLabels": {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/component": "server"}
        },
    }
    assert found.pop("kafka/strimzi-cluster-operator-access") == []
    assert len(found) == 8
    assert all(peers == [prometheus] for peers in found.values())


def test_with_basic_monitoring_prometheus_alone_reads_them_where_there_is_one(settings: Load) -> None:
    (peer,) = readers(settings(), 15020)["demo-app/customer-v1-access"]
    assert "prometheus" in str(peer)
    assert readers(settings(prometheus=False), 15020)["demo-app/customer-v1-access"] == []
    assert "istio-system/prometheus" not in {item.id for item in access_model(settings()).workloads}


def test_prometheus_may_read_metrics_and_nothing_else(settings: Load) -> None:
    loaded = settings(monitoring="full")
    edges = access_model(loaded).out_of("istio-system/prometheus")
    assert {(edge.port, edge.authentication) for edge in edges} == {(15020, Authentication.NETWORK)}
    assert not any("prometheus" in str(peer) for peer in listener_peers(access_model(loaded)))
    for item in policies(loaded):
        if item["kind"] == "AuthorizationPolicy":
            assert "prometheus" not in str(item)


def test_prometheus_reaches_pods_and_the_kubernetes_api_and_nothing_outside(settings: Load) -> None:
    loaded = settings(monitoring="full", apiServerAddresses=["10.96.0.1/32"])
    (spec,) = [item["spec"] for item in policies(loaded) if item["metadata"]["name"] == "prometheus-access"]
    assert spec["policyTypes"] == ["Egress"]
    blocks = [peer["ipBlock"]["cidr"] for rule in spec["egress"] for peer in rule["to"] if "ipBlock" in peer]
    assert blocks == ["10.96.0.1/32"]
    assert {"namespaceSelector": {}} in [peer for rule in spec["egress"] for peer in rule["to"]]
    assert not [item for item in policies(settings()) if item["metadata"]["name"] == "prometheus-access"]


def kafka_spec(**config: Any) -> dict[str, Any]:
    """Return the spec of Kafka's brokers in the stack dev."""
    preview = Program(ROOT).preview(stack="dev", config=config)
    spec: dict[str, Any] = preview.one("kubernetes:kafka.strimzi.io/v1:Kafka").inputs["spec"]["kafka"]
    return spec


@pytest.mark.program
def test_sidecars_expose_kafkas_metrics() -> None:
    spec = kafka_spec(monitoring="full")
    assert spec["metricsConfig"]["type"] == "strimziMetricsReporter"
    assert spec["template"]["pod"]["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9404",
        "prometheus.io/path": "/metrics",
    }
    assert "metricsConfig" not in kafka_spec()


def test_prometheus_is_given_the_rules_only_where_it_is_to_warn(settings: Load) -> None:
    rules = charts.prometheus(settings(monitoring="full"))["serverFiles"]["alerting_rules.yml"]
    assert rules == {"groups": alerts.groups()}
    assert "serverFiles" not in charts.prometheus(settings())


def test_every_metric_of_a_rule_is_one_that_is_collected() -> None:
    expressions = " ".join(rule["expr"] for group in alerts.groups() for rule in group["rules"])
    own = set(re.findall(r"kafka_records_\w+", expressions))
    brokers = set(re.findall(r"kafka_(?:controller|server)_\w+", expressions))
    source = "".join(path.read_text() for path in SERVICES.glob("*.py"))
    assert len(own) == 3
    assert all(f'"{name.removesuffix("_total")}"' in source for name in own)
    assert len(brokers) == 4
    assert all(any(re.fullmatch(pattern, name) for pattern in alerts.KAFKA_METRICS) for name in brokers)
