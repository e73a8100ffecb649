"""Which edge a record counts for, how fast a count grows, and what is read out of the consumer's log."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from lab.watch.counts import Counts, Key, Rate, by_edge, unmatched
from lab.watch.graph import graph
from lab.watch.proxies import Proxies
from lab.watch.reader import call
from lab.watch.report import Report
from lab.watch.watch import Watch
from tests.watch.example import model

pytestmark = pytest.mark.unit

CUSTOMER = Key("log-customer", "CUSTOMER", "v1", "PREFERENCE", "")
ONE = Key("log-preference", "PREFERENCE", "v1", "", "")
TWO = Key("log-preference", "PREFERENCE", "v2", "", "")
REPORTED = {"log-customer": 4, "log-preference": 3}


def test_records_count_for_the_call_and_for_the_topic() -> None:
    counts = Counts({CUSTOMER: 7, ONE: 5, TWO: 2}, REPORTED)
    assert by_edge(graph(model()), counts) == {
        "mesh/gateway > app/customer-v1": 7,
        "app/customer-v1 > app/preference-v1": 5,
        "app/customer-v1 > app/preference-v2": 2,
        "app/customer-v1 > topic/log-customer": 7,
        "app/preference-v1 > topic/log-preference": 5,
        "app/preference-v2 > topic/log-preference": 2,
        "topic/log-customer > app/consumer-v1": 4,
        "topic/log-preference > app/consumer-v1": 3,
        "app/consumer-v1 > topic/log-aggregated": None,
    }


def test_with_two_callers_the_callers_records_tell_the_version_that_answered() -> None:
    declared = model()
    also = replace(declared.edges[0], destination="app/preference-v1")
    declared = replace(declared, edges=(*declared.edges, also))
    told = {Key("log-customer", "CUSTOMER", "v1", "PREFERENCE", "v1"): 3, ONE: 10}
    found = by_edge(graph(declared), Counts(told, REPORTED))
    assert found["app/customer-v1 > app/preference-v1"] == 3
    # The gateway logs nothing, and who called is not in preference's records.
    assert found["mesh/gateway > app/preference-v1"] is None
    found = by_edge(graph(declared), Counts({CUSTOMER: 3, ONE: 10}, REPORTED))
    assert found["app/customer-v1 > app/preference-v1"] is None


def test_records_in_the_name_of_nobody_who_may_write_them_are_told() -> None:
    strange = [CUSTOMER._replace(version="v9"), CUSTOMER._replace(topic="log-preference"), ONE._replace(origin="X")]
    assert unmatched(graph(model()), Counts({CUSTOMER: 4, **dict.fromkeys(strange, 1)}, REPORTED)) == 3


def test_a_rate_is_the_mean_of_ten_seconds() -> None:
    rate = Rate()
    assert rate.of(100, 50.0) == 0
    assert rate.of(110, 55.0) == 2
    assert rate.of(110, 60.0) == 1
    assert rate.of(110, 65.0) == 0
    assert rate.of(3, 66.0) == 0
    assert rate.of(5, 68.0) == 1


def record(**fields: Any) -> bytes:
    return json.dumps({"origin": "A", "originVersion": "v1"} | fields).encode()


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (record(comment="7"), ("A", "v1", "", "")),
        (record(destination="B", comment="b v2 from 'x': 7"), ("A", "v1", "B", "v2")),
        (record(destination="B", comment="b => c v2 from 'x': 7"), ("A", "v1", "B", "=>")),
        (record(destination="B", comment="c v2 from 'x': 7"), ("A", "v1", "B", "")),
        (record(destination=None, comment=None), ("A", "v1", "", "")),
        (record(origin="<" * 500), ("<" * 100, "v1", "", "")),
        (record(origin=1), None),
        (record(comment={}), ("A", "v1", "", "")),
        (record(comment=[1]), None),
        (b"[" * 100_000, None),
        (b'"text"', None),
        (b"\xff", None),
        (b"{}", None),
        (None, None),
    ],
)
def test_what_a_record_says(value: bytes | None, found: tuple[str, ...] | None) -> None:
    assert call(value) == found


def line(second: int, group: str, count: int) -> str:
    return f"2026-01-01T00:00:{second:02}Z/2026-01-01T00:00:{second + 1:02}Z {group} {count}\n"


def test_the_report_has_the_latest_windows_first_and_repeated_lines_once() -> None:
    report = Report()
    lines = [line(second, group, second) for second in range(9) for group in ("A:v1:B", "B:v1:")]
    for text in (*lines, *lines[-4:], '{"message": "listening"}\n', "2026-01-01T00:00:59Z no line\n"):
        report.take(text)
    rows = report.rows()
    assert [row["start"][-3:-1] for row in rows] == ["08", "07", "06", "05", "04"]
    assert rows[0]["groups"] == [
        {"origin": "A", "version": "v1", "destination": "B", "count": 8},
        {"origin": "B", "version": "v1", "destination": "", "count": 8},
    ]


def told(complete: bool, *records: list[Any]) -> str:
    return json.dumps({"complete": complete, "unreadable": 1, "records": records, "reported": REPORTED})


def test_a_reader_that_starts_again_takes_nothing_from_what_is_shown() -> None:
    watch = Watch("lab", graph(model()), Proxies({}))
    assert watch.state({"counts": None})["counted"] is False
    watch.count(told(True, [*CUSTOMER, 7]), 1)
    watch.count(told(False, [*CUSTOMER, 2]), 2)
    state = watch.state({"counts": "no pods", "report": None})
    assert state["faults"] == ["counts: no pods"]
    assert state["unmatched"] == 1
    assert state["graph"]["edges"][0] | {"places": ()} == {
        "id": "mesh/gateway > app/customer-v1",
        "source": "mesh/gateway",
        "target": "app/customer-v1",
        "kind": "call",
        "places": (),
        "count": 7,
        "rate": 0,
        "facts": (("request", "GET /"), ("port", "8080")),
    }
