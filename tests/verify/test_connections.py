"""When the logs have told enough of a connection."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from verify.cases import Outcome, Request, Way
from verify.connections import Connections, Observation

pytestmark = pytest.mark.unit

REQUEST = Request("shop/a", Way.THROUGH, "tcp", None, "shop/b", 9092)
OWN = {"upstream_host": "10.0.0.2:9092", "upstream_tls_version": "TLSv1.3", "upstream_cluster": "outbound|9092||b;"}


def told(observation: Observation, *, sidecar: bool = True) -> bool:
    model = SimpleNamespace(workload=lambda _: SimpleNamespace(sidecar=sidecar))
    crew: Any = SimpleNamespace(model=model)
    return Connections(crew)._is_told(observation)


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
