"""The status of a pod, and what probes come to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lab.node.probes import Judgement, Settings
from lab.node.status import Kind, Record, Running, Terminated, Waiting, conditions, phase

pytestmark = pytest.mark.unit

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ENDED = Terminated(0, NOW, NOW)
FAILED = Terminated(3, NOW, NOW)


def record(kind: Kind, state: Any, **more: Any) -> Record:
    container = {"name": kind.name.lower(), "image": "services:1", **more.pop("container", {})}
    return Record(container, kind, state, attempt=0 if not isinstance(state, Waiting) else -1, **more)


def pod(policy: str = "Always") -> dict[str, Any]:
    return {"spec": {"restartPolicy": policy}}


def test_a_pod_is_pending_until_its_init_containers_are_done() -> None:
    waiting = record(Kind.MAIN, Waiting("PodInitializing"))
    assert phase(pod(), [record(Kind.INIT, Running(NOW, 1)), waiting]) == "Pending"
    assert phase(pod(), [record(Kind.INIT, ENDED), record(Kind.MAIN, Running(NOW, 1))]) == "Running"


def test_a_sidecar_lets_the_others_start_once_it_has_started() -> None:
    sidecar = record(Kind.INIT, Running(NOW, 1), container={"restartPolicy": "Always"})
    assert not sidecar.done
    sidecar.started = True
    assert sidecar.done


@pytest.mark.parametrize(
    ("policy", "state", "expected"),
    [
        ("Never", ENDED, "Succeeded"),
        ("Never", FAILED, "Failed"),
        ("OnFailure", ENDED, "Succeeded"),
        ("OnFailure", FAILED, "Running"),
        ("Always", ENDED, "Running"),
    ],
)
def test_what_a_pod_comes_to_when_its_container_ends(policy: str, state: Terminated, expected: str) -> None:
    assert phase(pod(policy), [record(Kind.MAIN, state)]) == expected


def test_a_pod_is_ready_when_all_its_containers_are() -> None:
    one, two = (record(Kind.MAIN, Running(NOW, 1), ready=True, started=True) for _ in range(2))
    found = {item["type"]: item for item in conditions(pod(), [one, two], [], NOW, sandbox=True)}
    assert found["Ready"]["status"] == "True"
    two.ready = False
    found = {item["type"]: item for item in conditions(pod(), [one, two], [], NOW, sandbox=True)}
    assert found["Ready"]["status"] == found["ContainersReady"]["status"] == "False"
    assert found["Ready"]["message"] == "containers with unready status: [main]"
    assert found["Initialized"]["status"] == "True"


def test_a_condition_that_has_not_changed_keeps_its_time() -> None:
    one = record(Kind.MAIN, Running(NOW, 1), ready=True)
    before = conditions(pod(), [one], [], NOW, sandbox=True)
    later = conditions(pod(), [one], before, NOW.replace(year=2027), sandbox=True)
    assert later == before


def test_a_readiness_gate_keeps_a_pod_from_being_ready() -> None:
    gated = {"spec": {"readinessGates": [{"conditionType": "example.com/open"}]}}
    one = record(Kind.MAIN, Running(NOW, 1), ready=True)
    closed = {item["type"]: item["status"] for item in conditions(gated, [one], [], NOW, sandbox=True)}
    assert (closed["ContainersReady"], closed["Ready"]) == ("True", "False")
    gate = {"type": "example.com/open", "status": "True"}
    opened = {item["type"]: item["status"] for item in conditions(gated, [one], [gate], NOW, sandbox=True)}
    assert opened["Ready"] == "True"


def test_a_probe_is_judged_by_what_it_finds_in_a_row() -> None:
    judgement = Judgement(Settings(0, 1, 1, successes=1, failures=3), healthy=True)
    changes = [judgement.add(ok=ok) for ok in (False, False, True, False, False, False)]
    assert changes == [False, False, False, False, False, True]
    assert not judgement.healthy
    assert judgement.add(ok=True)
    assert judgement.healthy


def test_settings_of_a_probe_have_kubernetes_defaults() -> None:
    assert Settings.of({"httpGet": {}}) == Settings(0, 10, 1, 1, 3)
    assert Settings.of({"periodSeconds": 2, "failureThreshold": 60}) == Settings(0, 2, 1, 1, 60)


@pytest.mark.parametrize("state", [Running(NOW), ENDED, Terminated(3, NOW, NOW, "why"), Waiting("Back", "off")])
def test_a_new_agent_goes_on_from_what_the_status_says(state: Any) -> None:
    told = record(Kind.MAIN, state, last=FAILED, ready=True, started=True)
    told.attempt = 2
    status = {"status": {"containerStatuses": [{"name": "other"}, told.manifest()]}}
    again = record(Kind.MAIN, Waiting("PodInitializing"))
    again.attempt, again.restarts = 2, 0
    again.restore(status)
    assert again == told
    # What it says of another attempt, or of none, says nothing.
    for attempt in (1, -1):
        other = record(Kind.MAIN, Waiting("PodInitializing"))
        other.attempt = attempt
        other.restore(status)
        assert other.state == Waiting("PodInitializing")
        assert not other.ready
