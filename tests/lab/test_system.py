"""The application on its cluster: what its calls leave in Kafka, and what becomes of them when parts are taken away."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.lab.conftest import System, eventually
from tests.lab.traffic import LOG_IN, TOPICS, Traffic, address, arrived, call, counts_in_order, records, settled

pytestmark = pytest.mark.lab


def pods(system: System, namespace: str = "demo-app") -> dict[str, Any]:
    """Return the pods of a namespace that are not on their way out, by name."""
    found = system.get("-n", namespace, "pods")["items"]
    return {pod["metadata"]["name"]: pod for pod in found if "deletionTimestamp" not in pod["metadata"]}


def kill(system: System, pod: str, container: str, namespace: str = "demo-app") -> None:
    """Kill the first process of a container."""
    uid = system.get("-n", namespace, "pod", pod)["metadata"]["uid"]
    attempts = (system.lab.folder / "node" / "pods" / uid / "containers" / container).iterdir()
    latest = max(attempts, key=lambda path: int(path.name))
    os.kill(int((latest / "pid").read_text()), signal.SIGKILL)


def test_a_call_is_three_records_of_one_trace(system: System) -> None:
    trace = secrets.token_hex(16)
    status, reply = call(address(system), traceparent=f"00-{trace}-{secrets.token_hex(8)}-01")
    assert status == 200
    found = re.fullmatch(
        r"customer => (preference => (recommendation (v[123])( \S+)? from '(recommendation-\S+)': (\d+)))\n", reply
    )
    assert found, reply

    def three() -> Any:
        mine = [record for record in records(system) if trace in record["headers"].get("traceparent", "")]
        return mine if len(mine) == 3 else None

    mine = {record["topic"]: record for record in eventually(three)}
    assert {record["key"] for record in mine.values()} == {"00000001"}
    assert {record["headers"]["b3"].partition("-")[0] for record in mine.values()} == {trace}
    assert [mine[topic]["value"] for topic in TOPICS] == [
        {
            "origin": "CUSTOMER",
            "destination": "PREFERENCE",
            "originVersion": "v1",
            "comment": found[1],
        },
        {"origin": "PREFERENCE", "destination": "RECOMMENDATION", "originVersion": "v1", "comment": found[2]},
        {"origin": "RECOMMENDATION", "originVersion": found[3], "comment": found[6]},
    ]


def test_a_request_that_nobody_declared_does_not_get_through(system: System) -> None:
    target = system.get("-n", "demo-app", "service", "recommendation")["spec"]["clusterIP"]
    code = (
        "import urllib.error, urllib.request as u\n"
        f"try: print(u.urlopen('http://{target}:8080', timeout=3).status)\n"
        "except OSError as error: print(error)\n"
    )
    assert system.script("deployment/preference-v1", code).strip() == "200"
    assert system.script("deployment/customer-v1", code).strip() != "200"
    world = code.replace(f"{target}:8080", "worldclockapi.com/api/json/cet/now")
    assert system.script("deployment/recommendation-v3", world).strip() == "200"
    assert system.script("deployment/recommendation-v1", world).strip() != "200"


def test_a_password_is_replaced_while_calls_go_on(system: System) -> None:
    before, others = settled(system), pods(system)
    old = system.script("deployment/customer-v1", "import os; print(os.environ['KAFKA_PASSWORD'])").strip()
    with Traffic(system) as traffic:
        result = system.command("rotate", "customer-writer")
        assert result.returncode == 0, result.stdout + result.stderr
        traffic.some()
    assert traffic.failed() == []
    arrived(system, before, len(traffic.answers))
    assert system.script("deployment/customer-v1", f"PASSWORD = None\n{LOG_IN}").strip() == "in"
    refused = system.script("deployment/customer-v1", f"PASSWORD = {old!r}\n{LOG_IN}")
    assert "_AUTHENTICATION" in refused
    replaced = others.keys() ^ eventually(lambda: len(pods(system)) == len(others) and pods(system)).keys()
    assert {name.rpartition("-")[0].rpartition("-")[0] for name in replaced} == {"customer-v1"}
    # It stays so: the next up does not go back to the password before.
    kept = f"userPasswordRotation={json.dumps(system.lab.settings()['userPasswordRotation'])}"
    again = system.engine("preview", "--stack", "lab", "--expect-no-changes", "--config", kept)
    assert again.returncode == 0, again.stdout


def test_a_broker_that_is_killed_costs_no_call_and_no_record(system: System) -> None:
    before = settled(system)
    broker = "demo-app-log-cluster-combined-0"
    restarts = pods(system, "kafka")[broker]["status"]["containerStatuses"][0]["restartCount"]
    with Traffic(system) as traffic:
        kill(system, broker, "kafka", "kafka")
        eventually(
            lambda: pods(system, "kafka")[broker]["status"]["containerStatuses"][0]["restartCount"] == restarts + 1
        )
        traffic.some(40)
    assert traffic.failed() == []
    counts_in_order(arrived(system, before, len(traffic.answers)), before)


def test_a_service_that_is_killed_comes_back(system: System) -> None:
    name = next(name for name in pods(system) if name.startswith("preference"))
    kill(system, name, "preference")

    def back() -> Any:
        status = pods(system)[name]["status"]["containerStatuses"][0]
        return status["restartCount"] == 1 and status["ready"]

    eventually(back)
    assert eventually(lambda: call(address(system))[0] == 200)


def test_an_update_of_a_service_fails_no_call(system: System) -> None:
    before = settled(system)
    with Traffic(system) as traffic:
        system.kubectl("-n", "demo-app", "rollout", "restart", "deployment/preference-v1")
        system.kubectl("-n", "demo-app", "rollout", "status", "deployment/preference-v1", "--timeout=60s")
        traffic.some()
    assert traffic.failed() == []
    arrived(system, before, len(traffic.answers))


def test_the_report_says_what_the_records_say(system: System) -> None:
    """The windows that the report tells, against what is in the topics: no call is missing, none is twice."""
    window = 10
    since = datetime.fromtimestamp((time.time() // window + 1) * window, UTC)
    time.sleep(since.timestamp() - time.time())
    for _ in range(40):
        assert call(address(system))[0] == 200

    def complete() -> Any:
        told: Counter[tuple[str, str]] = Counter()
        for line in system.command("report").stdout.splitlines():
            bounds, group, number = line.split()
            start = bounds.partition("/")[0]
            if datetime.fromisoformat(start) >= since:
                told[start, group] += int(number)
        written: Counter[tuple[str, str]] = Counter()
        for record in records(system):
            start = datetime.fromtimestamp(record["timestamp"] // 1000 // window * window, UTC)
            if start >= since:
                value = record["value"]
                group = f"{value['origin']}:{value['originVersion']}:{value.get('destination') or ''}"
                written[start.strftime("%Y-%m-%dT%H:%M:%SZ"), group] += 1
        assert written.total() == 120
        assert told == written, f"{told} {written}"
        return told

    assert eventually(complete, 60)
