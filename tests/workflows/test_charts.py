"""What ``python -m tools.ci.charts`` finds in a chart that is not as the program expects."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kafka_on_istio.charts.facts import ChartFacts, ChartWorkload
from tests.workflows.conftest import ROOT, workflow
from tools.ci.chart_differences import differences
from tools.ci.charts import main, stack_settings
from tools.ci.command import CommandError

pytestmark = pytest.mark.unit

FACTS = ChartFacts(
    read_in="here",
    services={"web": {"http": 80}},
    workloads={"web": ChartWorkload("runner", {"app": "web"})},
    cluster_wide=("ClusterRole/reader",),
    values=("port", "extra.*"),
)
VALUES: dict[str, Any] = {"port": 80, "extra": {"note": "a"}}


def chart(values: Mapping[str, Any], **changed: Any) -> list[dict[str, Any]]:
    """Render a chart of three objects."""
    names = {"service": "web", "account": "runner", "app": "web", "role": "reader"} | changed
    template = {"metadata": {"labels": {"app": names["app"]}}, "spec": {"serviceAccountName": names["account"]}}
    ports = [{"name": "http", "port": values.get("port", 8080)}]
    note = {"annotations": {"note": (values.get("extra") or {}).get("note")}}
    return [
        {"kind": "Service", "metadata": {"name": names["service"]} | note, "spec": {"ports": ports}},
        {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": template}},
        {"kind": "ClusterRole", "metadata": {"name": names["role"]}},
    ]


def found(values: Mapping[str, Any] = VALUES, **changed: Any) -> list[str]:
    """Return what is unexpected in the chart."""
    return list(differences(FACTS, lambda given: chart(given, **changed), values, {"port": 8080}))


def test_nothing_is_unexpected_in_the_chart_that_was_read() -> None:
    assert found() == []


def test_a_chart_that_draws_something_at_random_is_found() -> None:
    numbers = itertools.count()
    lines = list(differences(FACTS, lambda given: chart(given, account=str(next(numbers))), VALUES, {"port": 8080}))
    assert "renders differently each time: every preview would show a change" in lines


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"service": "web-v2"}, "has no Service 'web'; it has web-v2"),
        ({"account": "other"}, "web: its service account is 'other', assumed is 'runner'"),
        ({"app": "site"}, "web: its pods' label app is 'site', assumed is 'web'"),
    ],
)
def test_a_name_that_policies_use_and_a_chart_has_otherwise_is_found(changed: dict[str, str], line: str) -> None:
    assert found(**changed) == [line]


def test_objects_without_a_namespace_are_those_of_the_table() -> None:
    assert found(role="writer") == [
        "makes ClusterRole/writer, which is not in the table, so that up would take over one of another owner",
        "does not make ClusterRole/reader, which is in the table",
    ]


def test_a_value_that_the_chart_does_not_know_or_the_table_does_not_have_is_found() -> None:
    assert found({**VALUES, "extra": {"note": "a", "nope": 1}}) == ["value extra.nope: the chart does not know it"]
    assert found({**VALUES, "prot": 80}) == [
        "value prot: is set, and not in the table",
        "value prot: the chart does not know it",
    ]
    assert found({**VALUES, "port": 81}) == ["Service web: port http is 81, assumed is 80"]


def test_a_stack_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(CommandError, match=r"stack nope: there is no Pulumi.nope.yaml; there are dev, lab, openshift"):
        main(["nope", "--cwd", str(ROOT)])


def test_a_stack_with_wrong_settings_is_refused_with_its_faults(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    (tmp_path / "Pulumi.bad.yaml").write_text("config:\n  kafka-on-istio:layer: cellar\n")
    with pytest.raises(CommandError, match=r"stack bad: .*\n.*layer = 'cellar'"):
        stack_settings(tmp_path, "bad")


def test_the_workflow_looks_at_the_charts_weekly_and_where_they_change() -> None:
    charts = workflow("charts")
    assert charts["on"]["schedule"]
    assert "Pulumi.yaml" in charts["on"]["pull_request"]["paths"]
    (job,) = charts["jobs"].values()
    assert any(".venv/bin/python -m tools.ci.charts" in step.get("run", "") for step in job["steps"])
