"""When the logs have told enough of a connection."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from verify.cases import Outcome, Request, Way
from verify.connections import Connections, Observation
from verify.session import ProbeSession

pytestmark = pytest.mark.unit

REQUEST = Request("shop/a", Way.THROUGH, "tcp", None, "shop/b", 9092)
OWN = {"upstream_host": "10.0.0.2:9092", "upstream_tls_version": "TLSv1.3", "upstream_cluster": "outbound|9092||b;"}


def told(observation: Observation, *, sidecar: bool = True) -> bool:
    model = SimpleNamespace(workload=lambda _: SimpleNamespace(sidecar=sidecar))
    session: Any = SimpleNamespace(model=model)
    return Connections(session)._is_told(observation)


def observed(
    monkeypatch: pytest.MonkeyPatch, outcome: Outcome, theirs: tuple[Any, ...], arrived: str | None
) -> Observation:
    monkeypatch.setattr("verify.judge.outcome", lambda *_: (outcome, ""))
    return Observation(REQUEST, {"answer": "in"}, OWN, {"shop/b": theirs}, arrived)


def test_what_was_let_through_is_told_once_the_servers_sidecar_has_logged_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not told(observed(monkeypatch, Outcome.ALLOWED, (), "shop/b"))
    assert told(observed(monkeypatch, Outcome.ALLOWED, ({"downstream_tls_version": "TLSv1.3"},), "shop/b"))


def test_nothing_more_is_waited_for_where_nothing_will_be_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(observed(monkeypatch, Outcome.ALLOWED, (), "shop/b"), sidecar=False)
    assert told(observed(monkeypatch, Outcome.ALLOWED, (), None))
    assert told(observed(monkeypatch, Outcome.NETWORK, (), "shop/b"))


def pod(name: str, address: str, *ports: int) -> dict[str, Any]:
    containers = [{"name": "kafka", "ports": [{"containerPort": port} for port in ports]}]
    metadata = {"name": name, "namespace": "kafka", "labels": {}}
    return {"metadata": metadata, "spec": {"containers": containers}, "status": {"podIP": address}}


def test_a_port_is_tried_on_a_pod_that_listens_on_it() -> None:
    """Kafka's controllers have no port for clients, its brokers none of the control plane."""
    workload = SimpleNamespace(id="kafka/brokers", namespace="kafka", labels={}, sidecar=False)
    found = [pod("brokers-0", "10.0.0.1", 9091, 9092), pod("controllers-1", "10.0.0.2", 9090)]
    cluster: Any = SimpleNamespace(sweep=lambda: None, pods=lambda *_: found)
    model: Any = SimpleNamespace(workloads=[workload], users=[])
    session = ProbeSession(cluster, model, "image").__enter__()
    assert session.address("kafka/brokers", 9092) == "10.0.0.1"
    assert session.address("kafka/brokers", 9090) == "10.0.0.2"
    assert session.address("kafka/brokers", 15020) == "10.0.0.1"
